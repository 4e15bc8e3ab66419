/**
 * A message's steps in a person's words. The server names them as its rooms do; here each gets its sentence and its tone.
 * Promises that an unknown step is still shown, under its own name.
 */

import { CLASSIFICATION, phrase, reasonText } from "/web/js/words.js";

const STEPS = {
  "received by the mail server": ["Received by the mail server", "info"],
  stored: ["Fetched; the raw mail is kept", "good"],
  read: ["Read and judged", "good"],
  threaded: ["Put into a conversation", "good"],
  "message.received": ["Shown to the team", "good"],
  "message.updated": ["Changed in the mailbox", "info"],
  "left the folder": ["Left its folder", "info"],
  quarantined: ["Put into quarantine", "bad"],
  "quarantine resolved": ["Out of quarantine", "good"],
  queued: ["Queued", "info"],
  scheduled: ["Scheduled", "info"],
  composed: ["Composed; these bytes are what is sent", "info"],
  attempt: ["Handing over to the mail server", "info"],
  accepted: ["Handed to the server", "good"],
  partial: ["Handed to the server for some recipients", "warn"],
  deferred: ["Put off by the mail server", "warn"],
  rejected: ["Refused by the mail server", "bad"],
  unknown: ["Outcome unknown", "warn"],
  gave_up: ["Given up", "bad"],
  proven_sent: ["Proven to be sent", "good"],
  copy_in_sent: ["Copy filed in Sent", "good"],
  answered: ["Automatic answer written", "info"],
  cancelled: ["Cancelled", "info"],
  retried: ["Tried again", "info"],
  resolved_sent: ["Settled: it was sent", "good"],
  resolved_send_again: ["Settled: sent again", "warn"],
  sent_again_by_policy: ["Sent again, as this inbox wants", "warn"],
  bounced: ["Came back", "bad"],
  complained: ["Marked as spam by a recipient", "bad"],
  reported: ["Report from the mail server", "info"],
};

const THREADED = {
  new: "Opened a new conversation",
  references: "Joined its conversation by the mails it refers to",
  awaited: "Joined the answers to it that had arrived before",
  reply_token: "Joined its conversation by the token in the address",
  ticket_number: "Joined its conversation by the number in the subject",
};

const STAGES = { connect: "connecting", ehlo: "greeting", starttls: "encrypting", auth: "signing in", mail: "naming the sender", rcpt: "naming the recipients", data: "offering the mail", body: "sending the mail", dot: "after the whole mail" };

/** Of who did a step, only people are worth a word. */
const somebody = (actor) => (actor && actor !== "system" ? actor : "");

const SENT_BY_PEOPLE = new Set(["cancelled", "retried", "resolved_sent", "resolved_send_again"]);

function told(item) {
  const { step, detail } = item;
  if (step === "threaded") return [THREADED[detail.replace(/^by /, "")] ?? phrase(detail), ""];
  if (step === "read") {
    const [kind, ...why] = detail.split(": ");
    return ["", [CLASSIFICATION[kind] ?? phrase(kind), reasonText(why.join(": "))].filter(Boolean).join(" · ")];
  }
  if (step === "message.updated") return ["", "Read, flagged, moved or deleted there"];
  if (step === "quarantined" || step === "quarantine resolved") return ["", phrase(detail)];
  const [, stage, rest] = /^(?:(?:\d{3} )?)(\w+)(?:: (.*))?$/s.exec(detail) ?? [];
  if (stage && STAGES[stage]) return ["", [rest, step === "accepted" ? "" : `(${STAGES[stage]})`].filter(Boolean).join(" ")];
  return ["", detail];
}

/** Steps as `{word, tone, detail, actor}` beside the server's own fields. What another step tells better is left out. */
export function tellSteps(items) {
  const outbound = items.some((item) => ["queued", "scheduled", "composed", "answered"].includes(item.step));
  return items.filter((item) => !(outbound && item.step === "message.updated")).map((item) => {
    const late = item.step.startsWith("late_");
    const [known, tone] = STEPS[late ? item.step.slice(5) : item.step] ?? [phrase(item.step), "info"];
    const [instead, detail] = told({ ...item, detail: item.detail ?? "" });
    const byPerson = SENT_BY_PEOPLE.has(item.step);
    return {
      ...item, tone, word: `${instead || known}${late ? " (told late)" : ""}`,
      detail: byPerson ? "" : detail, actor: somebody(byPerson ? item.detail : item.actor),
    };
  });
}
