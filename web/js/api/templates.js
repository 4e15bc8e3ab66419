/**
 * The calls for canned replies and signatures.
 */

import { at, get, patch, post, remove } from "/web/js/api/request.js";

export const templates = {
  list: (options) => get("/v1/templates", options),
  add: (template) => post("/v1/templates", template),
  change: (id, changes) => patch(`/v1/templates/${at(id)}`, changes),
  remove: (id) => remove(`/v1/templates/${at(id)}`),
  fill: (id, conversation) => post(`/v1/templates/${at(id)}/fill`, { conversation_id: conversation }),
};

export const signatures = {
  own: (options) => get("/v1/me/signature", options),
  saveOwn: (html) => patch("/v1/me", { signature_html: html }),
  ofInbox: (id, options) => get(`/v1/inboxes/${at(id)}/signature`, options),
  saveOfInbox: (id, changes) => patch(`/v1/inboxes/${at(id)}`, changes),
  under: (conversation, options) => get(`/v1/conversations/${at(conversation)}/signature`, options),
};
