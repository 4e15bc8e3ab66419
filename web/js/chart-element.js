/**
 * The base of charts: drawn anew whenever the room for them changes, so that letters keep their size.
 */

import { RoomElement } from "/web/js/room-element.js";

const LEAST = 240;

export class ChartElement extends RoomElement {
  #drawn = null;

  attach() {
    const watch = new ResizeObserver(() => this.#drawn && this.draw(this.#wide(), ...this.#drawn));
    watch.observe(this);
    this.life.addEventListener("abort", () => watch.disconnect());
  }

  /** Draws these figures, now and whenever there is more or less room. */
  show(...drawn) {
    this.#drawn = drawn;
    this.draw(this.#wide(), ...drawn);
  }

  #wide() {
    return Math.max(LEAST, this.clientWidth);
  }
}
