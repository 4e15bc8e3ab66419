/**
 * The saved views of the person who is signed in, read once and again when somebody changes one. Their counters stand in store.js.
 * Promises a `change` event when the list has changed. Leaves showing it to elements.
 */

import { views } from "/web/js/api/views.js";
import { settle } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";

class SavedViews extends EventTarget {
  #items = [];

  get items() {
    return this.#items;
  }

  /** The view of this id, or undefined while it is not known. */
  get(id) {
    return this.#items.find((view) => view.id === id);
  }

  async read() {
    if (!store.get("me")) return;
    this.#items = (await views.list()).items;
    this.dispatchEvent(new CustomEvent("change"));
  }

  forget() {
    this.#items = [];
  }
}

export const savedViews = new SavedViews();

const quietly = () => savedViews.read().catch(() => {}); // The next event asks again.
const soon = settle(quietly, 200);
stream.addEventListener("change", ({ detail }) => ["view.changed", "view.filling"].includes(detail.type) && soon());
stream.addEventListener("reload", soon);
store.addEventListener("change", ({ detail }) => {
  if (detail.key !== "me") return;
  savedViews.forget();
  if (detail.value) quietly();
});
