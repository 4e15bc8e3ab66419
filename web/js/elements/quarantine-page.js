/**
 * `<quarantine-page>`: mails that could not be taken in, each with its reason; read as text, fetched raw, tried again or put aside.
 */

import { quarantine } from "/web/js/api/quarantine.js";
import { button, fill, fillRows, h, icon } from "/web/js/dom.js";
import { plain, plural, size } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { phrase, poisonWords } from "/web/js/words.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

export class QuarantinePage extends RoomElement {
  #open = new Map();
  #next = null;

  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "poison" });
    this.more = h("div", { class: "more" });
    this.tabs = h("nav", { class: "chips", "aria-label": "State" });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Quarantine"), this.tabs),
      h("p", { class: "lead" }, "Mails that could not be read. Their raw form is kept, and the inbox goes on without them."), this.state, this.list, this.more);
  }

  get #which() {
    return router.current.query.get("state") === "resolved" ? "resolved" : "open";
  }

  attach() {
    const fresh = settle(() => this.#load(), 300);
    this.listen(stream, "change", ({ detail }) => detail.type.startsWith("quarantine.") && fresh());
    this.listen(stream, "reload", fresh);
    const tab = (state, word) => h("a", { class: "chip", href: state === "open" ? "/quarantine" : "/quarantine?state=resolved", "aria-current": this.#which === state ? "page" : null }, word);
    fill(this.tabs, tab("open", "Waiting"), tab("resolved", "Resolved"));
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const page = await this.inOrder(quarantine.list({ state: this.#which }, { signal: this.life }));
      this.state.done();
      if (page.items.length === 0) this.state.empty(this.#which === "open" ? "Nothing in quarantine" : "Nothing resolved yet", this.#which === "open" ? "Every mail so far could be read." : "", { iconName: "shield" });
      fillRows(this.list, page.items, (one) => this.#row(one));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError" && this.list.childElementCount === 0) this.state.failed(error, () => this.#load());
    }
  }

  #offer(next) {
    this.#next = next;
    fill(this.more, next ? button("Show more", { onclick: () => this.#grow() }) : null);
  }

  async #grow() {
    try {
      const page = await quarantine.list({ state: this.#which, after: this.#next }, { signal: this.life });
      this.list.append(...page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      notifyError(error);
    }
  }

  #row(one) {
    const waiting = !one.resolved_at;
    const text = h("div", { class: "poison-text", hidden: true });
    const look = button("View as plain text", { iconName: "file", kind: "small", "aria-expanded": "false", onclick: () => this.#toggle(one.id, look, text) });
    if (this.#open.has(one.id)) this.#showText(look, text, this.#open.get(one.id));
    return h("li", { class: "panel", "data-id": one.id },
      h("div", { class: "poison-head" }, icon("shield"), h("strong", {}, phrase(one.reason)), h("span", { class: "badge" }, plain(one.inbox?.name)), waiting ? null : h("span", { class: "badge good" }, phrase(one.resolution ?? "resolved")), h("span", { class: "faint" }, size(one.size_bytes))),
      one.detail ? h("p", {}, poisonWords(plain(one.detail))) : null,
      h("p", { class: "faint" }, plural(one.attempts, "attempt"), one.attempts > 1 || one.last_at > one.first_at ? [", first ", timeAgo(one.first_at, { long: true }), ", last "] : ", ", timeAgo(one.last_at, { long: true }), one.resolved_at ? [", resolved ", timeAgo(one.resolved_at, { long: true })] : null),
      h("div", { class: "actions" }, look, h("a", { class: "button small", href: quarantine.rawUrl(one.id), download: `${one.id}.eml` }, icon("download"), h("span", {}, "Raw mail")),
        waiting && store.mayManage ? button("Retry", { iconName: "refresh", kind: "small primary", onclick: (event) => this.#act(event, one, () => quarantine.retry(one.id), "It is being tried again.") }) : null,
        waiting && store.mayManage ? button("Dismiss", { kind: "small", onclick: (event) => this.#dismiss(event, one) }) : null),
      text);
  }

  async #toggle(id, look, text) {
    if (this.#open.delete(id)) {
      text.hidden = true;
      look.setAttribute("aria-expanded", "false");
      return;
    }
    try {
      const content = await quarantine.text(id, { signal: this.life });
      this.#open.set(id, content);
      this.#showText(look, text, content);
    } catch (error) {
      notifyError(error, "Not shown");
    }
  }

  #showText(look, text, content) {
    text.hidden = false;
    look.setAttribute("aria-expanded", "true");
    fill(text, h("pre", { tabindex: "0" }, plain(content)));
  }

  async #dismiss(event, one) {
    const sure = await ask({ title: "Put this mail aside?", paragraphs: ["It leaves the list and never becomes a conversation. Its raw form stays and is listed under Resolved."], confirm: "Dismiss", danger: true });
    if (sure) await this.#act(event, one, () => quarantine.dismiss(one.id), "Dismissed.");
  }

  async #act(event, one, call, done) {
    const pressed = event.target?.closest?.("button");
    if (pressed) pressed.disabled = true;
    try {
      await call();
      notify(done);
    } catch (error) {
      notifyError(error);
    } finally {
      if (pressed) pressed.disabled = false; // A mail that could not be read again looks as before, and may be tried once more.
    }
    this.#load();
  }
}

customElements.define("quarantine-page", QuarantinePage);
