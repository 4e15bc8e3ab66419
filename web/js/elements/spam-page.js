/**
 * `<spam-page>`: mails that were judged spam, inbox by inbox, with the reason; "Not spam" brings one in as a conversation.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { messages } from "/web/js/api/messages.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { reasonText } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const PAGE = 50;

export class SpamPage extends RoomElement {
  #look = "";

  build() {
    this.state = document.createElement("load-state");
    this.groups = h("div", {});
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Spam")),
      h("p", { class: "lead" }, "These mails became no conversation. Each says why; bring one in if the judgement was wrong."), this.state, this.groups);
  }

  attach() {
    const fresh = settle(() => this.#load(), 800);
    this.listen(stream, "change", ({ detail }) => detail.type.startsWith("message.") && fresh());
    this.listen(stream, "reload", fresh);
    this.state.loading(5);
    this.#load();
  }

  async #read() {
    const boxes = (await inboxes.list({ signal: this.life })).items.map(({ id, name }) => ({ id, name }));
    return { boxes, pages: await Promise.all(boxes.map((box) => inboxes.ledger(box.id, { classification: "spam", limit: PAGE }, { signal: this.life }))) };
  }

  async #load() {
    try {
      const { boxes, pages } = await this.inOrder(this.#read());
      this.state.done();
      const groups = boxes.map((box, index) => this.#group(box, pages[index])).filter(Boolean);
      const look = JSON.stringify([boxes, pages]);
      if (look !== this.#look) fill(this.groups, groups); // What is the same stays, with its buttons and what was shown of older mails.
      this.#look = look;
      if (groups.length === 0) this.state.empty("No spam", "Nothing was judged spam.", { iconName: "spam" });
    } catch (error) {
      if (error.name !== "AbortError" && this.groups.childElementCount === 0) this.state.failed(error, () => this.#load());
    }
  }

  #group(box, page) {
    const rows = page.items.filter((one) => !one.conversation_id);
    if (rows.length === 0 && !page.next) return null;
    const list = h("ul", { class: "spam-list" }, rows.map((one) => this.#row(one)));
    const more = h("div", { class: "more" });
    this.#offer(box, page.next, list, more);
    return h("section", { class: "panel", "aria-label": plain(box.name) }, h("div", { class: "panel-head" }, h("h2", {}, plain(box.name))), list, more);
  }

  #offer(box, next, list, more) {
    fill(more, next ? button("Show more", { onclick: async () => {
      try {
        const page = await inboxes.ledger(box.id, { classification: "spam", limit: PAGE, after: next }, { signal: this.life });
        list.append(...page.items.filter((one) => !one.conversation_id).map((one) => this.#row(one)));
        this.#offer(box, page.next, list, more);
      } catch (error) {
        notifyError(error);
      }
    } }) : null);
  }

  #row(one) {
    return h("li", {}, h("div", {}, h("strong", {}, plain(one.subject) || "(no subject)"), h("p", { class: "faint" }, plain(one.from)), one.reason ? h("p", {}, icon("spam"), " ", plain(reasonText(one.reason))) : null),
      timeAgo(one.internal_date ?? one.created_at),
      one.message_id && store.mayWrite ? button("Not spam", { iconName: "in", kind: "small", onclick: (event) => this.#bring(event, one) }) : null);
  }

  async #bring(event, one) {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    try {
      const message = await messages.notSpam(one.message_id);
      const path = message.conversation_id ? `/c/${encodeURIComponent(message.conversation_id)}` : "/";
      notify("Brought in as a conversation.", { action: { text: "Open", run: () => router.go(path) } });
      this.#load();
    } catch (error) {
      notifyError(error, "Not brought in");
      pressed.disabled = false;
    }
  }
}

customElements.define("spam-page", SpamPage);
