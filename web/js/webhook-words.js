/**
 * Webhooks in words: what can be told, how an endpoint is doing, why a delivery was not taken.
 */

/** Types of the event log, as a form offers them. */
export const EVENTS = {
  "conversation.created": "A conversation begins", "conversation.updated": "A conversation changes", "conversation.merged": "Conversations are merged", "conversation.unmerged": "A merge is taken back", "conversation.deleted": "A conversation is removed",
  "message.received": "A mail comes in", "message.sent": "A mail is handed to the server", "message.failed": "A mail is refused", "message.unknown": "It is unknown whether a mail went out", "message.bounced": "A mail bounces",
  "note.added": "A note is written", "sla.warned": "A deadline comes near", "sla.breached": "A deadline is missed", "inbox.health": "An inbox is well or ill",
};
export const typeWords = (type) => ({ "rule.matched": "A rule matched", "webhook.test": "Test" })[type] ?? EVENTS[type] ?? type;

/** Word and tone of an endpoint's badge. */
export const STATUS = { active: ["On", "good"], warning: ["Failing", "warn"], disabled: ["Off", "bad"] };
export const DELIVERY = { pending: ["Waits", "info"], delivered: ["Taken", "good"], failed: ["Given up", "bad"] };

export const REASONS = {
  person: "It is switched off, and is told nothing.",
  gone: "It answered that it is gone for good (410), so it was switched off.",
  failing: "It has taken nothing for five days, so it was switched off.",
  blocked: "Its host may not be reached from here, so it was switched off. An operator can allow networks.",
};

export const ERRORS = {
  refused: "it refused", server_error: "it failed", redirect: "it leads elsewhere, which is not followed", gone: "it is gone for good", timeout: "it did not answer in time", unreachable: "nothing answers there",
  tls: "its certificate cannot be trusted", not_http: "it does not speak HTTP", blocked: "its host may not be reached", secret_unreadable: "its secret cannot be opened; give it a new one",
};
export const errorWords = (error, status) => [status ? `answered ${status}` : null, ERRORS[error] ?? error].filter(Boolean).join(": ");
