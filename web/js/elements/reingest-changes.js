/**
 * `<reingest-changes>`: what a re-ingest would change, by kind, page by page.
 */

import { reingests } from "/web/js/api/reingests.js";
import { button, fill, h } from "/web/js/dom.js";
import { KINDS } from "/web/js/reingest-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/reingest-change.js";

const PAGE = 50;

export class ReingestChanges extends RoomElement {
  #kind = "any";
  #next = null;
  #asked = 0;
  runId = null;

  build() {
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", "Changes");
    this.filters = h("div", { class: "chips", role: "group", "aria-label": "What differs" });
    this.list = h("ul", { class: "changes" });
    this.none = document.createElement("load-state");
    this.more = h("div", { class: "more" });
    this.append(h("div", { class: "panel-head" }, h("h2", {}, "What differs"), this.filters), this.none, this.list, this.more);
    this.#chips();
  }

  #chips() {
    const chip = (kind, word) => button(word, { kind: "chip", "aria-pressed": String(this.#kind === kind), onclick: (event) => {
      this.#kind = kind;
      for (const one of this.filters.children) one.setAttribute("aria-pressed", String(one === event.currentTarget));
      this.load();
    } });
    fill(this.filters, chip("any", "All"), Object.entries(KINDS).map(([kind, word]) => chip(kind, word)), chip("version", "Only the version"));
  }

  /** Reads the first page of the chosen kind. */
  async load() {
    this.#asked += 1;
    const turn = this.#asked;
    try {
      const page = await reingests.changes(this.runId, { kind: this.#kind, limit: PAGE }, { signal: this.life });
      if (turn !== this.#asked) return; // A slow answer to an earlier question must not replace a later one.
      this.none.done();
      if (page.items.length === 0) this.none.empty("No difference", this.#kind === "any" ? "Today's parser reads these mails as they are stored." : "None of this kind.", { iconName: "check" });
      fill(this.list, page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError") this.none.failed(error, () => this.load());
    }
  }

  #row(one) {
    return h("li", { class: "panel" }, h("reingest-change", { props: { runId: this.runId, change: one } }));
  }

  #offer(next) {
    this.#next = next;
    fill(this.more, next ? button("Show more", { onclick: (event) => this.#grow(event) }) : null);
  }

  async #grow(event) {
    event.currentTarget.disabled = true;
    try {
      const page = await reingests.changes(this.runId, { kind: this.#kind, limit: PAGE, after: this.#next }, { signal: this.life });
      this.list.append(...page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      notifyError(error);
      this.#offer(this.#next);
    }
  }
}

customElements.define("reingest-changes", ReingestChanges);
