/**
 * `<field-dialog>`: a field of one's own for a contact: its name, and a number, a date, yes or no, or words. `give(key, field)` takes it.
 */

import { DialogElement } from "/web/js/dialog-element.js";
import { h, uid } from "/web/js/dom.js";

/** What somebody typed as a field. */
export function typed(text) {
  if (/^(yes|no)$/i.test(text)) return { type: "bool", value: /^yes$/i.test(text) };
  if (/^-?\d{1,14}(\.\d+)?$/.test(text)) return { type: "number", value: Number(text) };
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return { type: "date", value: text };
  return { type: "text", value: text };
}

export class FieldDialog extends DialogElement {
  give = null;

  get words() {
    return { title: "Add a field", confirm: "Add" };
  }

  fillIn() {
    const field = (label, placeholder) => h("input", { type: "text", id: uid("field"), maxlength: label === "Name" ? 50 : 1000, placeholder, onkeydown: (event) => event.key === "Enter" && this.confirm() });
    this.key = field("Name", "Plan");
    this.value = field("Value", "A number, a date such as 2025-01-31, yes or no, or words");
    return [this.key, this.value].map((input, index) => h("div", { class: "field" }, h("label", { for: input.id }, ["Name", "Value"][index]), input));
  }

  async carryOut() {
    const [key, value] = [this.key.value.trim(), this.value.value.trim()];
    if (!key || !value) throw new Error("Give both, a name and a value.");
    await this.give(key, typed(value));
  }
}

customElements.define("field-dialog", FieldDialog);
