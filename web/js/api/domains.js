/**
 * The calls for sending and receiving domains.
 */

import { at, get, patch, post, put, remove } from "/web/js/api/request.js";

export const domains = {
  list: (options) => get("/v1/domains", options),
  add: (domain) => post("/v1/domains", domain),
  change: (id, changes) => patch(`/v1/domains/${at(id)}`, changes),
  remove: (id) => remove(`/v1/domains/${at(id)}`),
  verify: (id) => post(`/v1/domains/${at(id)}/verify`),
  join: (id, inbox, is_catchall) => put(`/v1/domains/${at(id)}/inboxes/${at(inbox)}`, { is_catchall }),
  makeInbox: (id, inbox) => post(`/v1/domains/${at(id)}/inboxes`, inbox),
  leave: (id, inbox) => remove(`/v1/domains/${at(id)}/inboxes/${at(inbox)}`),
};
