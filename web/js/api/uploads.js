/**
 * Files on their way to the file store, in three steps: announce, bytes, complete.
 */

import { ApiError, at, noAnswer, post } from "/web/js/api/request.js";

/** Sends the bytes of an upload; `onProgress` gets 0..1. XMLHttpRequest, since fetch cannot report upload progress. */
function carry(url, headers, bytes, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers ?? {})) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress?.(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(new ApiError(request.status, { detail: `The file store refused the file (${request.status}).` }));
    });
    request.addEventListener("error", () => reject(noAnswer(null)));
    request.addEventListener("abort", () => reject(new DOMException("The upload was cancelled.", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    request.send(bytes);
  });
}

/** Uploads one file in three steps (announce, bytes, complete). Answers `{id, filename, size_bytes}`. */
export async function upload(file, { onProgress, signal } = {}) {
  const content_type = file.type || "application/octet-stream";
  const slot = await post("/v1/uploads", { filename: file.name, content_type, size_bytes: file.size }, { signal });
  await carry(slot.put_url, slot.headers, file, { onProgress, signal });
  return post(`/v1/uploads/${at(slot.id)}/complete`, undefined, { signal });
}
