/**
 * The calls for contacts: the people who write to us.
 */

import { at, get, patch, post } from "/web/js/api/request.js";

export const contacts = {
  list: (query, options) => get("/v1/contacts", { query, ...options }),
  get: (id, options) => get(`/v1/contacts/${at(id)}`, options),
  change: (id, changes) => patch(`/v1/contacts/${at(id)}`, changes),
  conversations: (id, query, options) => get(`/v1/contacts/${at(id)}/conversations`, { query, ...options }),
  merge: (id, into) => post(`/v1/contacts/${at(id)}/merge`, { into }),
  unmerge: (id) => post(`/v1/contacts/${at(id)}/unmerge`),
};
