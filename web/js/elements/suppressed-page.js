/**
 * `<suppressed-page>`: addresses that get no mail from us, each with its reason and its end; an admin lifts one that can be reached again.
 */

import { suppressions } from "/web/js/api/suppressions.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const REASONS = {
  bounce: "Mail to it came back for good",
  complaint: "Its owner reported our mail as spam",
  unsubscribe: "Its owner asked for no more mail",
  manual: "Somebody here has put it on the list",
};

export class SuppressedPage extends RoomElement {
  #next = null;

  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people" });
    this.more = h("div", { class: "more" });
    this.body = h("section", { class: "panel", "aria-label": "Suppressed addresses", hidden: true }, this.list, this.more);
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Suppressed addresses")),
      h("p", { class: "lead" }, "They get no automatic mail, and no mail at all from inboxes that send through Amazon SES."), this.state, this.body);
  }

  attach() {
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const page = await suppressions.list({}, { signal: this.life });
      this.state.done();
      this.body.hidden = page.items.length === 0;
      if (page.items.length === 0) this.state.empty("No address is suppressed", "An address comes here when mail to it bounces for good, or when its owner reports our mail as spam.", { iconName: "bounce" });
      fill(this.list, page.items.map((one) => this.#row(one)));
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
      const page = await suppressions.list({ after: this.#next }, { signal: this.life });
      this.list.append(...page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      notifyError(error);
    }
  }

  #row(one) {
    const until = one.expires_at ? [", until ", timeAgo(one.expires_at, { long: true })] : ", without end";
    return h("li", { "data-address": one.address }, icon("bounce"),
      h("div", {}, h("strong", {}, plain(one.address)), h("span", { class: "faint" }, REASONS[one.reason] ?? plain(one.reason), ", ", timeAgo(one.created_at, { long: true }), until)),
      button("Lift", { kind: "small", "aria-label": `Lift ${plain(one.address)}`, onclick: () => this.#lift(one) }));
  }

  async #lift(one) {
    const warning = one.reason === "complaint" ? "Its owner said that our mail is spam. Writing again may cost every inbox its reputation." : "If mail to it bounces again, it comes back to this list.";
    const sure = await ask({ title: `Send mail to ${plain(one.address)} again?`, paragraphs: [warning], confirm: "Lift", danger: one.reason === "complaint" });
    if (!sure) return;
    try {
      await suppressions.lift(one.address);
      notify("Mail may go there again.");
    } catch (error) {
      notifyError(error);
    }
    this.#load();
  }
}

customElements.define("suppressed-page", SuppressedPage);
