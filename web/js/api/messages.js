/**
 * The calls for single messages.
 */

import { at, get, post } from "/web/js/api/request.js";

export const messages = {
  get: (id, options) => get(`/v1/messages/${at(id)}`, options),
  html: (id, images, options) => get(`/v1/messages/${at(id)}/html`, { query: { images: images ? 1 : 0 }, ...options }),
  frameUrl: (id, { images, part }) => `/v1/messages/${at(id)}/frame?images=${images ? 1 : 0}&part=${part}`,
  rawUrl: (id) => `/v1/messages/${at(id)}/raw`,
  cancel: (id) => post(`/v1/messages/${at(id)}/cancel`),
  retry: (id) => post(`/v1/messages/${at(id)}/retry`),
  resolve: (id, outcome) => post(`/v1/messages/${at(id)}/resolve`, { outcome }),
  timeline: (id, options) => get(`/v1/messages/${at(id)}/timeline`, options),
  notSpam: (id) => post(`/v1/messages/${at(id)}/not-spam`),
};
