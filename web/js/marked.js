/**
 * Text with what was searched for marked in it. Ranges count characters, as the server does; JavaScript counts UTF-16 units.
 */

import { h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";

/** Nodes of `text` with `<mark>` around the ranges `[[from, to], …]`. */
export function marked(text, marks) {
  const letters = Array.from(text);
  const piece = (from, to) => plain(letters.slice(from, to).join(""));
  const found = [];
  let done = 0;
  for (const [from, to] of marks) {
    if (from < done || to > letters.length) continue;
    found.push(piece(done, from), h("mark", {}, piece(from, to)));
    done = to;
  }
  return [...found, piece(done)];
}
