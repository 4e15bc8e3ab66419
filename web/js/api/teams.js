/**
 * The calls for teams, and for who is let into an inbox.
 */

import { at, get, patch, post, put, remove } from "/web/js/api/request.js";

export const teams = {
  list: (options) => get("/v1/teams", options),
  add: (team) => post("/v1/teams", team),
  change: (id, changes) => patch(`/v1/teams/${at(id)}`, changes),
  remove: (id) => remove(`/v1/teams/${at(id)}`),
  setMembers: (id, users) => put(`/v1/teams/${at(id)}/members`, { user_ids: users }),
  members: (inbox, options) => get(`/v1/inboxes/${at(inbox)}/members`, options),
  letIn: (inbox, users, chosen) => put(`/v1/inboxes/${at(inbox)}/members`, { user_ids: users, team_ids: chosen }),
};
