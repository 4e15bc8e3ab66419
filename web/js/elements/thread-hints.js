/**
 * `<thread-hints>`: conversations that this one perhaps belongs to, above its messages.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { router } from "/web/js/router.js";

export class ThreadHints extends PlacedElement {
  build() {
    this.className = "suggestions";
    this.setAttribute("role", "complementary");
    this.setAttribute("aria-label", "Perhaps related");
    this.hidden = true;
  }

  show({ suggestions = [] }) {
    this.hidden = suggestions.length === 0;
    fill(this, suggestions.map((hint) => h("p", {}, icon("link"), "Perhaps belongs to ",
      h("a", { href: router.withList(`/c/${encodeURIComponent(hint.conversation_id)}`) }, `#${hint.number} ${plain(hint.subject)}`), h("span", { class: "faint" }, ` ${plain(hint.why)}`))));
  }
}

customElements.define("thread-hints", ThreadHints);
