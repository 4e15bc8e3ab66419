/**
 * Words for statuses, strategies and hand-backs, and the choices of whom to give a conversation to.
 */

import { assignments } from "/web/js/api/assignments.js";
import { teams } from "/web/js/api/teams.js";
import { plain } from "/web/js/format.js";
import { store } from "/web/js/store.js";

export const PRESENCE = { online: "Online", away: "Away", offline: "Offline" };
export const STRATEGIES = {
  manual: ["By hand", "Everybody takes from the queue."],
  round_robin: ["In turn", "Whoever was chosen longest ago is next."],
  least_busy: ["Least busy", "Whoever has the fewest open conversations."],
  skills: ["Skills", "Who speaks the language and knows the tags and the category; of these the least busy."],
  priority: ["Priority", "Urgent ones and VIPs to seniors, the rest to the least busy."],
};
export const HAND_BACK = { never: "Never", after: "After some minutes", at_once: "At once" };
const ORDER = { online: 0, away: 1, offline: 2 };

export const loadWord = (user) => `${PRESENCE[user.status] ?? "Offline"} · ${user.open ?? 0} of ${user.capacity ?? 0}`;

/** Whom a conversation can be given to: oneself, the others (who are there and have least first), teams, the queue. `done(item)` gets the answer. */
export async function assigneeChoices(conversation, done) {
  const give = (to) => async () => done(await assignments.assign(conversation.id, to));
  const [, page] = await Promise.all([store.readUsers(), teams.list()]);
  const me = store.get("me")?.user.id;
  const people = store.get("users").filter((user) => user.role !== "viewer")
    .sort((a, b) => (b.id === me) - (a.id === me) || ORDER[a.status] - ORDER[b.status] || (a.open ?? 0) - (b.open ?? 0) || a.name.localeCompare(b.name));
  return [
    ...people.map((user) => ({ title: `${user.id === me ? "Me" : plain(user.name || user.email)} — ${loadWord(user)}`, iconName: "people", run: give({ user_id: user.id }) })),
    ...page.items.map((team) => ({ title: `Team ${plain(team.name)}`, iconName: "team", run: give({ team_id: team.id }) })),
    conversation.assigned_to ? { title: "Back into the queue", iconName: "undo", run: give({ user_id: null }) } : null,
  ].filter(Boolean);
}
