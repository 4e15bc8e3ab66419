/**
 * `<inbox-list>`: all inboxes with their health, last sync and last error, kept fresh by the stream.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, fillRows, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { oauthWords } from "/web/js/oauth-words.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { health } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

/** The health of an inbox as colour, icon and word together, never colour alone. */
export function healthBadge(inbox) {
  const { word, tone, icon: name, text } = health(inbox);
  return h("span", { class: `badge ${tone}`, title: text }, icon(name), word);
}

export class InboxList extends RoomElement {
  build() {
    const add = store.mayManage ? h("a", { class: "button primary", href: "/inboxes/new" }, icon("plus"), h("span", {}, "Add an inbox")) : null;
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "inboxes" });
    this.failed = h("div", { class: "notice bad", role: "alert", hidden: true });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Inboxes"), add), this.failed, this.state, this.list);
    this.#showRefusal();
  }

  attach() {
    const fresh = settle(() => this.#load(), 300);
    this.listen(stream, "change", ({ detail }) => detail.inbox_id && detail.type !== "backfill.progress" && fresh());
    this.listen(stream, "reload", fresh);
    this.state.loading(3, "card");
    this.#load();
  }

  /** What the way back from the provider's page says, once: the address is cleaned of it. */
  #showRefusal() {
    const query = new URLSearchParams(location.search);
    const reason = query.get("oauth_error");
    if (!reason) return;
    const { text, remedy } = oauthWords(plain(reason));
    const id = query.get("inbox");
    fill(this.failed, icon("warning"), h("p", {}, h("strong", {}, "The mailbox was not connected. "), text, " ", remedy, " ",
      h("a", { href: id ? `/inboxes/${encodeURIComponent(id)}` : "/inboxes/new" }, id ? "To the inbox" : "Try again")));
    this.failed.hidden = false;
    router.forgetQuery();
  }

  async #load() {
    try {
      const { items } = await this.inOrder(inboxes.list({ signal: this.life }));
      store.set("inboxes", items);
      if (items.length) this.state.done();
      else this.state.empty("No inbox yet", store.mayManage ? "Connect a mailbox, and its mail becomes conversations." : "Ask an administrator to connect a mailbox.");
      fillRows(this.list, items, (one) => this.#row(one));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (this.list.childElementCount === 0) this.state.failed(error, () => this.#load());
    }
  }

  #row(inbox) {
    return h("li", {}, h("a", { href: `/inboxes/${encodeURIComponent(inbox.id)}`, class: "inbox-row" },
      h("div", {}, h("strong", {}, plain(inbox.name)), h("span", { class: "faint" }, plain(inbox.email_address))),
      healthBadge(inbox),
      h("div", { class: "inbox-when" }, h("span", { class: "faint" }, "Last sync"), timeAgo(inbox.last_sync_at, { long: true })),
      inbox.last_error ? h("p", { class: "inbox-error" }, icon("warning"), h("span", {}, plain(inbox.last_error), " ", h("span", { class: "faint" }, timeAgo(inbox.last_error_at, { long: true })))) : null));
  }

}

customElements.define("inbox-list", InboxList);
