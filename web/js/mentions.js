/**
 * Mentions in a note: `@` and a person's whole name. Finds who is meant, what is being typed, and cuts a text at its mentions. Pure.
 */

import { plain } from "/web/js/format.js";

const TYPED = /(?:^|[\s(])@([\p{L}\p{N}][\p{L}\p{N}.'’-]*(?: [\p{L}\p{N}.'’-]*)?|)$/u;
const MOST = 6;

export const nameOf = (user) => plain(user.name || user.email);

/** What stands between the last `@` and the caret while it may still become a mention, or null. */
export const typedMention = (before) => TYPED.exec(before)?.[1] ?? null;

/** The people who fit what was typed: by the beginning of a word of their name, or of their address. */
export function fitting(users, typed) {
  const wanted = typed.toLowerCase();
  return users.filter((user) => {
    const name = nameOf(user).toLowerCase();
    return name.startsWith(wanted) || name.split(/\s+/).some((word) => word.startsWith(wanted)) || user.email?.toLowerCase().startsWith(wanted);
  }).slice(0, MOST);
}

/** The text as `[string | user]`: each mention is its person. Longer names win, so that “@Ann Lee” is not Ann. */
export function cutMentions(text, users) {
  const known = users.map((user) => [`@${nameOf(user)}`, user]).sort(([one], [other]) => other.length - one.length);
  const parts = [];
  let from = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const [word, user] = known.find(([one]) => text.startsWith(one, at) && !/[\p{L}\p{N}]/u.test(text[at + one.length] ?? "")) ?? [];
    if (!user || at < from) continue;
    if (at > from) parts.push(text.slice(from, at));
    parts.push(user);
    from = at + word.length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** The ids of the people whom the text mentions, each once. */
export const mentioned = (text, users) => [...new Set(cutMentions(text, users).filter((part) => typeof part !== "string").map((user) => user.id))];
