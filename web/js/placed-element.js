/**
 * The base of elements that hang in a place: `show(conversation, before)` runs at arrival and at each change, never before the element is built.
 * A subclass that overrides `attach` calls `super.attach()`.
 */

import { RoomElement } from "/web/js/room-element.js";

export class PlacedElement extends RoomElement {
  #conversation = null;

  set conversation(value) {
    const before = this.#conversation;
    this.#conversation = value;
    if (this.isConnected && value) this.show(value, before);
  }

  get conversation() {
    return this.#conversation;
  }

  attach() {
    if (this.#conversation) this.show(this.#conversation, null);
  }

  /** Shows a conversation. `before` is the one shown until now, of the same or another id, or null. */
  show() {}
}
