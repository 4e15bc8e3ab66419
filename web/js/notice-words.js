/**
 * Notices in words: what each kind says, its icon and its name in the preferences.
 */

export const KINDS = {
  assigned: { name: "Assigned to me", iconName: "people", says: (who) => `${who} assigned it to you` },
  mentioned: { name: "Mentioned in a note", iconName: "note", says: (who) => `${who} mentioned you in a note` },
  reply: { name: "A new message where I am assigned or follow", iconName: "reply", says: (who) => (who === "Mailroom" ? "A new message came" : `${who} replied`) },
  sla_warned: { name: "A service level is due soon", iconName: "clock", says: () => "It is due soon" },
  sla_breached: { name: "A service level was missed", iconName: "warning", says: () => "It is overdue" },
  send_unknown: { name: "Nobody knows whether my message was sent", iconName: "question", says: () => "It is not known whether your message was sent" },
  send_failed: { name: "My message could not be sent", iconName: "cross", says: () => "Your message could not be sent" },
  rule: { name: "A rule tells me", iconName: "bolt", says: () => "A rule tells you of it" },
};

export const MAIL = { off: "No mail", digest: "With the digest", at_once: "At once" };

/** What one notice says. */
export function sentence(notice) {
  return KINDS[notice.kind]?.says(notice.actor?.name ?? "Mailroom") ?? notice.kind;
}
