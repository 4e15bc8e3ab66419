/**
 * `<place-slot name>`: shows what areas hung up in a place, and hands each element the same values (`conversation` and the place's own).
 * Promises that one element that fails does not take the others with it.
 */

import { inPlace, places } from "/web/js/places.js";
import { RoomElement } from "/web/js/room-element.js";

export class PlaceSlot extends RoomElement {
  #values = {};

  attach() {
    this.listen(places, "change", (event) => event.detail === this.getAttribute("name") && this.#fill());
    this.#fill();
  }

  /** Gives values to every element, such as `{conversation}`; elements that come later get them too. */
  give(values) {
    Object.assign(this.#values, values);
    for (const element of this.children) this.#hand(element);
  }

  #fill() {
    for (const { tag } of inPlace(this.getAttribute("name"))) {
      const known = [...this.children].find((one) => one.localName === tag);
      const element = known ?? document.createElement(tag);
      this.append(element); // Moves what is there, so that the order is the registry's.
      if (!known) this.#hand(element);
    }
  }

  #hand(element) {
    try {
      Object.assign(element, this.#values);
    } catch (error) {
      reportError(error);
    }
  }
}

customElements.define("place-slot", PlaceSlot);
