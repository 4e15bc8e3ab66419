/**
 * What areas add to a thread (`threadItems` of places.js), kept in order of time between the messages.
 * Promises that an item keeps its element while it is known, and that a source that cannot be read leaves the messages alone.
 */

import { settle } from "/web/js/room-element.js";
import { stream } from "/web/js/stream.js";
import { places, threadSources } from "/web/js/places.js";

const CALM_MS = 200;

export class ThreadExtras {
  #list;
  #signal;
  #conversation = null;
  #shown = new Map();
  #times = new WeakMap();

  constructor(list, signal) {
    this.#list = list;
    this.#signal = signal;
    threadSources().forEach((source) => this.#follow(source));
    places.addEventListener("change", (event) => event.detail === "thread.items" && this.#follow(threadSources().at(-1)), { signal });
  }

  #follow(source) {
    const signal = this.#signal;
    const fresh = settle(() => this.#read(source), CALM_MS);
    stream.addEventListener("change", ({ detail }) => detail.conversation_id === this.#conversation?.id && source.wants(detail) && fresh(), { signal });
    stream.addEventListener("reload", fresh, { signal });
    // For what this agent wrote: shown at once, without waiting for the stream.
    this.#list.addEventListener("thread-changed", fresh, { signal });
    this.#read(source);
  }

  clear() {
    this.#conversation = null;
    this.#shown.clear();
  }

  give(conversation) {
    const other = this.#conversation?.id !== conversation.id;
    this.#conversation = conversation;
    for (const element of this.#shown.values()) element.conversation = conversation;
    if (other) threadSources().forEach((source) => this.#read(source));
  }

  /** Puts an element at its place in time, behind what is of the same moment. `at` may have fractions of a second or none. */
  insert(element, at) {
    const time = Date.parse(at);
    this.#times.set(element, time);
    const after = [...this.#list.children].findLast((one) => this.#times.get(one) <= time);
    if (after) after.after(element);
    else this.#list.prepend(element);
  }

  async #read(source) {
    const conversation = this.#conversation;
    if (!conversation) return;
    let items;
    try {
      items = await source.read(conversation.id, { signal: this.#signal });
    } catch (error) {
      if (error.name !== "AbortError" && !error.status) reportError(error);
      return; // The banner tells that the server is away; the next event or reload reads again.
    }
    if (this.#conversation?.id !== conversation.id) return;
    const wanted = new Set(items.map((item) => `${source.tag} ${item.id}`));
    for (const [key, element] of this.#shown) {
      if (element.localName !== source.tag || wanted.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    for (const item of items) this.#show(source, item);
  }

  #show(source, item) {
    const key = `${source.tag} ${item.id}`;
    const element = this.#shown.get(key) ?? document.createElement(source.tag);
    element.conversation = this.#conversation;
    element.item = item;
    if (this.#shown.has(key)) return;
    this.#shown.set(key, element);
    this.insert(element, item.at);
  }
}
