/**
 * `<sla-chip>`: how long until a conversation is due: amber once it warned, red once it is late. Hangs in `list.row` and in
 * `conversation.header`.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { exact } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { ticking } from "/web/js/sla-tick.js";
import { countdown } from "/web/js/sla-words.js";

export class SlaChip extends PlacedElement {
  #stop = null;
  #said = "";

  detach() {
    this.#still();
  }

  show({ sla }) {
    if (sla?.due_at) this.#stop ??= ticking(() => this.#tick());
    else this.#still();
    this.#tick();
  }

  #still() {
    this.#stop?.();
    this.#stop = null;
  }

  #tick() {
    const sla = this.conversation?.sla;
    const now = countdown(sla);
    this.hidden = now === null;
    const said = now ? `${now.tone} ${now.word} ${sla.due_at}` : "";
    if (said === this.#said) return;
    this.#said = said;
    if (now) fill(this, h("span", { class: `badge sla ${now.tone}`, title: sla.due_at ? `${now.label}; due ${exact(sla.due_at)}` : now.label }, icon("clock", now.label), h("span", { "aria-hidden": "true" }, now.word)));
  }
}

customElements.define("sla-chip", SlaChip);
place("list.row", "sla-chip", 5);
place("conversation.header", "sla-chip", 5);
