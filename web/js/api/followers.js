/**
 * The calls for following a conversation. A person is an id, or `me`.
 */

import { at, put, remove } from "/web/js/api/request.js";

export const followers = {
  add: (id, person) => put(`/v1/conversations/${at(id)}/followers/${at(person)}`),
  remove: (id, person) => remove(`/v1/conversations/${at(id)}/followers/${at(person)}`),
};
