/**
 * `<pane-divider pane>`: the line between two panes, to be dragged or moved with the arrow keys; a double click or Enter brings the usual width back.
 * Promises that what it says (`aria-valuenow`) is the width on the screen. Leaves widths and their bounds to panes.js.
 */

import { keepWidth, PANES, widen } from "/web/js/panes.js";
import { RoomElement } from "/web/js/room-element.js";

const STEP = 16;

export class PaneDivider extends RoomElement {
  #drag = null; // {x, width} where it began

  build() {
    this.name = this.getAttribute("pane");
    const { title, least, most } = PANES[this.name];
    const said = { role: "separator", tabindex: "0", "aria-orientation": "vertical", "aria-label": title, "aria-valuemin": least, "aria-valuemax": most, title: `${title}: drag, or press arrow keys; a double click resets it` };
    for (const [name, value] of Object.entries(said)) this.setAttribute(name, String(value));
  }

  attach() {
    this.pane = document.querySelector(PANES[this.name].of);
    const sized = new ResizeObserver(() => this.#say());
    sized.observe(this.pane);
    this.life.addEventListener("abort", () => sized.disconnect());
    this.listen(this, "pointerdown", (event) => this.#begin(event));
    this.listen(this, "pointermove", (event) => this.#drag && widen(this.name, this.#dragged(event)));
    this.listen(this, "pointerup", (event) => this.#end(event));
    this.listen(this, "pointercancel", () => this.#end(null));
    this.listen(this, "dblclick", () => keepWidth(this.name, null));
    this.listen(this, "keydown", (event) => this.#key(event));
    this.#say();
  }

  get #width() {
    return this.pane.getBoundingClientRect().width;
  }

  #say() {
    this.setAttribute("aria-valuenow", String(Math.round(this.#width)));
  }

  #begin(event) {
    if (event.button !== 0) return;
    event.preventDefault(); // no text is selected on the way
    this.focus();
    this.setPointerCapture(event.pointerId); // also over the frames of mails, which would keep the pointer
    this.#drag = { x: event.clientX, width: this.#width };
  }

  #dragged(event) {
    return this.#drag.width + PANES[this.name].side * (event.clientX - this.#drag.x);
  }

  /** A press without a move chooses nothing, so that a double click is not two choices. */
  #end(event) {
    if (this.#drag && event && event.clientX !== this.#drag.x) keepWidth(this.name, this.#dragged(event));
    else if (this.#drag && !event) widen(this.name, this.#drag.width);
    this.#drag = null;
  }

  #key(event) {
    const { side, least, most } = PANES[this.name];
    const widths = { ArrowLeft: this.#width - side * STEP, ArrowRight: this.#width + side * STEP, Home: least, End: most, Enter: null };
    if (!Object.hasOwn(widths, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keepWidth(this.name, widths[event.key]);
  }
}

customElements.define("pane-divider", PaneDivider);
