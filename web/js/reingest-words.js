/**
 * A re-ingest in a person's words: its states, what differs at a mail, and why something was not taken over.
 */

import { count, plural } from "/web/js/format.js";
import { CLASSIFICATION, phrase, reasonText } from "/web/js/words.js";

export const RUN = { planning: ["Comparing", "info"], planned: ["Compared", "warn"], applying: ["Taking over", "info"], applied: ["Done", "good"], cancelled: ["Cancelled", ""] };
export const CHANGE = { planned: ["Planned", "info"], applied: ["Taken over", "good"], stale: ["Left alone", "warn"], refused: ["Refused", "bad"], unread: ["Not read", "bad"] };
export const KINDS = {
  body: "Text", parts: "Files", headers: "Headers", identity: "Identity", classification: "Class", thread: "Conversation", defects: "Defects", quarantine: "Quarantine",
};
export const HEADERS = {
  subject: "Subject", from_address: "From", from_name: "Sender's name", reply_to: "Reply to", recipients: "Recipients", sent_at: "Date", in_reply_to: "In reply to",
  references: "References", authentication: "Authentication",
};
export const BODIES = { body_visible: "Text that people see", body_text: "Whole text", body_html: "HTML" };

const REASONS = {
  changed_since: "The message has changed since it was compared.", reads_otherwise: "It reads otherwise by now.", thread_changed: "Its conversation has changed since.",
  gone: "It is no longer there.", identity_taken: "The same mail is here already.", schema: "The database refuses it.", blob_missing: "Its bytes are not in the bucket.",
  handed_to_ingest: "Tried again by the next sync.",
};
const KEPT = {
  answered: "It stays where it is: somebody has answered there.", decided_by_person: "It stays as it is: a person has called it no spam.",
  merged: "It stays where it is: other conversations were joined to that one.", would_join: "It stays where it is: it would join two conversations. That is suggested instead.",
};
const BY = {
  references: "by the mails that it refers to", awaited: "by the answers to it", reply_token: "by the token in the address", ticket_number: "by the number in the subject", new: "", outside: "",
};

export const reason = (word) => REASONS[word] ?? phrase(word);
export const kept = (word) => (word ? KEPT[word] ?? phrase(word) : "");

/** The kind of mail with the rule that says so. */
export function judged(kind, rule) {
  const why = rule ? reasonText(rule) : "";
  return [CLASSIFICATION[kind] ?? phrase(kind ?? "none"), why].filter(Boolean).join(" · ");
}

export function moved({ old, new: there, by }) {
  if (by === "outside") return "It leaves its conversation.";
  if (!old) return there ? `It comes into a conversation, ${BY[by] || phrase(by)}.` : "It begins a conversation.";
  return there ? `It moves to another conversation, ${BY[by] || phrase(by)}.` : "It gets a conversation of its own.";
}

const CONDITIONS = { older_parser: "read by an older parser", has_defects: "with defects", everything: "all mail" };

/** What a run was asked to look at, as one line. `name` finds an inbox's name by its id. */
export function selected(selection, name) {
  const words = Object.entries(CONDITIONS).filter(([key]) => selection[key]).map(([, word]) => word);
  if (selection.inbox.length) words.unshift(selection.inbox.map((id) => name(id) ?? "an inbox").join(", "));
  if (selection.folder.length) words.push(plural(selection.folder.length, "folder"));
  if (selection.since) words.push(`since ${new Date(selection.since).toLocaleDateString()}`);
  if (selection.until) words.push(`before ${new Date(selection.until).toLocaleDateString()}`);
  if (selection.classification.length) words.push(selection.classification.map((one) => CLASSIFICATION[one] ?? one).join(", "));
  if (selection.quarantine_reason.length) words.push(`quarantine: ${selection.quarantine_reason.map(phrase).join(", ")}`);
  if (selection.message.length) words.push(plural(selection.message.length, "chosen message"));
  const line = words.join(" · ");
  return line && line[0].toUpperCase() + line.slice(1);
}

/** How far a run is: `{value, max, words}`. */
export function progress(run) {
  const failed = run.failed ? `, ${count(run.failed)} failed` : "";
  if (run.state === "applying" || run.state === "applied") {
    const max = run.to_apply;
    return { value: run.state === "applied" ? max : run.applied, max, words: `${count(run.applied)} of ${count(max)} taken over${failed}` };
  }
  const percent = run.total ? Math.floor((100 * run.done) / run.total) : 100;
  return { value: run.done, max: run.total, words: `${count(run.done)} of ${count(run.total)} compared (${percent} %), ${count(run.changed)} differ${failed}` };
}
