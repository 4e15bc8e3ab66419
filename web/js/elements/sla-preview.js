/**
 * `<sla-preview>`: what a change of hours or of a policy would move, conversation by conversation, before it is made. `look(ask)` asks, where
 * `ask({query})` answers one page; the caller says what a confirmed change does.
 */

import { button, fill, h } from "/web/js/dom.js";
import { count, exact, plain, plural } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { TARGETS } from "/web/js/sla-words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const PAGE = 50;

export class SlaPreview extends RoomElement {
  #ask = null;

  build() {
    this.hidden = true;
    this.words = h("p", { class: "lead", role: "status" });
    this.rows = h("tbody", {});
    this.table = h("div", { class: "table-wrap" }, h("table", {}, h("thead", {}, h("tr", {}, ["Conversation", "Clock", "Due now", "Then", ""].map((word) => h("th", { scope: "col" }, word)))), this.rows));
    this.more = button("More", { kind: "small", onclick: () => this.#page() });
    this.append(h("section", { class: "panel", "aria-label": "Preview" }, this.words, this.table, this.more));
  }

  /** Asks anew. Answers the counts; rejects with what the server refused. */
  async look(ask) {
    this.#ask = ask;
    const first = await ask({ query: { limit: PAGE } });
    this.hidden = false;
    const { counts } = first;
    const named = [[counts.started, "clock starts", "clocks start"], [counts.moved, "moves", "move"], [counts.ended, "ends", "end"], [counts.newly_breached, "is late then", "are late then"], [counts.excused, "breach is excused, with the reason", "breaches are excused, with the reason"]];
    const said = named.filter(([amount]) => amount > 0).map(([amount, one, many]) => `${count(amount)} ${amount === 1 ? one : many}`);
    this.words.textContent = counts.conversations ? `${plural(counts.conversations, "conversation")}: ${said.join(", ")}.${counts.complete ? "" : " There are more; only so many were looked at."}` : "No running clock would move.";
    fill(this.rows);
    this.table.hidden = first.items.length === 0;
    this.#put(first);
    return counts;
  }

  #put({ items, next }) {
    this.rows.append(...items.map((one) => this.#row(one)));
    this.more.hidden = next === null;
    this.next = next;
  }

  async #page() {
    this.#put(await this.#ask({ query: { limit: PAGE, after: this.next } }));
  }

  #row(one) {
    const due = (at) => (at ? h("span", { title: exact(at) }, timeAgo(at, { long: true })) : "–");
    return h("tr", {}, h("td", { "data-label": "Subject" }, h("a", { href: `/c/${encodeURIComponent(one.conversation_id)}` }, `#${one.number} ${plain(one.subject) || "(no subject)"}`)),
      h("td", { "data-label": "Clock" }, TARGETS[one.target]), h("td", { "data-label": "Now" }, one.change === "started" ? "none" : due(one.old_due)), h("td", { "data-label": "Then" }, one.change === "ended" ? "none" : due(one.new_due)),
      h("td", {}, one.newly_breached ? h("span", { class: "badge bad" }, "late then") : null, one.excused ? h("span", { class: "badge warn" }, "excused") : null));
  }
}

customElements.define("sla-preview", SlaPreview);
