/**
 * What is new in a conversation since somebody looked, one change as a line: who did what, and when.
 */

import { h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { STATUS } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const ICONS = { note: "note", assignment: "people", status: "check", message: "mail" };

function words({ kind, snippet }) {
  if (kind === "note") return ["wrote a note: ", h("q", {}, plain(snippet))];
  if (kind === "status") return `set the status to ${STATUS[snippet] ?? snippet}`;
  if (kind === "assignment") return snippet ? `assigned it to ${plain(snippet)}` : "took the assignment away";
  return ["wrote: ", h("q", {}, plain(snippet))];
}

export const differenceLine = (one) => [icon(ICONS[one.kind] ?? "pen"), h("strong", {}, plain(one.name) || "Mailroom"), " ", words(one), " ", timeAgo(one.at)];
