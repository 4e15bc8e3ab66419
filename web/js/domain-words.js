/**
 * How a domain stands, in words and marks: which records are right, and what needs somebody.
 */

import { h, icon } from "/web/js/dom.js";
import { plural } from "/web/js/format.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const FLAGS = [["mx", "MX"], ["spf", "SPF"], ["dkim", "DKIM"], ["dmarc", "DMARC"], ["ses", "Amazon SES"]];

function flag(word, domain, key) {
  const right = domain[`${key}_verified`];
  return h("span", { class: right ? "flag good" : "flag" }, icon(right ? "check" : "cross", right ? "right" : "not right"), word);
}

export const domainFlags = (domain) =>
  h("p", { class: "domain-flags" }, FLAGS.map(([key, word]) => flag(word, domain, key)), h("span", { class: "faint" }, domain.checked_at ? ["checked ", timeAgo(domain.checked_at, { long: true })] : "not checked yet"));

export const domainNotices = (domain) => [
  domain.missing_since ? h("p", { class: "notice warn" }, icon("warning"), h("span", {}, "The proof of ownership is gone from your DNS since ", timeAgo(domain.missing_since, { long: true }), ". After three days the domain is let go.")) : null,
  domain.unclaimed_mails ? h("p", { class: "notice warn" }, icon("warning"), h("span", {}, `${plural(domain.unclaimed_mails, "mail")} came for addresses that no inbox has, the last one `, timeAgo(domain.unclaimed_at, { long: true }), ". They are kept for 90 days: make an inbox for the address, or let an inbox catch the rest.")) : null,
];
