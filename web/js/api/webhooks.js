/**
 * The calls for webhooks: endpoints, their secrets, and what each was told.
 */

import { at, get, patch, post, remove } from "/web/js/api/request.js";

const one = (id) => `/v1/webhooks/${at(id)}`;

export const webhooks = {
  list: (options) => get("/v1/webhooks", options),
  add: (webhook) => post("/v1/webhooks", webhook),
  change: (id, changes) => patch(one(id), changes),
  remove: (id) => remove(one(id)),
  rotate: (id) => post(`${one(id)}/rotate`),
  test: (id) => post(`${one(id)}/test`),
  deliveries: (id, query, options) => get(`${one(id)}/deliveries`, { query: { limit: 20, ...query }, ...options }),
  redeliver: (id, delivery) => post(`${one(id)}/deliveries/${at(delivery)}/redeliver`),
};
