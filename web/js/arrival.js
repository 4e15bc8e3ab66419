/**
 * Asks who is here while the other modules are still on their way; index.html starts it before main.js. Leaves the door to session-door.
 */

import { session } from "/web/js/api/session.js";

let first = location.pathname === "/join" ? null : session.current({ priority: "high" });
first?.catch(() => {}); // A refusal is heard by whoever takes the answer.

/** Who is signed in: the answer that is on its way already, for the first who asks; after that a new one. Throws ApiError. */
export function whoIsHere() {
  const answer = first ?? session.current();
  first = null;
  return answer;
}
