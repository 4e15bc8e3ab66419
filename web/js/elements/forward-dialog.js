/**
 * `<forward-dialog>`: passes a message on with a note. It leaves in a conversation of its own, so that no answer gets among the customer's mails.
 */

import { shape } from "/web/js/api/shape.js";
import { DialogElement } from "/web/js/dialog-element.js";
import { h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { router } from "/web/js/router.js";
import { notify } from "/web/js/elements/toast-stack.js";

const ADDRESS = /[^\s,;<>]+@[^\s,;<>]+/g;
/** "Ann <ann@x>, bob@y" as `[{address, name}]`. */
export const addressesIn = (text) => (text.match(ADDRESS) ?? []).map((address) => ({ address, name: "" }));

export class ForwardDialog extends DialogElement {
  conversation = null;
  message = null;
  #key = null;

  get words() {
    return { title: "Forward this message", confirm: "Forward" };
  }

  fillIn() {
    this.#key = crypto.randomUUID();
    const field = (label, input) => h("div", { class: "field" }, h("label", { for: input.id }, label), input);
    const text = (placeholder) => h("input", { type: "text", id: uid("forward"), autocomplete: "off", placeholder, oninput: () => (this.#key = crypto.randomUUID()) });
    this.to = text("repair@example.com, …");
    this.cc = text("");
    this.note = h("textarea", { id: uid("forward"), rows: 4, oninput: () => (this.#key = crypto.randomUUID()) });
    this.files = h("input", { type: "checkbox", checked: true, onchange: () => (this.#key = crypto.randomUUID()) });
    return [field("To", this.to), field("Cc", this.cc), field("Note", this.note),
      h("label", { class: "check" }, this.files, " With its files"),
      h("p", { class: "faint" }, "The customer is not told, and answers come to a conversation of their own.")];
  }

  async carryOut() {
    const to = addressesIn(this.to.value);
    if (to.length === 0) throw new Error("Give at least one address.");
    const asked = { message_id: this.message, to, cc: addressesIn(this.cc.value), note: this.note.value, attachments: this.files.checked };
    const made = await shape.forward(this.conversation.id, asked, this.#key);
    const see = () => router.go(router.withList(`/c/${encodeURIComponent(made.conversation_id)}`));
    notify(`Forwarded to ${plain(to[0].address)}.`, { action: { text: "Look", run: see } });
  }
}

customElements.define("forward-dialog", ForwardDialog);
