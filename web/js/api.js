/**
 * The only place that speaks HTTP to the server: one function per call of docs/api.md.
 * Promises an ApiError with a readable sentence for everything that is not a success. Leaves showing it to the elements.
 */

const TIMEOUT_MS = 30_000;

/** Tells the shell about `session-lost`, `part-away` (detail: sentence) and `part-back`. */
export const health = new EventTarget();
let away = false;

/** What went wrong. `status` 0 means that no answer came; `fields` maps a field name to its message. */
export class ApiError extends Error {
  constructor(status, problem, retryAfter = null) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
    this.kind = String(problem.type ?? "").split("/").pop();
    this.fields = Object.fromEntries((problem.errors ?? []).map((error) => [error.field, error.message]));
  }

  /** True when the server certainly did not do it, so that a new attempt is a new request. */
  get refused() {
    return this.status >= 400 && this.status < 500;
  }
}

function say(type, detail) {
  health.dispatchEvent(new CustomEvent(type, { detail }));
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return { title: response.statusText || `Status ${response.status}` };
  }
}

function address(path, query) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, String(one));
    }
  }
  return url;
}

function noAnswer(cause) {
  const detail = navigator.onLine
    ? "The server did not answer. Check that it is running, then try again."
    : "This computer is offline. Try again when the connection is back.";
  return Object.assign(new ApiError(0, { type: "/problems/no-answer", title: "No answer", detail }), { cause });
}

async function call(method, path, { query, body, headers = {}, signal, quiet = false, as = "json" } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const all = { Accept: as === "json" ? "application/json, application/problem+json" : "text/plain, application/problem+json", ...headers };
  if (method !== "GET") all["X-Mailroom"] = "1";
  if (body !== undefined) all["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw noAnswer(cause);
  }
  if (response.ok) {
    if (away) {
      away = false;
      say("part-back");
    }
    if (response.status === 204) return null;
    return as === "text" ? response.text() : response.json();
  }
  const retryAfter = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const error = new ApiError(response.status, await problemOf(response), Number.isNaN(retryAfter) ? null : retryAfter);
  if (error.status === 401 && !quiet) say("session-lost");
  if (error.status === 503) {
    away = true;
    say("part-away", error.message);
  }
  throw error;
}

