/**
 * `<inbox-ledger>`: every mail that was ever seen in an inbox, its state, its class, the reason for it, and where it went.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, fillRows, h } from "/web/js/dom.js";
import { plain, size } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { stream } from "/web/js/stream.js";
import { CLASSIFICATION, phrase, reasonText } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const STATES = ["seen", "stored", "ingested", "skipped", "quarantined", "vanished"];
const TONES = { ingested: "good", quarantined: "bad", skipped: "", vanished: "warn", seen: "info", stored: "info" };
const PAGE = 50;

export class InboxLedger extends RoomElement {
  #next = null;
  #deep = false;
  inboxId = null;

  build() {
    const choose = (label, pairs) => h("select", { "aria-label": label, onchange: () => this.#load() }, h("option", { value: "" }, `Any ${label.toLowerCase()}`), pairs.map(([id, word]) => h("option", { value: id }, word)));
    this.classification = choose("Class", Object.entries(CLASSIFICATION));
    this.rowState = choose("State", STATES.map((one) => [one, phrase(one)]));
    this.state = document.createElement("load-state");
    this.rows = h("tbody", {});
    this.table = h("table", {}, h("caption", { class: "unseen" }, "Ledger of mails"), h("thead", {}, h("tr", {}, ["Mail", "State", "Class and reason", "Where", "When"].map((word) => h("th", { scope: "col" }, word)))), this.rows);
    this.more = h("div", { class: "more" });
    this.append(h("div", { class: "panel-head" }, h("h2", {}, "Ledger"), h("div", { class: "actions" }, this.classification, this.rowState)), this.state, h("div", { class: "table-wrap", hidden: true }, this.table), this.more);
    this.wrap = this.table.parentElement;
  }

  attach() {
    const fresh = settle(() => this.#deep || this.#load(true), 800);
    this.listen(stream, "change", ({ detail }) => detail.inbox_id === this.inboxId && detail.type !== "backfill.progress" && fresh());
    this.#load();
  }

  async #load(quiet = false) {
    if (!quiet) {
      this.state.loading(4);
      this.wrap.hidden = true;
    }
    this.#deep = false;
    try {
      const page = await this.inOrder(this.#page(null));
      this.state.done();
      this.wrap.hidden = page.items.length === 0;
      if (page.items.length === 0) this.state.empty("No mail here", "Nothing in the ledger matches.", { iconName: "mail" });
      fillRows(this.rows, page.items, (one) => this.#row(one));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError" && !quiet) this.state.failed(error, () => this.#load());
    }
  }

  #page(after) {
    return inboxes.ledger(this.inboxId, { classification: this.classification.value, state: this.rowState.value, limit: PAGE, after }, { signal: this.life });
  }

  #offer(next) {
    this.#next = next;
    fill(this.more, next ? button("Show more", { onclick: (event) => this.#grow(event) }) : null);
  }

  async #grow(event) {
    event.currentTarget.disabled = true;
    try {
      const page = await this.#page(this.#next);
      this.#deep = true;
      this.rows.append(...page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError") fill(this.more, h("p", {}, error.message), button("Try again", { onclick: (again) => this.#grow(again) }));
    }
  }

  #row(one) {
    const cell = (name, ...inside) => h("td", { "data-label": name }, h("div", {}, inside));
    return h("tr", {},
      cell("Mail", h("strong", {}, plain(one.subject) || "(no subject)"), h("p", { class: "faint" }, plain(one.from)),
        one.recipients?.length ? h("ul", { class: "recipients" }, one.recipients.map((report) => h("li", {}, plain(report.address), h("span", { class: "badge" }, [phrase(report.class), report.status, phrase(report.action)].filter(Boolean).join(" · "))))) : null),
      cell("State", h("span", { class: `badge ${TONES[one.state] ?? ""}` }, phrase(one.state)), one.attempts > 1 ? h("p", { class: "faint" }, `${one.attempts} attempts`) : null),
      cell("Class", h("span", { class: "badge" }, CLASSIFICATION[one.classification] ?? phrase(one.classification) ?? "not yet"), one.reason ? h("p", { class: "faint" }, plain(reasonText(one.reason))) : null),
      cell("Where", one.conversation_id ? h("a", { href: `/c/${encodeURIComponent(one.conversation_id)}` }, "Conversation") : h("span", { class: "faint" }, "no conversation"),
        h("p", { class: "faint", title: `UIDVALIDITY ${one.uidvalidity ?? "–"}` }, plain(one.folder), one.uid ? ` · UID ${one.uid}` : "", " · ", size(one.size_bytes))),
      cell("When", timeAgo(one.internal_date ?? one.created_at)));
  }
}

customElements.define("inbox-ledger", InboxLedger);
