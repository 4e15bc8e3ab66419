/**
 * Conditions of saved views in words: what can be asked of a conversation, how, and which values there are to choose from.
 */

import { plain } from "/web/js/format.js";
import { store } from "/web/js/store.js";
import { PRIORITY, STATUS } from "/web/js/words.js";

const SET = { in: "is one of", not_in: "is none of" };
const TEXT = { contains: "contains", not_contains: "does not contain", is: "is", is_not: "is not" };
const FIXED = { before: "before", after: "from" };
const MOVING = { older_than: "longer ago than", newer_than: "within the last" };
const choices = (words) => () => Object.entries(words);
const named = (list) => list.map((one) => [one.id, plain(one.name)]);
const people = (...words) => () => [...words, ...named(store.get("users").filter((one) => one.role !== "viewer"))];

/** `kind` says how the value is given: set, text, number, time, yes. `from(extra)` are the choices of a set. */
export const FIELDS = {
  status: { label: "the status", kind: "set", ops: SET, from: choices(STATUS) },
  priority: { label: "the priority", kind: "set", ops: SET, from: choices(PRIORITY) },
  assignee: { label: "the owner", kind: "set", ops: SET, from: people(["me", "Me"], ["none", "Nobody"]) },
  follower: { label: "a follower", kind: "set", ops: SET, from: people(["me", "Me"]) },
  inbox: { label: "the inbox", kind: "set", ops: SET, from: () => named(store.get("inboxes")) },
  team: { label: "the team", kind: "set", ops: SET, from: ({ teams }) => [["none", "No team"], ...named(teams)] },
  tag: { label: "a tag", kind: "set", ops: SET, from: ({ tags }) => named(tags) },
  last_direction: { label: "the last message", kind: "set", ops: SET, from: choices({ inbound: "from the customer", outbound: "from us" }) },
  category: { label: "the category", kind: "list", ops: SET },
  subject: { label: "the subject", kind: "text", ops: TEXT },
  customer_name: { label: "the customer's name", kind: "text", ops: TEXT },
  customer_address: { label: "the customer's address", kind: "text", ops: TEXT },
  customer_domain: { label: "the customer's domain", kind: "text", ops: { is: "is", is_not: "is not" } },
  unread: { label: "unread", kind: "yes" },
  has_attachment: { label: "with a file", kind: "yes" },
  vip: { label: "from a VIP", kind: "yes" },
  sla_breached: { label: "overdue", kind: "yes" },
  failed_send: { label: "with a failed reply", kind: "yes" },
  unknown_send: { label: "with a reply of unknown fate", kind: "yes" },
  message_count: { label: "the number of messages", kind: "number", ops: { at_least: "is at least", at_most: "is at most" } },
  last_message_at: { label: "the last message came", kind: "time", ops: { ...MOVING, ...FIXED } },
  waiting_since: { label: "the customer waits", kind: "time", ops: { older_than: "for more than", newer_than: "for less than", is_set: "at all", ...FIXED } },
  created_at: { label: "it began", kind: "time", ops: FIXED },
  sla_due_at: { label: "it is due", kind: "time", ops: { within: "within", is_set: "at all", ...FIXED } },
  snoozed_until: { label: "it sleeps until", kind: "time", ops: { is_set: "any time", ...FIXED } },
};
/** Other fields can be written by the API; they are kept as they are. */
export const opsOf = (field) => FIELDS[field].ops ?? { is: "" };
export const isSpan = (op) => ["older_than", "newer_than", "within"].includes(op);
export const ICONS = ["list", "star", "bolt", "clock", "bell", "team", "tag", "shield", "mail", "reply", "filter", "eye"];
export const FIRST = { field: "status", op: "in", value: ["open"] };
