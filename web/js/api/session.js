/**
 * The calls for who is signed in.
 */

import { get, post, remove } from "/web/js/api/request.js";

export const session = {
  current: (options) => get("/v1/session", { quiet: true, ...options }),
  open: (email, password) => post("/v1/session", { email, password }, { quiet: true }),
  close: () => remove("/v1/session", { quiet: true }),
};
