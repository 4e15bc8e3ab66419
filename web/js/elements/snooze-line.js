/**
 * `<snooze-line>`: says until when a conversation sleeps, and wakes it. Hangs in `conversation.banner`.
 */

import { button, fill, h, icon } from "/web/js/dom.js";
import { distance, exact } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { wakeWord } from "/web/js/snooze-times.js";
import { store } from "/web/js/store.js";
import { wake } from "/web/js/elements/snooze-menu.js";

export class SnoozeLine extends PlacedElement {
  build() {
    this.className = "banner-line";
  }

  show({ id, status, snoozed_until: until }) {
    this.hidden = status !== "snoozed" || !until;
    if (this.hidden) return;
    fill(this, icon("snooze"), h("p", {}, "Snoozed until ", h("strong", { title: exact(until) }, wakeWord(until)), ` (${distance(until)}), or until the customer writes.`),
      store.mayWrite ? button("Wake now", { kind: "small", onclick: () => wake(this, id) }) : null);
  }
}

customElements.define("snooze-line", SnoozeLine);
place("conversation.banner", "snooze-line", 10);
