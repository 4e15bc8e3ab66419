/**
 * The calls for inboxes: their settings, health, history and ways in.
 */

import { at, get, patch, post } from "/web/js/api/request.js";

export const inboxes = {
  list: (options) => get("/v1/inboxes", options),
  get: (id, options) => get(`/v1/inboxes/${at(id)}`, options),
  add: (inbox) => post("/v1/inboxes", inbox),
  change: (id, changes) => patch(`/v1/inboxes/${at(id)}`, changes),
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
