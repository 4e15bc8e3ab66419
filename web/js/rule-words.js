/**
 * Routing rules in words: what can be asked and done, conditions and actions as sentences, and why something was left.
 */

import { plain } from "/web/js/format.js";
import { PRIORITY, STATUS } from "/web/js/words.js";

const text = (label, more = {}) => ({ label, kind: "text", ...more });
const flag = (label, yes, no) => ({ label, kind: "flag", yes, no });

/** What can be asked about. `named` takes a name beside it. */
export const FIELDS = {
  subject: text("the subject"), body: text("the text"), sender: text("the sender's address"), sender_name: text("the sender's name"), sender_domain: text("the sender's domain"),
  recipient: text("a recipient"), header: text("the header", { named: "Name, such as X-Priority" }), language: text("the language"),
  has_attachment: flag("attachments", "there is an attachment", "there is no attachment"), attachment_name: text("a file's name"), attachment_type: text("a file's type"),
  contact_vip: flag("the customer is a VIP", "the customer is a VIP", "the customer is no VIP"), contact_custom: text("the contact's field", { named: "Field" }),
  inside_hours: flag("business hours", "it comes within business hours", "it comes outside business hours"),
  is_new: flag("it begins a conversation", "it begins a conversation", "it is no beginning"), is_reply: flag("it is an answer", "it is an answer", "it is no answer"),
  inbox: { label: "the inbox", kind: "inbox" }, channel: { label: "the channel", kind: "choice", choices: { email: "Email" } },
  tag: text("a tag"), category: text("the category"), priority: { label: "the priority", kind: "choice", choices: PRIORITY }, status: { label: "the status", kind: "choice", choices: STATUS },
};

export const OPERATORS = { contains: "contains", is: "is", starts_with: "begins with", ends_with: "ends with", in: "is one of", matches: "matches the pattern", exists: "is there" };
export const operatorsOf = (field) => (FIELDS[field].kind === "text" ? Object.keys(OPERATORS) : FIELDS[field].kind === "flag" ? ["is"] : ["is", "in"]);

export const ACTIONS = {
  tag: "Add tags", untag: "Take tags off", assign: "Assign to a person", team: "Hand to a team", priority: "Set the priority", category: "Set the category", status: "Set the status",
  spam: "Mark as spam", auto_response: "Answer automatically", draft: "Draft a reply", webhook: "Tell a webhook",
};
export const STATUSES = Object.fromEntries(["open", "pending", "closed", "archived"].map((one) => [one, STATUS[one]]));

const nameOf = (list, id) => plain(list?.find((one) => one.id === id)?.name ?? "somebody or something that is gone");
const quoted = (value) => (Array.isArray(value) ? value : [value]).map((one) => `“${plain(String(one ?? ""))}”`).join(" or ");

/** One question as a sentence. `names` is `{inboxes, users, teams, calendars, templates}`. */
export function leafWords(leaf, names = {}) {
  const field = FIELDS[leaf.field];
  if (!field) return plain(leaf.field ?? "");
  if (field.kind === "flag") {
    const said = (leaf.value ?? true) ? field.yes : field.no;
    return leaf.name ? `${said} of ${nameOf(names.calendars, leaf.name)}` : said;
  }
  const what = field.named ? `${field.label} ${plain(leaf.name ?? "")}` : field.label;
  if (leaf.op === "exists") return `${what} ${(leaf.value ?? true) ? "is there" : "is missing"}`;
  const values = Array.isArray(leaf.value) ? leaf.value : [leaf.value];
  const shown = field.kind === "inbox" ? values.map((id) => nameOf(names.inboxes, id)) : values.map((one) => field.choices?.[one] ?? one);
  return `${what} ${OPERATORS[leaf.op ?? "is"]} ${quoted(shown)}`;
}

export function conditionWords(condition, names = {}, outer = true) {
  if (condition.not) {
    const inner = condition.not.any ?? [condition.not];
    return `none of this: ${inner.map((part) => conditionWords(part, names, false)).join("; ")}`;
  }
  const kind = condition.all ? "all" : condition.any ? "any" : null;
  if (kind === null) return leafWords(condition, names);
  const parts = condition[kind];
  if (parts.length === 0) return "every mail";
  const joined = parts.map((part) => conditionWords(part, names, false)).join(kind === "all" ? " and " : " or ");
  return outer || parts.length === 1 ? joined : `(${joined})`;
}

export function actionWords(action, names = {}) {
  switch (action.type) {
    case "tag": return `tag ${quoted(action.names).replaceAll(" or ", ", ")}`;
    case "untag": return `take off ${quoted(action.names).replaceAll(" or ", ", ")}`;
    case "assign": return action.team ? `hand to team ${nameOf(names.teams, action.team)}` : `assign to ${nameOf(names.users, action.user)}${action.override ? ", also from others" : ""}`;
    case "priority": return `priority ${PRIORITY[action.value] ?? action.value}`;
    case "category": return `category “${plain(action.value)}”`;
    case "status": return `status ${STATUS[action.value] ?? action.value}`;
    case "spam": return "mark as spam";
    case "auto_response": return `answer automatically with ${nameOf(names.templates, action.template)}`;
    case "draft": return `draft a reply with ${nameOf(names.templates, action.template)}`;
    case "webhook": return `tell ${nameOf(names.webhooks, action.endpoint)}`;
    default: return plain(action.type);
  }
}

const WHY = {
  "stands already": "it stood so already", "assigned by hand": "an agent holds it by hand", "at capacity": "the agent is at capacity", "cannot work here": "they cannot work in this inbox",
  "no such team": "the team is gone", "no such template": "the template is gone", "decided before": "an automatic answer was decided on before", "asked before": "another rule asked for one before",
  "nobody to draft for": "nobody has the conversation yet", "they are writing already": "they are writing a reply already",
  "no such webhook": "the webhook is gone", "webhook is off": "the webhook is switched off", "told before": "it was told before",
};
export const outcomeWords = ({ type, done, why }) => `${ACTIONS[type] ?? plain(type)}: ${done ? "done" : WHY[why] ?? plain(why ?? "not done")}`;

const WHY_NOT = {
  historical: "It came with the mailbox's history, which starts no rule.", "no-rules": "No rule was switched on when it came.", "own-loop-header": "It is an echo of our own mail.",
  "too-many-hops": "It has travelled through too many servers, as loops do.", "own-address": "It comes from one of our own addresses.", "incoming-flood": "Too much came from there at once; floods start no rule.",
};
export const whyNotWords = (word) => WHY_NOT[word] ?? "No rule looked at it.";