/** Sends the bytes of an upload; `onProgress` gets 0..1. XMLHttpRequest, since fetch cannot report upload progress. */
function put(url, headers, bytes, { onProgress, signal }) {
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

/** What of the server answers, as `/readyz` says it: names of parts that are away, or null when the server itself gives no answer. */
export async function partsAway() {
  try {
    const response = await fetch("/readyz", { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    const { parts } = await response.json();
    return Object.entries(parts).filter(([, part]) => !part.ok).map(([name]) => name);
  } catch {
    return null;
  }
}

const get = (path, options) => call("GET", path, options);
const post = (path, body, options) => call("POST", path, { body, ...options });
const at = (id) => encodeURIComponent(id);

export const session = {
  current: (options) => get("/v1/session", { quiet: true, ...options }),
  open: (email, password) => post("/v1/session", { email, password }, { quiet: true }),
  close: () => call("DELETE", "/v1/session", { quiet: true }),
};

export const people = {
  list: (options) => get("/v1/users", options),
  add: (user) => post("/v1/users", user),
  keys: (options) => get("/v1/api-keys", options),
  addKey: (key) => post("/v1/api-keys", key),
  dropKey: (id) => call("DELETE", `/v1/api-keys/${at(id)}`),
};

export const conversations = {
  list: (query, options) => get("/v1/conversations", { query, ...options }),
  counts: (options) => get("/v1/conversations/counts", options),
  get: (id, options) => get(`/v1/conversations/${at(id)}`, options),
  messages: (id, query, options) => get(`/v1/conversations/${at(id)}/messages`, { query, ...options }),
  change: (id, changes) => call("PATCH", `/v1/conversations/${at(id)}`, { body: changes }),
  read: (id) => post(`/v1/conversations/${at(id)}/read`),
  send: (id, message, key) =>
    post(`/v1/conversations/${at(id)}/messages`, message, { headers: { "Idempotency-Key": key } }),
};

export const messages = {
  get: (id, options) => get(`/v1/messages/${at(id)}`, options),
  html: (id, images, options) => get(`/v1/messages/${at(id)}/html`, { query: { images: images ? 1 : 0 }, ...options }),
  frameUrl: (id, { images, part }) => `/v1/messages/${at(id)}/frame?images=${images ? 1 : 0}&part=${part}`,
  rawUrl: (id) => `/v1/messages/${at(id)}/raw`,
  cancel: (id) => post(`/v1/messages/${at(id)}/cancel`),
  retry: (id) => post(`/v1/messages/${at(id)}/retry`),
  resolve: (id, outcome) => post(`/v1/messages/${at(id)}/resolve`, { outcome }),
  timeline: (id, options) => get(`/v1/messages/${at(id)}/timeline`, options),
  notSpam: (id) => post(`/v1/messages/${at(id)}/not-spam`),
};

/** Uploads one file in three steps (announce, bytes, complete). Answers `{id, filename, size_bytes}`. */
export async function upload(file, { onProgress, signal } = {}) {
  const content_type = file.type || "application/octet-stream";
  const slot = await post("/v1/uploads", { filename: file.name, content_type, size_bytes: file.size }, { signal });
  await put(slot.put_url, slot.headers, file, { onProgress, signal });
  return post(`/v1/uploads/${at(slot.id)}/complete`, undefined, { signal });
}

export const inboxes = {
  list: (options) => get("/v1/inboxes", options),
  get: (id, options) => get(`/v1/inboxes/${at(id)}`, options),
  add: (inbox) => post("/v1/inboxes", inbox),
  change: (id, changes) => call("PATCH", `/v1/inboxes/${at(id)}`, { body: changes }),
  status: (id, options) => get(`/v1/inboxes/${at(id)}/status`, options),
  test: (id) => post(`/v1/inboxes/${at(id)}/test`),
  pause: (id) => post(`/v1/inboxes/${at(id)}/pause`),
  resume: (id) => post(`/v1/inboxes/${at(id)}/resume`),
  resync: (id, scope) => post(`/v1/inboxes/${at(id)}/resync`, scope),
  backfill: (id, action) => post(`/v1/inboxes/${at(id)}/backfill`, action),
  ledger: (id, query, options) => get(`/v1/inboxes/${at(id)}/ledger`, { query, ...options }),
  choices: (options) => get("/v1/inboxes/oauth/choices", options),
  connect: (start) => post("/v1/inboxes/oauth/start", start),
  byApplication: (inbox) => post("/v1/inboxes/oauth/application", inbox),
  access: (id, options) => get(`/v1/inboxes/${at(id)}/access`, options),
  setup: (id) => get(`/v1/inboxes/${at(id)}/setup`),
};

export const domains = {
  list: (options) => get("/v1/domains", options),
  add: (domain) => post("/v1/domains", domain),
  change: (id, changes) => call("PATCH", `/v1/domains/${at(id)}`, { body: changes }),
  remove: (id) => call("DELETE", `/v1/domains/${at(id)}`),
  verify: (id) => post(`/v1/domains/${at(id)}/verify`),
  join: (id, inbox, is_catchall) => call("PUT", `/v1/domains/${at(id)}/inboxes/${at(inbox)}`, { body: { is_catchall } }),
  makeInbox: (id, inbox) => post(`/v1/domains/${at(id)}/inboxes`, inbox),
  leave: (id, inbox) => call("DELETE", `/v1/domains/${at(id)}/inboxes/${at(inbox)}`),
};

export const quarantine = {
  list: (query, options) => get("/v1/quarantine", { query, ...options }),
  rawUrl: (id) => `/v1/quarantine/${at(id)}/raw`,
  text: (id, options) => get(`/v1/quarantine/${at(id)}/text`, { as: "text", ...options }),
  retry: (id) => post(`/v1/quarantine/${at(id)}/retry`),
  dismiss: (id) => post(`/v1/quarantine/${at(id)}/dismiss`),
};

export const suppressions = {
  list: (query, options) => get("/v1/suppressions", { query, ...options }),
  lift: (address) => post("/v1/suppressions/lift", { address }),
};

export const balances = {
  all: (options) => get("/v1/balance", options),
  gaps: (id, options) => get(`/v1/inboxes/${at(id)}/gaps`, options),
  ask: (id) => post(`/v1/inboxes/${at(id)}/audit`),
};

export const reingests = {
  preview: (selection, options) => get("/v1/reingests/preview", { query: selection, ...options }),
  ask: (selection) => post("/v1/reingests", selection),
  list: (query, options) => get("/v1/reingests", { query, ...options }),
  get: (id, options) => get(`/v1/reingests/${at(id)}`, options),
  changes: (id, query, options) => get(`/v1/reingests/${at(id)}/changes`, { query, ...options }),
  change: (id, mail, options) => get(`/v1/reingests/${at(id)}/changes/${at(mail)}`, options),
  /** `apply`, `pause`, `resume` or `cancel`. */
  order: (id, name) => post(`/v1/reingests/${at(id)}/${at(name)}`),
};
