/**
 * What the agent has in hand: the open conversation and the rows that are selected. Keys, the palette and bulk actions act on it.
 * Promises a `change` event per key. Leaves who is signed in, inboxes and people to store.js.
 */

class Desk extends EventTarget {
  #conversation = null;
  #selection = new Set();

  /** The conversation on screen, or null. */
  get conversation() {
    return this.#conversation;
  }

  set conversation(value) {
    this.#conversation = value;
    this.#tell("conversation");
  }

  /** The ids of the selected rows. */
  get selection() {
    return [...this.#selection];
  }

  has(id) {
    return this.#selection.has(id);
  }

  select(ids, on = true) {
    for (const id of ids) {
      if (on) this.#selection.add(id);
      else this.#selection.delete(id);
    }
    this.#tell("selection");
  }

  clearSelection() {
    if (this.#selection.size === 0) return;
    this.#selection.clear();
    this.#tell("selection");
  }

  #tell(key) {
    this.dispatchEvent(new CustomEvent("change", { detail: { key } }));
  }
}

export const desk = new Desk();
