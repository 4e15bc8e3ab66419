/**
 * What the palette offers for what was typed: commands that make sense now, best match first, and conversations that the server finds.
 */

import { conversations } from "/web/js/api/conversations.js";
import { runnable } from "/web/js/commands.js";
import { plain, shortName } from "/web/js/format.js";
import { score } from "/web/js/fuzzy.js";
import { printed } from "/web/js/keys.js";
import { router } from "/web/js/router.js";

const MOST = 40;
const MOST_FOUND = 6;

/** The entries of `[{title, …}]` that match, best first; all of them for nothing typed. */
export function matching(entries, words) {
  return entries.map((entry, place) => ({ entry, points: score(words, entry.title), place }))
    .filter(({ points }) => points !== null).sort((one, other) => other.points - one.points || one.place - other.place).slice(0, MOST).map(({ entry }) => entry);
}

/** `[{title, iconName, group, keys, command}]` of what can be done now. */
export const commandEntries = () => runnable().filter((one) => one.palette).map((one) => ({ title: one.title, iconName: one.iconName, group: one.group, keys: printed(one)[0] ?? [], command: one }));

/** Conversations that the search finds, as entries. Needs two letters; a number goes straight to its conversation's row. */
export async function foundConversations(words, signal) {
  if (words.trim().length < 2) return [];
  const page = await conversations.list({ search: words.trim(), limit: MOST_FOUND }, { signal });
  return page.items.map((item) => ({
    title: `#${item.number} ${plain(item.subject) || "(no subject)"}`, text: shortName(item.customer), iconName: "mail", group: "Conversations", keys: [],
    run: () => router.go(`/c/${encodeURIComponent(item.id)}`),
  }));
}
