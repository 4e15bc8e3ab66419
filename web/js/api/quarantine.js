/**
 * The calls for mails that could not be read safely.
 */

import { at, get, post } from "/web/js/api/request.js";

export const quarantine = {
  list: (query, options) => get("/v1/quarantine", { query, ...options }),
  rawUrl: (id) => `/v1/quarantine/${at(id)}/raw`,
  text: (id, options) => get(`/v1/quarantine/${at(id)}/text`, { as: "text", ...options }),
  retry: (id) => post(`/v1/quarantine/${at(id)}/retry`),
  dismiss: (id) => post(`/v1/quarantine/${at(id)}/dismiss`),
};
