/**
 * `<ask-dialog>`: a question before something that cannot be taken back, or for one short value.
 * Answers a promise: false or null when dismissed, true, the text or `{checked}` when confirmed.
 */

import { button, fill, h, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

export class AskDialog extends RoomElement {
  #resolve = null;

  build() {
    this.title_ = h("h2", { id: uid("ask") });
    this.body = h("div", { class: "dialog-body" });
    this.foot = h("div", { class: "dialog-foot" });
    this.dialog = h("dialog", { class: "ask", "aria-labelledby": this.title_.id }, this.title_, this.body, this.foot);
    this.dialog.addEventListener("close", () => this.#answer(null));
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.append(this.dialog);
  }

  /** `paragraphs` explain; `input` = `{label, value, type, placeholder}` asks for a value, `option` is the label of a box to tick. */
  ask({ title, paragraphs = [], confirm, danger = false, input = null, option = null }) {
    this.#answer(null);
    this.title_.textContent = title;
    const field = input ? h("input", { type: input.type ?? "text", value: input.value ?? "", placeholder: input.placeholder, id: uid("ask-input") }) : null;
    const box = option ? h("input", { type: "checkbox" }) : null;
    fill(
      this.body,
      paragraphs.map((text) => h("p", {}, text)),
      field ? h("div", { class: "field" }, h("label", { for: field.id }, input.label), field) : null,
      box ? h("label", { class: "check" }, box, option) : null,
    );
    const accept = () => {
      const value = field ? field.value.trim() : box ? { checked: box.checked } : true;
      if (value === "") return field.focus();
      this.#answer(value);
      this.dialog.close();
      return undefined;
    };
    field?.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        accept();
      }
    });
    const yes = button(confirm, { kind: danger ? "danger" : "primary", onclick: accept });
    const no = button("Cancel", { onclick: () => this.dialog.close() });
    fill(this.foot, no, yes);
    this.dialog.showModal();
    (field ?? (danger ? no : yes)).focus();
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  #answer(value) {
    const resolve = this.#resolve;
    this.#resolve = null;
    resolve?.(value);
  }
}

customElements.define("ask-dialog", AskDialog);

/** Asks by the page's one dialog. */
export function ask(question) {
  return document.querySelector("ask-dialog").ask(question);
}
