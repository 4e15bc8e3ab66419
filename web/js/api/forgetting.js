/**
 * The calls for what is forgotten: the retention policy, holds, erasures and their receipts.
 */

import { at, call, get, post } from "/web/js/api/request.js";

export const retention = {
  get: (options) => get("/v1/retention", options),
  save: (policy) => call("PUT", "/v1/retention", { body: policy }),
  preview: (policy, options) => get("/v1/retention/preview", { query: policy, ...options }),
  hold: (conversation, held) => call("PUT", `/v1/conversations/${at(conversation)}/hold`, { body: { held } }),
};

export const erasures = {
  list: (query, options) => get("/v1/erasures", { query, ...options }),
  get: (id, options) => get(`/v1/erasures/${at(id)}`, options),
  ask: (contact, confirm) => post(`/v1/contacts/${at(contact)}/erase`, { confirm }),
};
