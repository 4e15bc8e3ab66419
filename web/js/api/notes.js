/**
 * The calls for internal notes.
 */

import { at, get, patch, post, remove } from "/web/js/api/request.js";

export const notes = {
  list: (id, query, options) => get(`/v1/conversations/${at(id)}/notes`, { query, ...options }),
  add: (id, note) => post(`/v1/conversations/${at(id)}/notes`, note),
  change: (note, words) => patch(`/v1/notes/${at(note)}`, words),
  remove: (note) => remove(`/v1/notes/${at(note)}`),
};
