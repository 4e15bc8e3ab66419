/**
 * The parts of an inbox's page that only show: health and numbers, folders, the automatic response. Leaves the levers to inbox-page.
 */

import { h, icon } from "/web/js/dom.js";
import { count, duration, exact, plain, plural } from "/web/js/format.js";
import { health, pauseWords, phrase } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const LEDGER_WORDS = { seen: "to be fetched", stored: "to be read", ingested: "taken in", skipped: "skipped", quarantined: "in quarantine", vanished: "gone before fetched" };

/** Health, what stands in the way, numbers. */
export function inboxSummary(inbox) {
  const { text } = health(inbox);
  const temporal = inbox.links?.temporal;
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return [
    h("p", { class: "lead" }, text),
    inbox.last_error ? h("div", { class: `notice ${inbox.health === "ok" ? "" : "bad"}` }, icon("warning"), h("p", {}, plain(inbox.last_error), " ", h("span", { class: "faint" }, timeAgo(inbox.last_error_at, { long: true })))) : null,
    (inbox.pauses ?? []).map(pauseNotice),
    h("dl", { class: "facts" },
      fact("Last sync", timeAgo(inbox.last_sync_at, { long: true })),
      fact("Behind", inbox.lag_seconds === null || inbox.lag_seconds === undefined ? "unknown" : duration(inbox.lag_seconds)),
      fact("Connected since", inbox.connected_at ? h("span", { title: exact(inbox.connected_at) }, timeAgo(inbox.connected_at, { long: true })) : "not yet"),
      fact("Undo window", duration(inbox.undo_send_seconds ?? 0))),
    h("dl", { class: "facts numbers" }, Object.entries(LEDGER_WORDS).map(([key, word]) => h("div", { class: key === "quarantined" && inbox.ledger?.[key] ? "alarm" : null }, h("dd", {}, count(inbox.ledger?.[key])), h("dt", {}, word)))),
    temporal ? h("p", {}, h("a", { href: temporal, target: "_blank", rel: "noopener noreferrer" }, "Workflow in Temporal ", icon("outside"))) : null,
  ];
}

/** A budget that was used up: told as long as it pauses something, with how much was held back. */
function pauseNotice({ budget, correspondent, opened_at, until, held_back }) {
  const incoming = budget.startsWith("incoming-");
  return h("div", { class: "notice warn", role: "alert" }, icon("shield"), h("p", {}, pauseWords(budget, plain(correspondent)), " ",
    h("span", { class: "faint" }, `${plural(held_back, "mail")} ${incoming ? "kept quiet" : "not answered"} since ${exact(opened_at)}. ${incoming ? "Quiet" : "Paused"} until ${exact(until)}.`)));
}

export function inboxFolders(inbox) {
  const folders = inbox.folders ?? [];
  return [h("div", { class: "panel-head" }, h("h2", {}, "Folders")),
    folders.length
      ? h("ul", { class: "folders" }, folders.map((folder) => h("li", {}, icon(folder.synced ? "check" : "cancel", folder.synced ? "Synced" : "Not synced"), h("strong", {}, plain(folder.name)),
        folder.role && folder.role !== folder.name?.toLowerCase() ? h("span", { class: "badge" }, phrase(folder.role)) : null, h("span", { class: "faint" }, folder.synced ? `${plural(folder.messages ?? 0, "mail")}${folder.state && folder.state !== "active" ? ` · ${phrase(folder.state)}` : ""}` : "not synced"))))
      : h("p", { class: "faint" }, "The folders are listed once the mailbox is connected.")];
}

export function inboxAnswer(inbox) {
  const answer = inbox.auto_response ?? {};
  return [h("div", { class: "panel-head" }, h("h2", {}, "Automatic response"), h("span", { class: `badge ${answer.enabled ? "good" : ""}` }, answer.enabled ? "On" : "Off")),
    answer.enabled ? [h("p", {}, h("strong", {}, plain(answer.subject))), h("div", { class: "plain-text quoted-text" }, plain(answer.body))] : h("p", { class: "faint" }, "New conversations are not answered automatically.")];
}
