/**
 * What stands around the open conversation because of merges, splits and forwards, read once for all elements that show it.
 * Promises a fresh answer for each version. Leaves failures to the caller, and forgets them.
 */

import { shape } from "/web/js/api/shape.js";

let known = { key: "", answer: null };

/** A promise of the shape of a conversation as it stands at its version. */
export function shapeOf({ id, version }) {
  const key = `${id}:${version}`;
  if (known.key !== key) {
    const answer = shape.read(id);
    known = { key, answer };
    answer.catch(() => {
      if (known.answer === answer) known = { key: "", answer: null };
    });
  }
  return known.answer;
}

/** What is known is old. */
export function forgetShape() {
  known = { key: "", answer: null };
}
