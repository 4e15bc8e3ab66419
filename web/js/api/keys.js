/**
 * The calls for the keys of programs.
 */

import { at, get, post, remove } from "/web/js/api/request.js";

export const keys = {
  list: (options) => get("/v1/api-keys", options),
  add: (key) => post("/v1/api-keys", key),
  remove: (id) => remove(`/v1/api-keys/${at(id)}`),
};
