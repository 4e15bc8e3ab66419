/**
 * The calls that change a conversation's shape: merge, take apart, split, pass a message on; and changes to many at once.
 */

import { at, get, post, remove } from "/web/js/api/request.js";

const of = (id, verb) => `/v1/conversations/${at(id)}/${verb}`;

export const shape = {
  read: (id, options) => get(of(id, "shape"), options),
  merge: (id, into) => post(of(id, "merge"), { into }),
  unmerge: (id) => post(of(id, "unmerge")),
  split: (id, messageIds) => post(of(id, "split"), { message_ids: messageIds }),
  keepTogether: (id) => remove(of(id, "topic")),
  forward: (id, message, key) => post(of(id, "forward"), message, { headers: { "Idempotency-Key": key } }),
};

export const bulk = {
  begin: (chosen, change) => post("/v1/bulk", { ...chosen, change }),
  get: (id, options) => get(`/v1/bulk/${at(id)}`, options),
  cancel: (id) => post(`/v1/bulk/${at(id)}/cancel`),
  undo: (id) => post(`/v1/bulk/${at(id)}/undo`),
};
