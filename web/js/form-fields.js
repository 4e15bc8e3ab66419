/**
 * The named fields of a form: built with label, hint and a place for its complaint, read by name, and marked by the server's refusal.
 */

import { h, uid } from "/web/js/dom.js";

export class FormFields {
  #fields = new Map();

  has(name) {
    return this.#fields.has(name);
  }

  input(name) {
    return this.#fields.get(name)?.input ?? null;
  }

  /** An input without label and complaint, such as a box inside a label. */
  plain(name, attributes) {
    const input = h("input", attributes);
    this.#fields.set(name, { input, error: null });
    return input;
  }

  /** A field with its label: an input, a choice of `options` or a text area (`multiline`). */
  field(name, label, { options, multiline, hint, ...attributes }) {
    const id = uid("field");
    const tag = options ? "select" : multiline ? "textarea" : "input";
    const { value, ...rest } = attributes;
    const input = h(tag, { id, name, spellcheck: "false", "aria-describedby": `${id}-note`, ...rest }, options ? Object.entries(options).map(([key, word]) => h("option", { value: key }, word)) : null);
    input.value = value ?? "";
    const error = h("p", { class: "field-error", role: "alert", hidden: true });
    this.#fields.set(name, { input, error, label });
    input.addEventListener("input", () => this.mark(name, null));
    return h("div", { class: "field" }, h("label", { for: id }, label), input, h("div", { id: `${id}-note` }, error, hint ? h("p", { class: "hint" }, hint) : null));
  }

  /** Sets or takes away a field's complaint. False when there is no such field to show it. */
  mark(name, text) {
    const field = this.#fields.get(name);
    if (!field?.error) return false;
    field.error.textContent = text ?? "";
    field.error.hidden = !text;
    if (text) field.input.setAttribute("aria-invalid", "true");
    else field.input.removeAttribute("aria-invalid");
    return true;
  }

  value(name) {
    const { input } = this.#fields.get(name);
    if (input.type === "checkbox") return input.checked;
    if (input.type === "number") return input.value === "" ? null : Number(input.value);
    return input.type === "password" ? input.value : input.value.trim();
  }

  /** Marks what is needed and empty, and goes to the first of it. True when something lacks. */
  missing() {
    let first = null;
    for (const [name, { input, label }] of this.#fields) {
      if (!input.required || input.value.trim()) continue;
      this.mark(name, `${label} is needed.`);
      first ??= input;
    }
    first?.focus();
    return first !== null;
  }

  /** Places a refusal's complaints at their fields. Answers `{first, rest}`: the first marked input, and what has no field. */
  place(errors, nameOf = (name) => name) {
    const rest = [];
    let first = null;
    for (const [name, message] of Object.entries(errors)) {
      const place = nameOf(name);
      if (this.mark(place, message)) first ??= this.#fields.get(place).input;
      else rest.push(`${name}: ${message}`);
    }
    return { first, rest };
  }
}
