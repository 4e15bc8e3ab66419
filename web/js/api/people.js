/**
 * The calls for people who may sign in.
 */

import { get, post } from "/web/js/api/request.js";

export const people = {
  list: (options) => get("/v1/users", options),
  add: (user) => post("/v1/users", user),
};
