/**
 * `<contacts-page>`: everybody who writes to us, found by name, company or address.
 */

import { contacts } from "/web/js/api/contacts.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class ContactsPage extends RoomElement {
  #next = null;
  #asked = 0;

  build() {
    const search = settle(() => this.#load(), 250);
    this.input = h("input", { type: "search", id: uid("contacts"), placeholder: "Name, company or address", oninput: () => search() });
    this.vip = h("input", { type: "checkbox", onchange: () => this.#load() });
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people" });
    this.more = h("div", { class: "more" });
    this.body = h("section", { class: "panel", "aria-label": "Contacts", hidden: true }, this.list, this.more);
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Contacts")),
      h("div", { class: "contact-find" }, h("div", { class: "field" }, h("label", { for: this.input.id }, "Search"), this.input), h("label", { class: "check" }, this.vip, " VIPs only")), this.state, this.body);
  }

  attach() {
    this.#load();
  }

  get #query() {
    return { search: this.input.value.trim(), vip: this.vip.checked ? true : null };
  }

  async #load() {
    const serial = (this.#asked += 1);
    if (this.list.childElementCount === 0) this.state.loading(4, "card");
    try {
      const page = await contacts.list(this.#query, { signal: this.life });
      if (serial !== this.#asked) return;
      this.state.done();
      this.body.hidden = page.items.length === 0;
      if (page.items.length === 0) this.state.empty("Nobody is found", "A contact is made by the first mail from an address.", { iconName: "people" });
      fill(this.list, page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError" && serial === this.#asked) this.state.failed(error, () => this.#load());
    }
  }

  #offer(next) {
    this.#next = next;
    fill(this.more, next ? button("Show more", { onclick: () => this.#grow() }) : null);
  }

  async #grow() {
    try {
      const page = await contacts.list({ ...this.#query, after: this.#next }, { signal: this.life });
      this.list.append(...page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      notifyError(error);
    }
  }

  #row(one) {
    const address = plain(one.identities[0]?.identifier ?? "");
    return h("li", { "data-id": one.id }, icon(one.vip ? "star" : "people", one.vip ? "VIP" : ""),
      h("div", {}, h("a", { href: `/contacts/${encodeURIComponent(one.id)}` }, h("strong", {}, plain(one.name) || address || "Unnamed")),
        h("span", { class: "faint" }, [address, plain(one.company), one.open ? plural(one.open, "open conversation") : null].filter(Boolean).join(" · "))),
      one.last_message_at ? timeAgo(one.last_message_at) : null);
  }
}

customElements.define("contacts-page", ContactsPage);
