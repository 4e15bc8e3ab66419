/**
 * The calls for who has a conversation: claiming, the queue, handing over, its history, and policies.
 */

import { at, get, post, put } from "/web/js/api/request.js";

const policyOf = ({ inbox, team }) => (inbox ? `/v1/inboxes/${at(inbox)}/assignment-policy` : `/v1/teams/${at(team)}/assignment-policy`);

export const assignments = {
  claim: (id) => post(`/v1/conversations/${at(id)}/claim`),
  assign: (id, to) => put(`/v1/conversations/${at(id)}/assignment`, to),
  history: (id, query, options) => get(`/v1/conversations/${at(id)}/assignments`, { query, ...options }),
  queue: (query, options) => get("/v1/queue", { query, ...options }),
  next: () => post("/v1/queue/next"),
  policy: (owner, options) => get(policyOf(owner), options),
  setPolicy: (owner, changes) => put(policyOf(owner), changes),
};
