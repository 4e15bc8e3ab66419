/**
 * The calls for reading stored mails again.
 */

import { at, get, post } from "/web/js/api/request.js";

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
