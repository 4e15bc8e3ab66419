/**
 * The calls for one's own unsent reply as the server keeps it.
 */

import { at, get, put, remove } from "/web/js/api/request.js";

export const keptDrafts = {
  get: (id, options) => get(`/v1/conversations/${at(id)}/draft`, options),
  save: (id, draft, options) => put(`/v1/conversations/${at(id)}/draft`, draft, options),
  remove: (id) => remove(`/v1/conversations/${at(id)}/draft`),
};
