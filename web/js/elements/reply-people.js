/**
 * `<reply-people>`: to whom a reply goes: To, and Cc and Bcc once they are needed.
 */

import { button, h, icon } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

const FIELDS = ["to", "cc", "bcc"];

export class ReplyPeople extends RoomElement {
  #reply = {};

  build() {
    this.to = h("address-field", { label: "To" });
    this.cc = h("address-field", { label: "Cc", hidden: true });
    this.bcc = h("address-field", { label: "Bcc", hidden: true });
    this.ccToggle = button("Cc", { kind: "quiet small", onclick: () => this.#reveal("cc") });
    this.bccToggle = button("Bcc", { kind: "quiet small", onclick: () => this.#reveal("bcc") });
    this.whom = button("", { kind: "quiet small", onclick: () => (this.kind = this.cc.addresses.length ? "reply" : "reply-all") });
    this.append(
      h("div", { class: "reply-people" }, this.to, h("div", { class: "cc-toggles" }, this.whom, this.ccToggle, this.bccToggle,
        button("", { iconName: "down", label: "Fold the reply box", kind: "quiet small", onclick: () => this.tell("fold-wanted") }))),
      this.cc, this.bcc);
  }

  #reveal(name) {
    this[name].hidden = false;
    this[`${name}Toggle`].hidden = true;
    this[name].focusInput();
  }

  /** The recipients of a draft; where it names none, those of the server's suggestion. */
  put(draft, reply) {
    this.#reply = reply;
    this.#set(draft.to ?? reply.to ?? [], draft.cc ?? reply.cc ?? [], draft.bcc ?? []);
  }

  /** `reply` answers the correspondent alone, `reply-all` everyone in the conversation. */
  set kind(value) {
    this.#set(this.#reply.to ?? [], value === "reply" ? [] : this.#reply.cc ?? [], this.bcc.addresses);
    this.tell("draft-change");
  }

  #set(to, cc, bcc) {
    this.whom.hidden = !this.#reply.cc?.length;
    this.whom.replaceChildren(icon(cc.length ? "reply" : "reply-all"), h("span", {}, cc.length ? "Only the sender" : "Everyone"));
    this.to.addresses = to;
    for (const [name, value] of [["cc", cc], ["bcc", bcc]]) {
      this[name].addresses = value;
      this[name].hidden = value.length === 0;
      this[`${name}Toggle`].hidden = value.length > 0;
    }
  }

  get value() {
    return Object.fromEntries(FIELDS.map((name) => [name, this[name].addresses]));
  }

  get everyone() {
    return FIELDS.flatMap((name) => this[name].addresses);
  }

  /** Takes what stands half-typed in a field as an address. */
  commit() {
    for (const name of FIELDS) this[name].commit();
  }

  /** Complaints of the server by field and index. */
  set errors(marks) {
    for (const name of FIELDS) {
      this[name].errors = marks[name] ?? {};
      if (Object.keys(marks[name] ?? {}).length) this[name].hidden = false;
    }
  }
}

customElements.define("reply-people", ReplyPeople);
