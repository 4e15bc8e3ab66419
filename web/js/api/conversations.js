/**
 * The calls for conversations, their messages and what is sent into them.
 */

import { at, get, patch, post } from "/web/js/api/request.js";

export const conversations = {
  list: (query, options) => get("/v1/conversations", { query, ...options }),
  counts: (options) => get("/v1/conversations/counts", options),
  get: (id, options) => get(`/v1/conversations/${at(id)}`, options),
  messages: (id, query, options) => get(`/v1/conversations/${at(id)}/messages`, { query, ...options }),
  change: (id, changes) => patch(`/v1/conversations/${at(id)}`, changes),
  read: (id) => post(`/v1/conversations/${at(id)}/read`),
  send: (id, message, key) =>
    post(`/v1/conversations/${at(id)}/messages`, message, { headers: { "Idempotency-Key": key } }),
};
