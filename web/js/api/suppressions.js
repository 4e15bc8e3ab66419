/**
 * The calls for addresses that get no mail from us.
 */

import { get, post } from "/web/js/api/request.js";

export const suppressions = {
  list: (query, options) => get("/v1/suppressions", { query, ...options }),
  lift: (address) => post("/v1/suppressions/lift", { address }),
};
