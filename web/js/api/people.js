/**
 * The calls for people who may sign in, and for oneself.
 */

import { at, get, patch, post, put, remove } from "/web/js/api/request.js";

export const people = {
  list: (options) => get("/v1/users", options),
  add: (user) => post("/v1/users", user),
  change: (id, changes) => patch(`/v1/users/${at(id)}`, changes),
  remove: (id, { keepKeys = false } = {}) => remove(`/v1/users/${at(id)}`, { query: { keep_api_keys: keepKeys || null } }),
  invite: (id) => post(`/v1/users/${at(id)}/invitation`),
  accept: (token, password) => post("/v1/invitations", { token, password }, { quiet: true }),
  setStatus: (status) => put("/v1/me/status", { status }),
  changeMe: (changes) => patch("/v1/me", changes),
  audit: (query, options) => get("/v1/audit", { query, ...options }),
  patience: (options) => get("/v1/presence-policy", options),
  setPatience: (minutes) => put("/v1/presence-policy", { offline_after_minutes: minutes }),
};
