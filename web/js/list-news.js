/**
 * Keeps a ListWindow fresh by the stream: one event, one conversation read, one row changed; many at once, the first page read again.
 * Promises that what the client cannot judge by itself (a search, a saved view) is judged by the server.
 */

import { conversations } from "/web/js/api/conversations.js";
import { health } from "/web/js/api/request.js";
import { settle } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";

const CALM_MS = 250;
const ONE_BY_ONE = 5;

const list = (value) => [value].flat();
const JUDGES = {
  status: (item, value) => list(value).includes(item.status),
  inbox: (item, value) => list(value).includes(item.inbox?.id),
  assigned_to: (item, value) => (value === "none" ? item.assigned_to === null : item.assigned_to?.id === (value === "me" ? store.get("me")?.user.id : value)),
  unread: (item) => item.unread_count > 0,
  sort: () => true,
};

/** Whether a list of this query shows the item; null when only the server can say. */
export function belongs(item, query) {
  const names = Object.keys(query);
  if (item.merged_into && item.merged_into !== item.id) return false;
  if (names.some((name) => !JUDGES[name]) || ["waiting", "sla_due"].includes(query.sort)) return null;
  return names.every((name) => JUDGES[name](item, query[name]));
}

export class ListNews {
  #place;
  #told;
  #signal;
  #ids = new Set();
  #stale = false;

  /** `place()` answers `{window, query}`, `told(items)` hears of those that came in, or null when the list has to be read anew. */
  constructor(place, told, signal) {
    this.#place = place;
    this.#told = told;
    this.#signal = signal;
    const calm = settle(() => this.#catchUp(), CALM_MS);
    health.addEventListener("part-back", () => (this.#stale || this.#ids.size) && calm(), { signal });
    stream.addEventListener("reload", () => this.refresh(), { signal });
    stream.addEventListener("change", ({ detail }) => {
      if (!detail.conversation_id) return;
      this.#ids.add(detail.conversation_id);
      calm();
    }, { signal });
  }

  async refresh() {
    const { window } = this.#place();
    this.#ids.clear();
    if (window === null) {
      this.#told(null);
      return;
    }
    try {
      this.#stale = false;
      const fresh = await window.refresh();
      if (window === this.#place().window) this.#told(fresh);
    } catch {
      // With rows on screen the banner already tells that the server is away; when it is back, or with the next event, all is read again.
      this.#stale = true;
    }
  }

  async #catchUp() {
    const { window, query } = this.#place();
    const ids = [...this.#ids];
    this.#ids.clear();
    if (window === null || this.#stale || ids.length > ONE_BY_ONE) {
      this.refresh();
      return;
    }
    const fresh = [];
    for (const id of ids) {
      try {
        const item = await conversations.get(id, { signal: this.#signal });
        if (window !== this.#place().window) return;
        const here = belongs(item, query);
        if (here === null) {
          this.refresh();
          return;
        }
        if (window.touch(item, here)) fresh.push(item);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (error.status === 404) window.drop(id); // Gone, or not this reader's any more.
        else if (error.status !== 401) this.#ids.add(id); // Read with the next event, or when the server is back.
      }
    }
    this.#told(fresh);
  }
}
