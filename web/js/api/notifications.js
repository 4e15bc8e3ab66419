/**
 * The calls for what a person is told, how they want to hear of it, and from which inbox digests are sent.
 */

import { call, get, post } from "/web/js/api/request.js";

export const notifications = {
  list: (query, options) => get("/v1/notifications", { query, ...options }),
  /** `{ids}`, `{conversation_id}` or `{all: true}`. */
  read: (which) => post("/v1/notifications/read", which),
  preferences: (options) => get("/v1/me/preferences", options),
  prefer: (wishes) => call("PUT", "/v1/me/preferences", { body: wishes }),
  settings: (options) => get("/v1/notification-settings", options),
  choose: (inbox_id) => call("PUT", "/v1/notification-settings", { body: { inbox_id } }),
};
