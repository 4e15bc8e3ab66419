/**
 * A message's steps in a person's words. The server names them as its rooms do; here each gets its sentence, its tone and its
 * icon, and the steps of one attempt are put together. Promises that an unknown step is still shown, under its own name.
 */

import { exact } from "/web/js/format.js";
import { errorWords } from "/web/js/webhook-words.js";
import { CLASSIFICATION, phrase, poisonWords, reasonText } from "/web/js/words.js";

const STEPS = {
  "received by the mail server": ["Received by the mail server", "info", "in"],
  stored: ["Fetched; the raw mail is kept", "good", "download"],
  seen: ["Seen in the mailbox; to be fetched", "info", "mail"],
  read: ["Read", "good", "file"],
  classified: ["Judged", "good", "list"],
  threaded: ["Put into a conversation", "good", "reply"],
  suggested: ["May belong elsewhere", "info", "question"],
  recognised: ["Recognised", "info", "link"],
  "automatic answer": ["Answered automatically", "good", "robot"],
  "no automatic answer": ["Not answered automatically", "info", "robot"],
  "message.received": ["Shown to the team", "good", "people"],
  "message.updated": ["Changed in the mailbox", "info", "mail"],
  "left the folder": ["Left its folder", "info", "out"],
  quarantined: ["Put into quarantine", "bad", "shield"],
  "quarantined again": ["Tried again, and put back into quarantine", "bad", "shield"],
  "quarantine resolved": ["Out of quarantine", "good", "shield"],
  queued: ["Queued", "info", "clock"],
  scheduled: ["Scheduled", "info", "calendar"],
  composed: ["Composed; these bytes are what is sent", "info", "pen"],
  attempt: ["Handing over to the mail server", "info", "send"],
  dot: ["The whole mail was sent; waiting for the server's word", "info", "send"],
  accepted: ["Handed to the server", "good", "check"],
  partial: ["Handed to the server for some recipients", "warn", "check"],
  deferred: ["Put off by the mail server", "warn", "clock"],
  not_sent: ["Not handed over; nothing was accepted", "warn", "clock"],
  rejected: ["Refused by the mail server", "bad", "cross"],
  unknown: ["Outcome unknown", "warn", "question"],
  gave_up: ["Given up", "bad", "cross"],
  proven_sent: ["Proven to be sent", "good", "check"],
  proven_unsent: ["Proven not to be sent", "warn", "clock"],
  copy_in_sent: ["Copy filed in Sent", "good", "file"],
  copy_put_off: ["The copy in Sent could not be filed; tried again later", "warn", "file"],
  copy_given_up: ["The copy in Sent could not be filed", "bad", "file"],
  answered: ["Counted as the answer to the customer", "info", "clock"],
  cancelled: ["Cancelled", "info", "cancel"],
  retried: ["Tried again", "info", "refresh"],
  resolved_sent: ["Settled: it was sent", "good", "check"],
  resolved_send_again: ["Settled: sent again", "warn", "refresh"],
  sent_again_by_policy: ["Sent again, as this inbox wants", "warn", "refresh"],
  bounced: ["Came back", "bad", "bounce"],
  complained: ["Marked as spam by a recipient", "bad", "spam"],
  reported: ["Report from the mail server", "info", "mail"],
  "report: bounced": ["Came back", "bad", "bounce"],
  "report: delivered": ["Delivered", "good", "double-check"],
  "report: deferred": ["Delayed on its way", "warn", "clock"],
  "report: complained": ["Marked as spam by a recipient", "bad", "spam"],
  "reports: bounced": ["Tells that a mail of ours came back", "bad", "bounce"],
  "reports: delivered": ["Tells that a mail of ours was delivered", "good", "double-check"],
  "reports: deferred": ["Tells that a mail of ours is delayed", "warn", "clock"],
  "reports: complained": ["Tells that a mail of ours was marked as spam", "bad", "spam"],
  "webhook delivered": ["Another program was told", "good", "link"],
  "webhook waiting": ["Another program will be told", "info", "link"],
  "webhook put off": ["Another program did not take it; told again later", "warn", "link"],
  "webhook held back": ["Not told: the webhook is switched off", "warn", "link"],
  "webhook given up": ["Another program never took it; given up", "bad", "link"],
  suppressed: ["Gets no automatic mail any more", "warn", "shield"],
};

const THREADED = {
  new: "Opened a new conversation",
  references: "Joined its conversation by the mails it refers to",
  awaited: "Joined the answers to it that had arrived before",
  reply_token: "Joined its conversation by the token in the address",
  ticket_number: "Joined its conversation by the number in the subject",
};

const RECOGNISED = {
  own_copy: "A copy of our own mail",
  duplicate: "The same mail once more; nothing was added",
  rematched: "The same mail under a new number, after the mailbox was rebuilt",
};

