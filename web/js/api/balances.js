/**
 * The calls for what lies at the provider against what was taken in.
 */

import { at, get, post } from "/web/js/api/request.js";

export const balances = {
  all: (options) => get("/v1/balance", options),
  gaps: (id, options) => get(`/v1/inboxes/${at(id)}/gaps`, options),
  ask: (id) => post(`/v1/inboxes/${at(id)}/audit`),
};
