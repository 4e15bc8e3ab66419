/**
 * `<contact-page>`: one contact: name, company, VIP, fields of their own, other names, and all their conversations.
 */

import { contacts } from "/web/js/api/contacts.js";
import { openDialog } from "/web/js/dialog-element.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { STATUS } from "/web/js/words.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { fieldWord } from "/web/js/elements/contact-panel.js";
import "/web/js/elements/field-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

export class ContactPage extends RoomElement {
  itemId = null;
  #contact = null;
  #next = null;

  build() {
    this.title_ = h("h1", {}, "Contact");
    this.state = document.createElement("load-state");
    this.about = h("section", { class: "panel", "aria-label": "About" });
    this.list = h("ul", { class: "people contact-conversations" });
    this.more = h("div", { class: "more" });
    this.body = h("div", { hidden: true }, this.about, h("section", { class: "panel", "aria-label": "Conversations" }, h("h2", {}, "Conversations"), this.list, this.more));
    this.append(h("header", { class: "page-head" }, h("a", { href: "/contacts", class: "button quiet icon-only", "aria-label": "All contacts", title: "All contacts" }, icon("back")), this.title_), this.state, this.body);
  }

  attach() {
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const [contact, page] = await Promise.all([contacts.get(this.itemId, { signal: this.life }), contacts.conversations(this.itemId, {}, { signal: this.life })]);
      this.state.done();
      this.body.hidden = false;
      this.#show(contact);
      fill(this.list, page.items.map((one) => this.#row(one)));
      if (page.items.length === 0) fill(this.list, h("li", { class: "faint" }, "No conversations that you may see."));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #show(contact) {
    this.#contact = contact;
    const { mayWrite } = store;
    this.title_.textContent = plain(contact.name) || plain(contact.identities[0]?.identifier ?? "Unnamed");
    const input = (label, name) => {
      const field = h("input", { type: "text", id: uid("contact"), value: contact[name], readOnly: !mayWrite, onchange: () => this.#change({ [name]: field.value }) });
      return h("div", { class: "field" }, h("label", { for: field.id }, label), field);
    };
    fill(this.about, input("Name", "name"), input("Company", "company"),
      h("label", { class: "check" }, h("input", { type: "checkbox", checked: contact.vip, disabled: !mayWrite, onchange: (event) => this.#change({ vip: event.target.checked }) }), " VIP"),
      h("dl", { class: "details" }, contact.identities.map((one) => [h("dt", {}, "Address"), h("dd", {}, plain(one.identifier))]),
        Object.entries(contact.custom).map(([key, field]) => [h("dt", {}, plain(key)), h("dd", {}, fieldWord(field),
          mayWrite ? button("", { iconName: "cross", kind: "quiet small", label: `Remove ${plain(key)}`, onclick: () => this.#change({ custom: { [key]: null } }) }) : null)]),
        contact.merged.map((one) => [h("dt", {}, "Same person"), h("dd", {}, plain(one.name) || "Unnamed", mayWrite ? button("Take out", { kind: "quiet small", onclick: () => this.#takeOut(one) }) : null)])),
      mayWrite ? h("div", { class: "contact-acts" }, button("Add a field…", { iconName: "plus", kind: "small", onclick: () => this.#addField() }),
        button("Same person as…", { iconName: "merge", kind: "small", onclick: () => this.#merge() })) : null,
      h("erase-button", { props: { contact: { id: contact.id, name: contact.name, addresses: contact.identities.map((one) => one.identifier) } } }));
  }

  #offer(next) {
    this.#next = next;
    fill(this.more, next ? button("Show more", { onclick: () => this.#grow() }) : null);
  }

  async #grow() {
    const page = await contacts.conversations(this.itemId, { after: this.#next }, { signal: this.life }).catch((error) => notifyError(error));
    if (!page) return;
    this.list.append(...page.items.map((one) => this.#row(one)));
    this.#offer(page.next);
  }

  #row(one) {
    return h("li", {}, icon("mail"), h("div", {}, h("a", { href: `/c/${encodeURIComponent(one.id)}` }, h("strong", {}, `#${one.number} ${plain(one.subject) || "(no subject)"}`)),
      h("span", { class: "faint" }, `${STATUS[one.status] ?? one.status} · ${plain(one.inbox.name)}`)), timeAgo(one.last_message_at));
  }

  async #change(changes, said = "Saved.") {
    try {
      this.#show(await contacts.change(this.itemId, changes));
      notify(said);
    } catch (error) {
      notify([error.message, ...Object.values(error.fields ?? {})].join(" "), { tone: "bad" });
      this.#show(this.#contact);
    }
  }

  #addField() {
    openDialog("field-dialog", { give: async (key, field) => this.#show(await contacts.change(this.itemId, { custom: { [key]: field } })) });
  }

  async #merge() {
    const address = await ask({ title: "The same person as…", paragraphs: ["Their addresses and conversations are shown together. It can be taken back."], input: { label: "An address of the other contact", type: "email" }, confirm: "Find" });
    if (!address) return;
    try {
      const { items } = await contacts.list({ search: address, limit: 5 });
      const other = items.find((one) => one.id !== this.itemId && one.identities.some((known) => known.identifier.toLowerCase() === address.toLowerCase()));
      if (!other) return notify("No other contact has this address.", { tone: "bad" });
      await contacts.merge(other.id, this.itemId);
      notify("They are one person now.");
      this.#load();
    } catch (error) {
      notifyError(error, "Not merged");
    }
    return undefined;
  }

  async #takeOut(one) {
    try {
      await contacts.unmerge(one.id);
      this.#load();
    } catch (error) {
      notifyError(error);
    }
  }
}

customElements.define("contact-page", ContactPage);
