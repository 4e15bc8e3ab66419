/**
 * The calls for the tags of the organisation.
 */

import { at, get, patch, post, remove } from "/web/js/api/request.js";

export const tags = {
  list: (options) => get("/v1/tags", options),
  add: (tag) => post("/v1/tags", tag),
  change: (id, changes) => patch(`/v1/tags/${at(id)}`, changes),
  remove: (id) => remove(`/v1/tags/${at(id)}`),
};
