/**
 * The base of dialogs with a form: title, body, foot with Cancel and one button that does it. `openDialog(tag, values)` shows the page's one.
 * Promises that a failure is said in the dialog and leaves what was entered. A subclass has `fillIn()`, `words` and `carryOut()`.
 */

import { button, fill, h, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

export class DialogElement extends RoomElement {
  build() {
    this.heading = h("h2", { id: uid("dialog") });
    this.body = h("div", { class: "dialog-body" });
    this.error = h("p", { class: "notice bad", role: "alert", hidden: true });
    this.yes = button(this.words.confirm, { kind: "primary", onclick: () => this.confirm() });
    this.dialog = h("dialog", { "aria-labelledby": this.heading.id }, this.heading, this.body,
      h("div", { class: "dialog-foot" }, button("Cancel", { onclick: () => this.dialog.close() }), this.yes));
    this.append(this.dialog);
  }

  /** Shows the dialog for these values; they are properties of the element until the next time. */
  show(values) {
    Object.assign(this, values);
    this.heading.textContent = this.words.title;
    this.error.hidden = true;
    this.yes.disabled = false;
    fill(this.body, this.fillIn(), this.error);
    this.dialog.showModal();
    this.body.querySelector("input, textarea, button")?.focus();
  }

  async confirm() {
    if (this.yes.disabled) return;
    this.yes.disabled = true;
    this.error.hidden = true;
    try {
      await this.carryOut();
      this.dialog.close();
    } catch (error) {
      this.say([error.message, ...Object.values(error.fields ?? {})].join(" "));
    }
    this.yes.disabled = false;
  }

  /** Says what is wrong. */
  say(text) {
    this.error.textContent = text;
    this.error.hidden = false;
  }
}

/** Opens the page's one dialog of that kind. */
export function openDialog(tag, values) {
  let element = document.querySelector(tag);
  if (!element) {
    element = document.createElement(tag);
    document.body.append(element);
  }
  element.show(values);
}
