/**
 * `<erasures-page>`: the receipts of people who were erased on request: what was removed, when, who asked, what was left and why.
 */

import { erasures } from "/web/js/api/forgetting.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { count, plain } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { stream } from "/web/js/stream.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const STATES = { erasing: "Removing rows", objects: "Removing stored mail", done: "Erased" };
const WORDS = { messages: "messages", ledger_rows: "ledger rows emptied", files: "files", recipients: "recipients", search_documents: "search entries", thread_keys: "thread keys", conversations: "conversations", octets: "mails taken out of packs", objects: "stored objects", contacts: "contacts", addresses: "addresses", drafts: "drafts", recipients_redacted: "recipients replaced in others' mail", messages_redacted: "reply addresses removed", conversations_redacted: "conversations without their customer", kept_answers: "remembered answers of the API", held_messages: "messages left under a hold", octets_refused: "stored mails left for the operator" };

export class ErasuresPage extends RoomElement {
  #next = null;

  build() {
    this.state = document.createElement("load-state");
    this.list = h("div", { class: "panels" });
    this.more = h("div", { class: "more" });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Erasures")),
      h("p", { class: "lead" }, "A receipt names nobody: it holds the SHA-256 of the addresses. An erasure is asked for on the contact's page."), this.state, this.list, this.more);
  }

  attach() {
    this.state.loading(2, "card");
    this.listen(stream, "change", ({ detail }) => detail.type === "erasure.progress" && this.#again());
    this.#load();
  }

  #again = settle(() => this.#load(), 300);

  async #load() {
    try {
      const page = await erasures.list({}, { signal: this.life });
      this.state.done();
      if (page.items.length === 0) this.state.empty("Nobody was erased", "The receipt of an erasure comes here and stays.", { iconName: "trash" });
      fill(this.list, page.items.map((one) => this.#receipt(one)));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #offer(next) {
    this.#next = next;
    fill(this.more, next ? button("Show more", { onclick: () => this.#grow() }) : null);
  }

  async #grow() {
    try {
      const page = await erasures.list({ after: this.#next }, { signal: this.life });
      this.list.append(...page.items.map((one) => this.#receipt(one)));
      this.#offer(page.next);
    } catch (error) {
      notifyError(error);
    }
  }

  #receipt(one) {
    const counts = Object.entries(one.counts);
    const file = new Blob([JSON.stringify(one, null, 2)], { type: "application/json" });
    const save = button("Download", { iconName: "download", kind: "small", onclick: () => {
      const link = h("a", { href: URL.createObjectURL(file), download: `erasure-${one.id}.json` });
      link.click();
      URL.revokeObjectURL(link.href);
    } });
    return h("section", { class: "panel wide receipt", "aria-label": `Erasure ${one.id}` },
      h("div", { class: "panel-head" }, h("h2", {}, icon(one.state === "done" ? "check" : "clock"), " ", STATES[one.state] ?? one.state), save),
      h("p", {}, "Asked for by ", one.asked_by ? plain(one.asked_by.name) : "a program", " ", timeAgo(one.asked_at, { long: true }), one.done_at ? [", done ", timeAgo(one.done_at, { long: true })] : "."),
      h("dl", { class: "facts numbers" }, counts.map(([kind, number]) => h("div", {}, h("dt", {}, WORDS[kind] ?? kind.replaceAll("_", " ")), h("dd", {}, count(number))))),
      h("ul", { class: "hashes" }, one.address_hashes.map((hash) => h("li", {}, h("code", {}, hash)))),
      h("details", {}, h("summary", {}, "What was left"), h("ul", { class: "kept" }, one.kept.map((text) => h("li", {}, text)))));
  }
}

customElements.define("erasures-page", ErasuresPage);
