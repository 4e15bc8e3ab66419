/**
 * `<address-field>`: recipients as chips. Takes typed and pasted addresses, with or without names, and marks wrong ones.
 */

import { fill, h, icon, uid } from "/web/js/dom.js";
import { fullName, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";

const ADDRESS = /^[^\s@<>,;"]+@[^\s@<>,;"]+$/;

/** One written recipient as `{address, name}`; `Anna Sample <anna@example.com>` and bare addresses are understood. */
export function readAddress(text) {
  const found = /^\s*"?([^"<]*?)"?\s*<([^<>]+)>\s*$/.exec(text);
  return found ? { name: found[1].trim(), address: found[2].trim() } : { name: "", address: text.trim() };
}

export const validAddress = (address) => ADDRESS.test(address);

export class AddressField extends RoomElement {
  #addresses = [];
  #errors = {};

  set addresses(value) {
    this.#addresses = value.map(({ address, name }) => ({ address, name: name ?? "" }));
    this.#errors = {};
    if (this.chips) this.#show();
  }

  get addresses() {
    return this.#addresses;
  }

  /** Makes what stands half-typed in the field a recipient; for the moment before sending. */
  commit() {
    this.#take(this.input?.value ?? "");
  }

  /** Marks chips by their index: `{0: "message"}`; `"*"` marks the field. */
  set errors(value) {
    this.#errors = value;
    this.#show();
  }

  build() {
    const id = uid("to");
    this.input = h("input", { id, type: "text", autocomplete: "off", spellcheck: "false", inputmode: "email" });
    this.chips = h("span", { class: "address-chips" });
    this.note = h("p", { class: "field-error", role: "alert", hidden: true });
    this.append(h("label", { for: id }, this.getAttribute("label")), h("div", { class: "addresses" }, this.chips, this.input), this.note);
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => this.#take(this.input.value));
    this.input.addEventListener("paste", (event) => {
      const text = event.clipboardData.getData("text/plain");
      if (!/[,;\n]/.test(text)) return;
      event.preventDefault();
      this.#take(text);
    });
    this.#show();
  }

  focusInput() {
    this.input.focus();
  }

  #key(event) {
    if (["Enter", ",", ";"].includes(event.key) && this.input.value.trim() && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.#take(this.input.value);
    } else if (event.key === "Backspace" && !this.input.value && this.#addresses.length) {
      this.#addresses.pop();
      this.#changed();
    }
  }

  #take(text) {
    const parts = text.split(/[,;\n]+/).map((part) => part.trim()).filter(Boolean);
    if (this.input) this.input.value = "";
    if (parts.length === 0) return;
    for (const part of parts) {
      const one = readAddress(part);
      const there = this.#addresses.some((other) => other.address.toLowerCase() === one.address.toLowerCase());
      if (!there) this.#addresses.push(one);
    }
    this.#changed();
  }

  #changed() {
    this.#errors = {};
    this.#show();
    this.tell("draft-change");
  }

  #show() {
    fill(this.chips, this.#addresses.map((one, index) => {
      const wrong = this.#errors[index] ?? (validAddress(one.address) ? null : "This is not a mail address; it needs the form name@example.com.");
      return h("span", { class: `address-chip${wrong ? " bad" : ""}`, title: wrong ?? fullName(one) }, h("span", {}, plain(one.name || one.address)),
        h("button", { type: "button", "aria-label": `Remove ${plain(one.address)}`, onclick: () => {
          this.#addresses.splice(index, 1);
          this.#changed();
          this.input.focus();
        } }, icon("cross")));
    }));
    const notes = this.#addresses.flatMap((one, index) => {
      const wrong = this.#errors[index] ?? (validAddress(one.address) ? null : "is not a mail address; it needs the form name@example.com.");
      return wrong ? [`${plain(one.address)}: ${wrong}`] : [];
    });
    if (this.#errors["*"]) notes.push(this.#errors["*"]);
    this.note.textContent = notes.join(" ");
    this.note.hidden = notes.length === 0;
  }
}

customElements.define("address-field", AddressField);
