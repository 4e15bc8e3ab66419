/**
 * The call by which one says that one looks at a conversation, or writes in it; answers who else does.
 */

import { at, put } from "/web/js/api/request.js";

export const presence = {
  show: (id, state, tab, options) => put(`/v1/conversations/${at(id)}/presence`, { state, tab }, options),
};
