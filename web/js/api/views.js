/**
 * The calls for saved views.
 */

import { at, get, patch, post, remove } from "/web/js/api/request.js";

export const views = {
  list: (options) => get("/v1/views", options),
  add: (view) => post("/v1/views", view),
  change: (id, changes) => patch(`/v1/views/${at(id)}`, changes),
  remove: (id) => remove(`/v1/views/${at(id)}`),
  preview: (conditions, options) => post("/v1/views/preview", { conditions }, options),
};