const SILENCE = {
  "not-enabled": "automatic answers are off", "no-template": "there is no text to answer with", historical: "it is older than this inbox",
  "older-than-the-rule": "it came before automatic answers were switched on", "too-late": "it was too late for it", "own-address": "it comes from one of our own addresses",
  "suppressed-address": "mail to this address came back, or was marked as spam", "answered-already": "somebody had answered already", "no-sender": "it names no sender",
  "incoming-flood": "this sender writes more than a person does", "not-addressed-to-us": "it was not addressed to us", "own-loop-header": "it answers an automatic mail of ours",
  "too-many-hops": "it went through too many servers", "null-return-path": "it has no return address, as machines write", "robot-address": "a machine's address",
};
const BUDGET = /^(?:budget|paused)-/;

const STAGES = { connect: "connecting", ehlo: "greeting", starttls: "encrypting", auth: "signing in", mail: "naming the sender", rcpt: "naming the recipients", data: "offering the mail", body: "sending the mail", dot: "after the whole mail" };

/** Of who did a step, only people are worth a word. */
const somebody = (actor) => (actor && actor !== "system" ? actor : "");

const silence = (rule) => (BUDGET.test(rule) ? "too many automatic mails in a short time" : SILENCE[rule] ?? reasonText(rule));

function told(item) {
  const { step, detail } = item;
  if (step === "threaded") return [THREADED[detail.replace(/^by /, "")] ?? phrase(detail), ""];
  if (step === "recognised") return [RECOGNISED[detail] ?? phrase(detail), ""];
  if (step === "no automatic answer") return ["", silence(detail)];
  if (step === "classified") {
    const [kind, ...why] = detail.split(": ");
    return [`Judged: ${(CLASSIFICATION[kind] ?? phrase(kind)).toLowerCase()}`, reasonText(why.join(": "))];
  }
  if (step === "copy_in_sent") return ["", detail === "filed" ? "" : phrase(detail)];
  if (step === "suggested") {
    const [other, ...why] = detail.split(": ");
    return [`May belong to ${other}`, phrase(why.join(": "))];
  }
  if (step === "read") return ["", item.attempt > 1 ? `at try ${item.attempt}` : ""];
  if (step === "message.updated") return ["", "Read, flagged, moved or deleted there"];
  if (step.startsWith("quarantined")) {
    const [reason, ...why] = detail.split(": ");
    return ["", [phrase(reason), poisonWords(why.join(": "))].filter(Boolean).join(". ")];
  }
  if (step.startsWith("webhook ")) {
    const [name, why] = detail.split(/(?<=”): /);
    return ["", [name, why ? errorWords(why, item.code) : ""].filter(Boolean).join(": ")];
  }
  if (step === "quarantine resolved") return ["", phrase(detail)];
  const [, stage, rest] = /^(\w+)(?:: (.*))?$/s.exec(detail) ?? [];
  if (stage && STAGES[stage]) return ["", [rest, step === "accepted" ? "" : `(${STAGES[stage]})`].filter(Boolean).join(" ")];
  return ["", detail];
}

function until(item) {
  if (!item.next_at) return "";
  if (item.step === "queued" || item.step === "scheduled") return `Leaves at ${exact(item.next_at)}, unless it is taken back.`;
  return item.step === "suppressed" ? `Until ${exact(item.next_at)}.` : `Tried again at ${exact(item.next_at)}.`;
}

/** Steps as `{word, tone, icon, detail, actor}` beside the server's own fields. What another step tells better is left out. */
export function tellSteps(items) {
  const outbound = items.some((item) => item.kind === "send");
  return items.filter((item) => !(outbound && item.step === "message.updated")).map((item) => {
    const late = item.step.startsWith("late_");
    const [known, tone, iconName] = STEPS[late ? item.step.slice(5) : item.step] ?? [phrase(item.step), "info", "history"];
    const [instead, detail] = told({ ...item, detail: item.detail ?? "" });
    return {
      ...item, tone, icon: iconName, word: `${instead || known}${late ? " (told late)" : ""}`,
      detail: [detail && until(item) && !/[.!?]$/.test(detail) ? `${detail}.` : detail, until(item)].filter(Boolean).join(" "), actor: somebody(item.actor),
    };
  });
}

const PLAIN = new Set(["attempt", "dot", "answered"]);

/**
 * Told steps in groups, one for each attempt to send: `{attempt, word, tone, steps}`; a step outside of attempts is a group of
 * its own with `attempt` 0. A group is named by how the attempt ended.
 */
export function groupAttempts(steps) {
  const groups = [];
  for (const step of steps) {
    const attempt = step.kind === "send" ? step.attempt ?? 0 : 0;
    const last = groups.at(-1);
    if (attempt > 0 && last?.attempt === attempt) last.steps.push(step);
    else groups.push({ attempt, steps: [step] });
  }
  return groups.map((group) => {
    const end = group.steps.findLast((step) => !PLAIN.has(step.step)) ?? group.steps.at(-1);
    return { ...group, word: end.word, tone: end.tone, icon: end.icon };
  });
}
