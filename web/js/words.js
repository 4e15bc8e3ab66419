/**
 * The words, colours and icons for states, in one place, so that a state is named alike everywhere.
 * Promises S-9: an accepted hand-over is never called delivered.
 */

export const STATUS = { open: "Open", pending: "Pending", snoozed: "Snoozed", closed: "Closed", archived: "Archived", spam: "Spam", trash: "Trash" };
export const STATUS_CHOICES = ["open", "pending", "closed", "archived", "spam", "trash"];
export const CHANNEL = { email: "email", sms: "SMS", whatsapp: "WhatsApp", slack: "Slack", discord: "Discord", telegram: "Telegram", teams: "Microsoft Teams", voice: "voice" };
export const PRIORITY = { urgent: "Urgent", high: "High", normal: "Normal", low: "Low" };

export const HEALTH = {
  connecting: { word: "Connecting", tone: "info", icon: "clock", text: "The mailbox is being checked and its first cursor set." },
  ok: { word: "Healthy", tone: "good", icon: "check", text: "Mail is arriving." },
  degraded: { word: "Degraded", tone: "warn", icon: "warning", text: "The last attempts failed; Mailroom keeps trying." },
  auth_failed: { word: "Sign-in refused", tone: "bad", icon: "cross", text: "The mail server refuses the password. Edit the inbox and give a working one." },
  paused: { word: "Paused", tone: "mute", icon: "pause", text: "No mail is fetched until you resume." },
};
const WITHDRAWN = { ...HEALTH.auth_failed, text: "The permission for this mailbox is refused. Reconnect it; what came meanwhile is then fetched." };
export const health = (inbox) => {
  const state = inbox.paused ? "paused" : inbox.health;
  if (state === "auth_failed" && ["gmail", "graph"].includes(inbox.provider)) return WITHDRAWN;
  return HEALTH[state] ?? { word: inbox.health, tone: "mute", icon: "warning", text: "" };
};

const PARTS = {
  postgresql: { name: "the database", text: "The database does not answer. Nothing is lost: mail waits on its server, drafts stay in this browser, and it goes on by itself." },
  temporal: { name: "Temporal", text: "Temporal does not answer. You can read and answer; answers wait and leave when it is back. Nothing is lost." },
  s3: { name: "the file store", text: "The file store does not answer. You can read and answer; files, sending and new mail wait until it is back. Nothing is lost." },
};
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** One sentence about the parts of the server that are away. */
export function partsWord(away) {
  if (away.length === 1 && PARTS[away[0]]) return PARTS[away[0]].text;
  const names = new Intl.ListFormat("en").format(away.map((part) => PARTS[part]?.name ?? part));
  return `${capital(names)} ${away.length > 1 ? "do" : "does"} not answer. Nothing is lost; everything goes on by itself when it is back.`;
}

/** One sentence about inboxes whose mail server cannot be reached. */
export function serversWord(inboxes) {
  const names = new Intl.ListFormat("en").format(inboxes.map((one) => `“${one.name}”`));
  return `The mail server of ${names} cannot be reached. Mail waits there and comes in when it answers. Nothing is lost.`;
}

/** For those who can mend it. */
export function refusedWord(inboxes) {
  const names = new Intl.ListFormat("en").format(inboxes.map((one) => `“${one.name}”`));
  return `The sign-in of ${names} is refused, so no mail comes in. Connect it again; what came meanwhile is then fetched.`;
}

const SEND = {
  draft: { word: "Draft", tone: "mute", icon: "pen" },
  scheduled: { word: "Scheduled", tone: "info", icon: "clock" },
  queued: { word: "Queued", tone: "info", icon: "clock" },
  sending: { word: "Sending", tone: "info", icon: "send" },
  sent: { word: "Handed to the server", tone: "good", icon: "check" },
  delivered: { word: "Delivered", tone: "good", icon: "double-check" },
  bounced: { word: "Bounced", tone: "bad", icon: "bounce" },
  unknown: { word: "Unknown", tone: "warn", icon: "question" },
  failed: { word: "Failed", tone: "bad", icon: "cross" },
  cancelled: { word: "Cancelled", tone: "mute", icon: "cancel" },
};

/** The state of an outbound message as people read it; a delivery report refines `sent`. */
export function sendState(message) {
  const status = message.send?.status;
  if (!status) return null;
  const reports = message.send.recipients ?? [];
  let name = status;
  if (message.bounce_received_at || reports.some((one) => one.status === "bounced")) name = "bounced";
  else if (status === "sent" && reports.length > 0 && reports.every((one) => one.status === "delivered")) name = "delivered";
  return { name, ...(SEND[name] ?? { word: status, tone: "mute", icon: "question" }) };
}

const REPORTS = { pending: "Waiting", deferred: "Deferred", complained: "Marked as spam", opened: "Opened", clicked: "Clicked" };
export const recipientWord = (status) => SEND[status]?.word ?? REPORTS[status] ?? status ?? "";

