/**
 * `<reingest-change>`: what one mail would become: its headers, class, conversation and files then and now, and its text line by
 * line, side by side or one under the other. Reads the single change when it is opened.
 */

import { reingests } from "/web/js/api/reingests.js";
import { diffRows } from "/web/js/diff-lines.js";
import { button, fill, h } from "/web/js/dom.js";
import { count, plain, size } from "/web/js/format.js";
import { BODIES, CHANGE, HEADERS, judged, kept, KINDS, moved, reason } from "/web/js/reingest-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { phrase } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

let sideBySide = true;

const columns = (sides) => h("colgroup", {}, Array.from({ length: sides }, () => [h("col", { class: "line-number" }), h("col", {})]));

export class ReingestChange extends RoomElement {
  #open = false;
  #detail = null;
  runId = null;
  change = null;

  build() {
    const one = this.change;
    const [word, tone] = CHANGE[one.state] ?? [phrase(one.state), ""];
    this.inside = h("div", { class: "change-inside", hidden: true });
    this.opener = h("button", { type: "button", class: "change-head", "aria-expanded": "false", onclick: () => this.#toggle() },
      h("span", { class: "change-who" }, h("strong", {}, plain(one.subject) || "(no subject)"), h("span", { class: "faint" }, plain(one.from) || "Unknown sender")),
      h("span", { class: "change-kinds" }, one.kinds.map((kind) => h("span", { class: "badge info" }, KINDS[kind] ?? phrase(kind))), one.state === "planned" ? null : h("span", { class: `badge ${tone}` }, word)),
      h("span", { class: "faint" }, plain(one.inbox.name), ", ", timeAgo(one.received_at)));
    fill(this, this.opener, one.reason ? h("p", { class: "change-reason" }, reason(one.reason)) : null, this.inside);
  }

  async #toggle() {
    this.#open = !this.#open;
    this.opener.setAttribute("aria-expanded", String(this.#open));
    this.inside.hidden = !this.#open;
    if (!this.#open || this.#detail) return;
    try {
      this.#detail = (await reingests.change(this.runId, this.change.ledger_id, { signal: this.life })).detail;
      this.#show();
    } catch (error) {
      this.#open = false;
      this.inside.hidden = true;
      this.opener.setAttribute("aria-expanded", "false");
      if (error.name !== "AbortError") notifyError(error, "Not shown");
    }
  }

  #show() {
    const told = this.#detail;
    const parser = told.parser_version;
    fill(this.inside,
      told.quarantine ? this.#line("Quarantine", reason(told.quarantine.old), "Read") : null,
      told.classification ? this.#line("Class", judged(told.classification.old, told.classification.old_rule), judged(told.classification.new, told.classification.new_rule), kept(told.classification.kept)) : null,
      told.thread ? h("div", { class: "change-line" }, h("h3", {}, "Conversation"), h("p", {}, moved(told.thread), told.thread.kept ? h("strong", {}, ` ${kept(told.thread.kept)}`) : null, " ", this.#links(told.thread))) : null,
      (told.headers ?? []).map((one) => this.#line(HEADERS[one.field] ?? phrase(one.field), one.old, one.new)),
      told.parts ? this.#parts(told.parts) : null,
      told.defects ? this.#line("Defects", told.defects.removed.map(phrase).join(", "), told.defects.added.map(phrase).join(", ")) : null,
      told.identity ? h("div", { class: "change-line" }, h("h3", {}, "Identity"), h("p", {}, told.identity.message_id ? "It has another Message-ID now." : "The fingerprint of its content is computed otherwise now.")) : null,
      Object.entries(BODIES).filter(([name]) => told.body?.[name]).map(([name, word], index) => this.#body(word, told.body[name], index === 0)),
      h("p", { class: "faint" }, parser ? `Read by parser ${parser.old ?? "unknown"}, now ${parser.new}. ` : "", h("a", { href: `/v1/messages/${encodeURIComponent(this.change.message_id)}/raw`, download: "mail.eml" }, "Raw mail")));
  }

  #line(word, before, after, note = "") {
    const value = (tag, text) => (text ? h(tag, {}, plain(text)) : h("span", { class: "faint" }, "nothing"));
    return h("div", { class: "change-line" }, h("h3", {}, word), h("p", {}, value("del", before), " → ", value("ins", after), note ? h("strong", {}, ` ${note}`) : null));
  }

  #links({ old, new: there }) {
    const link = (id, word) => (id ? h("a", { href: `/c/${encodeURIComponent(id)}` }, word) : null);
    return [link(old, "Where it is"), old && there ? " · " : null, link(there, "Where it would go")];
  }

  #parts({ added, removed, renamed, reordered }) {
    const file = (one) => `${plain(one.filename)} (${plain(one.content_type)}, ${size(one.size_bytes)})`;
    return h("div", { class: "change-line" }, h("h3", {}, "Files"), h("ul", {},
      added.map((one) => h("li", {}, "New: ", h("ins", {}, file(one)))), removed.map((one) => h("li", {}, "Gone: ", h("del", {}, file(one)))),
      renamed.map((one) => h("li", {}, "The same content: ", h("del", {}, file(one.old)), " → ", h("ins", {}, file(one.new)))), reordered ? h("li", {}, "The same, in another order") : null));
  }

  #body(word, { old_length: before, new_length: after, diff, cut }, open) {
    const table = h("div", { class: "diff-wrap" });
    const show = () => fill(table, sideBySide ? this.#two(diffRows(diff)) : this.#one(diffRows(diff)));
    const way = (text, two) => button(text, { kind: "chip", "aria-pressed": String(sideBySide === two), onclick: (event) => {
      sideBySide = two;
      for (const chip of event.currentTarget.parentElement.children) chip.setAttribute("aria-pressed", String(chip === event.currentTarget));
      show();
    } });
    show();
    return h("details", { class: "change-body", open },
      h("summary", {}, h("strong", {}, word), h("span", { class: "faint" }, ` ${count(before ?? 0)} → ${count(after ?? 0)} characters${cut ? ", only a part is shown" : ""}`)),
      h("div", { class: "chips", role: "group", "aria-label": "How the text is compared" }, way("Side by side", true), way("One under the other", false)), table);
  }

  #two(rows) {
    const cells = (one, kind, sign) => [h("td", { class: "line-number" }, one ? count(one.number) : ""), h("td", { class: one && kind === "changed" ? sign : "" }, this.#text(one, sign))];
    return h("table", { class: "diff two" }, h("caption", { class: "unseen" }, "The stored text on the left, as it reads now on the right"), columns(2), h("tbody", {}, rows.map((row) => (row.kind === "gap" ? h("tr", { class: "gap" }, h("td", { colspan: 4 }, "…")) : h("tr", {}, cells(row.left, row.kind, "minus"), cells(row.right, row.kind, "plus"))))));
  }

  #one(rows) {
    const line = (one, sign) => h("tr", {}, h("td", { class: "line-number" }, count(one.number)), h("td", { class: sign }, this.#text(one, sign)));
    return h("table", { class: "diff" }, h("caption", { class: "unseen" }, "The stored text and how it reads now, line by line"), columns(1), h("tbody", {}, rows.flatMap((row) => {
      if (row.kind === "gap") return [h("tr", { class: "gap" }, h("td", { colspan: 2 }, "…"))];
      if (row.kind === "same") return [line(row.right, "")];
      return [row.left ? line(row.left, "minus") : null, row.right ? line(row.right, "plus") : null];
    })));
  }

  #text(one, sign) {
    if (!one) return null;
    const tag = sign === "minus" ? "del" : "ins";
    return one.parts.map(([text, differs]) => (differs ? h(tag, {}, plain(text)) : plain(text)));
  }
}

customElements.define("reingest-change", ReingestChange);
