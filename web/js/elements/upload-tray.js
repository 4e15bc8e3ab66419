/**
 * `<upload-tray>`: the files of a reply while they travel to the store and wait for the send. Checks the limits before a byte moves.
 */

import { upload } from "/web/js/api/uploads.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain, plural, size } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";

const FALLBACK = { file_bytes: 26_214_400, files: 10, message_bytes: 26_214_400 };

export class UploadTray extends RoomElement {
  #items = [];
  #refusals = [];

  build() {
    this.list = h("ul", { class: "files uploads", "aria-label": "Attachments" });
    this.notes = h("div", { class: "upload-notes" });
    this.append(this.list, this.notes);
    this.#show();
  }

  detach() {
    for (const item of this.#items) item.stop?.abort();
  }

  get limits() {
    return store.get("me")?.limits ?? FALLBACK;
  }

  /** Finished files as `{id, filename, size_bytes}`. */
  get ready() {
    return this.#items.filter((item) => item.state === "ready").map(({ id, filename, size_bytes }) => ({ id, filename, size_bytes }));
  }

  set ready(files) {
    for (const item of this.#items) item.stop?.abort();
    this.#items = files.map((file) => ({ ...file, state: "ready" }));
    this.#refusals = [];
    if (this.list) this.#show();
  }

  get busy() {
    return this.#items.some((item) => item.state === "uploading");
  }

  get failed() {
    return this.#items.filter((item) => item.state === "failed");
  }

  /** Marks the n-th ready file with the server's complaint. */
  complain(index, message) {
    const item = this.#items.filter((one) => one.state === "ready")[index];
    if (!item) return;
    Object.assign(item, { state: "failed", error: message });
    this.#show();
  }

  add(files) {
    this.#refusals = [];
    for (const file of files) {
      const refusal = this.#refusal(file);
      if (refusal) this.#refusals.push(refusal);
      else this.#start({ file, filename: file.name, size_bytes: file.size });
    }
    this.#show();
  }

  #refusal(file) {
    const { file_bytes: one, files, message_bytes: all } = this.limits;
    const name = plain(file.name);
    if (file.size > one) return `${name} has ${size(file.size)}; one file may have ${size(one)} at most. Make it smaller, or send a link instead.`;
    if (this.#items.length >= files) return `${name} was not added: a message carries ${plural(files, "file")} at most. Remove one, or send two messages.`;
    const total = this.#items.reduce((sum, item) => sum + item.size_bytes, 0) + file.size;
    if (total > all) return `${name} was not added: together the files would have ${size(total)}, a message may carry ${size(all)}.`;
    if (file.size === 0) return `${name} is empty, so there is nothing to send.`;
    return null;
  }

  async #start(item) {
    if (!this.#items.includes(item)) this.#items.push(item);
    Object.assign(item, { state: "uploading", progress: 0, error: null, stop: new AbortController() });
    this.#show();
    try {
      const done = await upload(item.file, { signal: item.stop.signal, onProgress: (part) => {
        item.progress = part;
        item.bar?.style.setProperty("--done", `${Math.round(part * 100)}%`);
      } });
      Object.assign(item, done, { state: "ready", stop: null });
      this.tell("draft-change");
    } catch (error) {
      if (error.name === "AbortError") return;
      Object.assign(item, { state: "failed", error: error.message, stop: null });
    }
    this.#show();
  }

  #remove(item) {
    item.stop?.abort();
    this.#items = this.#items.filter((other) => other !== item);
    this.#refusals = [];
    this.#show();
    this.tell("draft-change");
  }

  #show() {
    fill(this.list, this.#items.map((item) => this.#line(item)));
    fill(this.notes, this.#refusals.map((text) => h("p", { class: "field-error", role: "alert" }, text)));
    this.hidden = this.#items.length === 0 && this.#refusals.length === 0;
    this.tell("tray-change");
  }

  #line(item) {
    item.bar = item.state === "uploading" ? h("i", { class: "upload-bar", "aria-hidden": "true" }) : null;
    item.bar?.style.setProperty("--done", `${Math.round((item.progress ?? 0) * 100)}%`);
    const name = plain(item.filename);
    return h("li", { class: `file ${item.state}`, "aria-busy": item.state === "uploading" ? "true" : null },
      icon(item.state === "failed" ? "warning" : "file"), h("span", { class: "file-name" }, name), h("span", { class: "faint" }, size(item.size_bytes)),
      item.state === "failed" ? h("span", { class: "field-error", role: "alert" }, item.error) : null,
      item.state === "failed" && item.file ? button("Retry", { kind: "quiet small", onclick: () => this.#start(item) }) : null,
      button("", { iconName: "cross", label: `Remove ${name}`, kind: "quiet small", onclick: () => this.#remove(item) }), item.bar);
  }
}

customElements.define("upload-tray", UploadTray);
