/**
 * `<signature-line>`: the signature that the server will put under the reply, shown where it will stand. It is not part of the text.
 */

import { signatures } from "/web/js/api/templates.js";
import { fill, h } from "/web/js/dom.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { linkified } from "/web/js/richtext.js";

export class SignatureLine extends PlacedElement {
  #asked = null;

  build() {
    this.hidden = true; // its words stand under the text, not among the tools
    this.words = h("div", { class: "signature-line", hidden: true, title: "Your signature stands under the reply" });
    if (this.form) this.form.editor.after(this.words);
  }

  set composer(form) {
    this.form = form;
    if (this.words) form.editor.after(this.words);
  }

  async show({ id, inbox }) {
    if (this.#asked === `${id} ${inbox.id}`) return;
    this.#asked = `${id} ${inbox.id}`;
    try {
      const { text } = await signatures.under(id, { signal: this.life });
      if (this.conversation.id !== id) return;
      this.words.hidden = text === "";
      fill(this.words, h("span", { class: "unseen" }, "Signature: "), text.split("\n").map((line) => h("span", { class: "signature-words" }, linkified(line))));
    } catch (error) {
      this.words.hidden = true; // the server signs whether or not it could be shown
      if (error.name !== "AbortError") this.#asked = null;
    }
  }
}

customElements.define("signature-line", SignatureLine);
place("composer.tools", "signature-line", 90);
