/**
 * The pages beside the desk, in one list: address, element, title, and where the navigation names them. A page's modules are
 * loaded when it is first opened. To add a page: its element, and its line here.
 */

import { store } from "/web/js/store.js";

/** Headings of the settings' navigation, in their order. "Desk" stands in the side bar itself; a page without a group is reached from another page. */
export const GROUPS = ["Channels", "People", "Automation", "Content", "Mail", "Trust"];

const manage = () => store.mayManage;

/** `path` may hold `:id`, which the element gets as `itemId`. `when()` says who is offered it; the server decides who may. */
export const PAGES = [
  { name: "settings", path: "/settings", tag: "settings-page", title: "Settings" },
  { name: "spam", path: "/spam", tag: "spam-page", title: "Spam", group: "Desk", iconName: "spam", count: "spam" },
  { name: "queue", path: "/queue", tag: "queue-page", title: "Queue", group: "Desk", iconName: "in" },
  { name: "contacts", path: "/contacts", tag: "contacts-page", title: "Contacts", group: "Desk", iconName: "people" },
  { name: "contact", path: "/contacts/:id", tag: "contact-page", title: "Contact", under: "contacts" },
  { name: "analytics", path: "/analytics", tag: "analytics-page", title: "Analytics", group: "Desk", iconName: "chart" },
  { name: "view-new", path: "/views/new", tag: "view-page", title: "New view" },
  { name: "view", path: "/views/:id", tag: "view-page", title: "View" },
  { name: "inboxes", path: "/inboxes", tag: "inbox-list", title: "Inboxes", group: "Channels", iconName: "inbox", text: "Mailboxes, their health and history" },
  { name: "inbox-new", path: "/inboxes/new", tag: "inbox-form", title: "Add an inbox", under: "inboxes" },
  { name: "inbox-edit", path: "/inboxes/:id/edit", tag: "inbox-form", title: "Edit inbox", under: "inboxes" },
  { name: "inbox", path: "/inboxes/:id", tag: "inbox-page", title: "Inbox", under: "inboxes" },
  { name: "domains", path: "/domains", tag: "domains-page", title: "Domains", group: "Channels", iconName: "link", text: "Records, catch-alls and checks" },
  { name: "people", path: "/users", tag: "people-page", title: "People", group: "People", iconName: "people", when: manage, text: "Who may sign in, and as what" },
  { name: "api-keys", path: "/api-keys", tag: "api-keys-page", title: "API keys", group: "Trust", iconName: "key", when: manage, text: "What programs may do here" },
  { name: "teams", path: "/teams", tag: "teams-page", title: "Teams", group: "People", iconName: "team", text: "Who works together, and how their queue is given out" },
  { name: "assignment", path: "/assignment", tag: "assignment-page", title: "Assignment", group: "People", iconName: "in", when: manage, text: "Who is let into each inbox, and who gets its work" },
  { name: "audit", path: "/audit", tag: "audit-page", title: "Audit", group: "Trust", iconName: "eye", when: manage, text: "Who changed what in the settings" },
  { name: "tags", path: "/tags", tag: "tags-page", title: "Tags", group: "Content", iconName: "tag", text: "Their names and colours" },
  { name: "rules", path: "/rules", tag: "rules-page", title: "Routing rules", group: "Automation", iconName: "bolt", when: manage, text: "What happens to mail by itself, with trials on stored mail" },
  { name: "rule-new", path: "/rules/new", tag: "rule-page", title: "New rule", under: "rules" },
  { name: "rule", path: "/rules/:id", tag: "rule-page", title: "Rule", under: "rules" },
  { name: "sla", path: "/sla", tag: "sla-page", title: "Service levels", group: "Automation", iconName: "clock", text: "How fast customers are answered, with a preview of each change" },
  { name: "hours", path: "/hours", tag: "hours-page", title: "Business hours", group: "Automation", iconName: "calendar", text: "Working time, holidays and half days" },
  { name: "webhooks", path: "/webhooks", tag: "webhooks-page", title: "Webhooks", group: "Automation", iconName: "outside", when: manage, text: "Other programs that are told what happens" },
  { name: "templates", path: "/templates", tag: "templates-page", title: "Templates", group: "Content", iconName: "book", text: "Canned replies with shortcuts and placeholders" },
  { name: "signatures", path: "/signatures", tag: "signatures-page", title: "Signatures", group: "Content", iconName: "pen", text: "Your own, and those of inboxes" },
  { name: "preferences", path: "/preferences", tag: "preferences-page", title: "My account", group: "People", iconName: "bell", text: "Your name and password, and what you are told, by bell and by mail" },
  { name: "retention", path: "/retention", tag: "retention-page", title: "Retention", group: "Trust", iconName: "history", when: manage, text: "What is forgotten, and after how many days" },
  { name: "erasures", path: "/erasures", tag: "erasures-page", title: "Erasures", group: "Trust", iconName: "trash", when: manage, text: "Receipts of people who were erased" },
  { name: "quarantine", path: "/quarantine", tag: "quarantine-page", title: "Quarantine", group: "Mail", iconName: "shield", count: "quarantined", alarm: true, text: "Mail that could not be read safely" },
  { name: "balance", path: "/balance", tag: "balance-page", title: "Mailbox balance", group: "Mail", iconName: "list", when: manage, text: "What lies at the provider against what was taken in" },
  { name: "suppressed", path: "/suppressed", tag: "suppressed-page", title: "Suppressed", group: "Mail", iconName: "bounce", when: manage, text: "Addresses that get no mail from us" },
  { name: "reingest", path: "/reingest", tag: "reingest-page", title: "Re-ingest", group: "Mail", iconName: "refresh", when: manage, text: "Reading stored mail again" },
  { name: "reingest-run", path: "/reingest/:id", tag: "reingest-page", title: "Re-ingest", under: "reingest" },
];

export const pageOf = (name) => PAGES.find((page) => page.name === name);

/** The pages of one group that this person is offered. */
export const pagesIn = (group) => PAGES.filter((page) => page.group === group && (page.when?.() ?? true));

/** The name of the page that the navigation marks when `name` is shown. */
export const markedBy = (name) => pageOf(name)?.under ?? name;

/** True for pages whose navigation is that of the settings. */
export const inSettings = (name) => name === "settings" || GROUPS.includes(pageOf(markedBy(name))?.group);