export const CLASSIFICATION = { message: "Message", bounce: "Bounce", complaint: "Complaint", auto_reply: "Auto-reply", spam: "Spam" };

export const AUTO = {
  auto_reply: "Automatic reply", auto_replied: "Automatic reply", out_of_office: "Out of office", bulk: "Bulk mail",
  list: "Mailing list", auto_generated: "Generated by a machine", auto_response: "Automatic response",
};
/** `reason` is a rule such as `auto-submitted: auto-generated` or `precedence: bulk`; its last word says what it is. */
export const autoWord = (reason) => AUTO[String(reason).split(": ").at(-1).replaceAll("-", "_")] ?? "Automatic reply";
export const KIND = { auto_response: "Automatic response", notification: "Notification" };

const REASONS = {
  "junk-folder": "Lies in the Junk folder of the mailbox", "spam-label": "Labelled as spam by the mail provider", ordinary: "",
  "x-spam-flag": "Marked by the mail server (X-Spam-Flag)", "x-spam-status": "Marked by the mail server (X-Spam-Status)",
  "multipart/report": "A report of a mail server", "null-return-path": "Has no return address, as machines write", "absence-subject": "The subject tells of an absence",
};

/** A reason as it stands when it is a sentence, readable when it is one of the machine's own words (`own_copy`). */
export const reasonText = (reason) => REASONS[reason] ?? (String(reason).includes(" ") ? String(reason) : phrase(reason));

const BUDGETS = {
  correspondent: (who) => `Automatic answers to ${who} are paused: it looks like a loop with another machine.`,
  everywhere: (who) => `Automatic answers to ${who} are paused in all inboxes: it looks like a loop with another machine.`,
  inbox: () => "Automatic answers of this inbox are paused: more were due in a short time than people ask for.",
  tenant: () => "Automatic answers of all inboxes are paused: more were due in a short time than people ask for.",
  "incoming-sender": (who) => `${who} sends more mail than a person writes. It is stored; nothing is answered or announced.`,
  "incoming-inbox": () => "More mail comes in than people write. It is stored; nothing is answered or announced.",
};
/** What is silent because a budget is used up. `who` must be fit to show. */
export const pauseWords = (budget, who) => (BUDGETS[budget] ?? (() => phrase(budget)))(who || "this sender");

const LIMITS = {
  depth: "Its parts are nested within each other more deeply than any mail program writes.", parts: "It has more parts than any mail program writes.",
  headers_bytes: "One of its parts has far too many headers.", header_bytes: "One of its headers is far too long.", addresses: "It names far too many addresses.",
};
/** Why a mail is in quarantine; a limit of the reader gets its sentence. */
export const poisonWords = (detail) => LIMITS[/^over the limit: (\w+)$/.exec(detail)?.[1]] ?? detail;

/** The mailbox's flags that tell a reader something. What the client shows by itself (read, answered) is left out. */
export const flagWords = (flags) => [...new Set((flags ?? []).flatMap((flag) => {
  if (flag.startsWith("\\")) return flag.toLowerCase() === "\\flagged" ? ["Flagged"] : [];
  return /^(\$?(not)?junk|\$?forwarded|\$mdnsent|nonjunk)$/i.test(flag) ? [] : [phrase(flag.replace(/^\$/, ""))];
}))];

/** A machine's word such as `not_found` as a phrase. */
export const phrase = (text) => {
  const words = String(text ?? "").replaceAll(/[_.-]+/g, " ").trim();
  const named = words.replace(/\b(imap|smtp|tls|uid|oauth|mime)\b/gi, (name) => name.toUpperCase());
  return named ? named[0].toUpperCase() + named.slice(1) : "";
};

export const VIEWS = {
  open: { word: "Open", iconName: "mail", query: { status: "open" }, empty: "Nothing is open. New mail appears here by itself." },
  pending: { word: "Pending", iconName: "clock", query: { status: "pending" }, empty: "Nothing is waiting for an answer from outside." },
  snoozed: { word: "Snoozed", iconName: "snooze", query: { status: "snoozed" }, empty: "Nothing sleeps. Snooze a conversation, and it comes back by itself." },
  closed: { word: "Closed", iconName: "check", query: { status: "closed" }, empty: "No closed conversations yet." },
  archived: { word: "Archived", iconName: "file", query: { status: "archived" }, empty: "Nothing was archived." },
  trash: { word: "Spam and trash", iconName: "trash", query: { status: ["spam", "trash"] }, empty: "Nothing was thrown away or marked as spam." },
  mine: { word: "Mine", iconName: "reply", query: { assigned_to: "me", status: ["open", "pending"] }, empty: "Nothing is assigned to you." },
  unassigned: { word: "Unassigned", iconName: "in", query: { assigned_to: "none", status: ["open", "pending"] }, empty: "Everything has an owner." },
};
