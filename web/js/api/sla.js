/**
 * The calls for business hours, policies of service levels, and the clocks of a conversation.
 */

import { at, get, patch, post, remove } from "/web/js/api/request.js";

export const hours = {
  list: (options) => get("/v1/business-hours", options),
  add: (plan) => post("/v1/business-hours", plan),
  change: (id, changes) => patch(`/v1/business-hours/${at(id)}`, changes),
  remove: (id) => remove(`/v1/business-hours/${at(id)}`),
  preview: (id, changes, options) => post(`/v1/business-hours/${at(id)}/preview`, changes, options),
};

export const policies = {
  list: (options) => get("/v1/sla-policies", options),
  add: (policy) => post("/v1/sla-policies", policy),
  change: (id, changes) => patch(`/v1/sla-policies/${at(id)}`, changes),
  remove: (id) => remove(`/v1/sla-policies/${at(id)}`),
  preview: (id, policy, options) => post(id ? `/v1/sla-policies/${at(id)}/preview` : "/v1/sla-policies/preview", policy, options),
};

export const clocks = {
  of: (conversation, options) => get(`/v1/conversations/${at(conversation)}/sla`, options),
};
