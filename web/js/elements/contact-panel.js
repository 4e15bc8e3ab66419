/**
 * `<contact-panel>`: who the conversation is with: VIP, company, addresses, fields, and their other conversations. Hangs in `conversation.panel`.
 */

import { contacts } from "/web/js/api/contacts.js";
import { button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { router } from "/web/js/router.js";
import { shapeOf } from "/web/js/shape-of.js";
import { store } from "/web/js/store.js";
import { STATUS } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const SHOWN = 5;

/** A field's value in words. */
export const fieldWord = ({ type, value }) => (type === "bool" ? (value ? "Yes" : "No") : plain(String(value)));

export class ContactPanel extends PlacedElement {
  #contact = null;

  build() {
    this.hidden = true;
  }

  show(conversation, before) {
    if (conversation.id === before?.id) return;
    this.hidden = true;
    this.#read(conversation);
  }

  async #read(conversation) {
    const { id } = conversation;
    try {
      const { contact_id: contactId } = await shapeOf(conversation);
      if (!contactId) return;
      const [contact, page] = await Promise.all([contacts.get(contactId, { signal: this.life }), contacts.conversations(contactId, { limit: SHOWN + 1 }, { signal: this.life })]);
      if (this.conversation?.id !== id) return;
      this.#contact = contact;
      this.#fill(page.items.filter((one) => one.id !== id).slice(0, SHOWN));
    } catch (error) {
      notifyError(error);
    }
  }

  #fill(others) {
    const one = this.#contact;
    const line = (name, value) => (value ? [h("dt", {}, name), h("dd", {}, value)] : null);
    this.hidden = false;
    fill(this,
      h("p", { class: "contact-name" }, h("a", { href: `/contacts/${encodeURIComponent(one.id)}` }, h("strong", {}, plain(one.name) || plain(one.identities[0]?.identifier ?? "Unnamed"))),
        store.mayWrite ? button("", { iconName: "star", kind: `quiet small${one.vip ? " on" : ""}`, label: one.vip ? "No longer a VIP" : "Make a VIP", "aria-pressed": String(one.vip), onclick: () => this.#vip(others) })
          : one.vip ? h("span", { class: "badge" }, "VIP") : null),
      h("dl", { class: "details" }, line("Company", plain(one.company)), one.identities.map((known) => line("Address", plain(known.identifier))),
        Object.entries(one.custom).map(([key, field]) => line(plain(key), fieldWord(field)))),
      others.length ? h("ul", { class: "contact-others", "aria-label": "Their other conversations" }, others.map((other) => h("li", {},
        h("a", { href: router.withList(`/c/${encodeURIComponent(other.id)}`) }, `#${other.number} ${plain(other.subject) || "(no subject)"}`),
        h("span", { class: "faint" }, `${STATUS[other.status] ?? other.status} · `, timeAgo(other.last_message_at))))) : h("p", { class: "faint" }, "No other conversations."));
  }

  async #vip(others) {
    try {
      this.#contact = await contacts.change(this.#contact.id, { vip: !this.#contact.vip });
      this.#fill(others);
      this.querySelector("button")?.focus();
    } catch (error) {
      notifyError(error, "Not changed");
    }
  }
}

customElements.define("contact-panel", ContactPanel);
place("conversation.panel", "contact-panel", 10, { title: "Contact", iconName: "people" });
