/**
 * What several elements share: who is signed in, the inboxes, the people, the counts.
 * Promises a `change` event per key. Holds nothing that cannot be read again from the server, except drafts (see drafts.js).
 */

import { conversations } from "/web/js/api/conversations.js";
import { inboxes } from "/web/js/api/inboxes.js";
import { people } from "/web/js/api/people.js";

class Store extends EventTarget {
  #values = { me: null, inboxes: [], users: [], counts: null };

  get(key) {
    return this.#values[key];
  }

  set(key, value) {
    this.#values[key] = value;
    this.dispatchEvent(new CustomEvent("change", { detail: { key, value } }));
  }

  clear() {
    for (const [key, value] of Object.entries({ me: null, inboxes: [], users: [], counts: null })) this.set(key, value);
  }

  get role() {
    return this.#values.me?.user.role ?? "viewer";
  }

  get mayManage() {
    return this.role === "owner" || this.role === "admin";
  }

  get mayWrite() {
    return this.role !== "viewer";
  }

  async readCounts() {
    this.set("counts", await conversations.counts());
  }

  async readInboxes() {
    this.set("inboxes", (await inboxes.list()).items);
  }

  async readUsers() {
    this.set("users", (await people.list()).items);
  }
}

export const store = new Store();
