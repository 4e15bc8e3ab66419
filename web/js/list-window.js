/**
 * A list of any length as the client holds it: which rows there are as far as they were read, and the data of those near the reader.
 * Read by keyset pages of `fetchPage(after, limit)`, ahead and behind; data far from the reader is dropped and read again.
 * Promises that one changed item changes one entry. Leaves drawing to virtual-rows and what belongs into the list to its owner.
 */

const FIRST = 50;
const PAGE = 100;
const FAR = 200; // the most that the server gives at once, for a reader who jumped
const AHEAD = 120;
const KEPT = 1_500;

/** Dispatches `change` (the order or the length changed), `item` (detail: index) and `failed` (detail: error). */
export class ListWindow extends EventTarget {
  #fetchPage;
  #by;
  #entries = []; // {id, at, item|null, cursor|undefined}: `cursor` asks for what follows this entry
  #next = null;
  #reading = false;
  #range = [0, 0];
  #turn = 0;
  #newest;

  /** The length that somebody else knows, for the scroll bar; null when nobody does. */
  known = null;

  /** `by` gives the time in whose order the list is. */
  constructor(fetchPage, { oldestFirst = false, by = (item) => item.last_message_at } = {}) {
    super();
    this.#fetchPage = fetchPage;
    this.#by = by;
    this.#newest = oldestFirst ? -1 : 1;
  }

  /** Reads the first page. Throws what the request throws. */
  async begin() {
    const page = await this.#fetchPage(null, FIRST);
    this.#put(0, page);
    return page.items.length;
  }

  get complete() {
    return this.#next === null;
  }

  /** How many entries are known by name. */
  get length() {
    return this.#entries.length;
  }

  /** How many rows the scroll bar stands for. */
  get size() {
    if (this.complete) return this.length;
    return Math.max(this.known ?? 0, this.length + FIRST);
  }

  id(index) {
    return this.#entries[index]?.id ?? null;
  }

  item(index) {
    return this.#entries[index]?.item ?? null;
  }

  indexOf(id) {
    return this.#entries.findIndex((entry) => entry.id === id);
  }

  get ids() {
    return this.#entries.map((entry) => entry.id);
  }

  /** The reader sees these rows: their data and that around them is read, what lies far away is let go. */
  want(from, to) {
    this.#range = [Math.max(0, from - AHEAD), to + AHEAD];
    const [low, high] = [from - KEPT, to + KEPT];
    if (this.length > 4 * KEPT) this.#entries.forEach((entry, at) => (at < low || at > high) && (entry.item = null));
    this.#read();
  }

  /** Reads on after a failure. */
  again() {
    this.#read();
  }

  async #read() {
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (let start = this.#missing(); start !== null; start = this.#missing()) {
        const turn = this.#turn;
        const after = start === 0 ? null : start === this.length ? this.#next : this.#entries[start - 1].cursor;
        const page = await this.#fetchPage(after, this.#range[0] > start ? FAR : PAGE);
        if (turn === this.#turn) this.#put(start, page);
      }
    } catch (error) {
      if (error.name !== "AbortError") this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    } finally {
      this.#reading = false;
    }
  }

  /** Where a page has to begin so that it brings wanted data, or null when nothing lacks. */
  #missing() {
    const [from, to] = this.#range;
    for (let at = from; at <= Math.min(to, this.length - 1); at += 1) {
      if (this.#entries[at].item !== null) continue;
      // A page can only begin behind an entry that ended one; what lies between is read along with it.
      while (at > 0 && this.#entries[at - 1].cursor === undefined) at -= 1;
      return at;
    }
    return to >= this.length && this.#next !== null ? this.length : null;
  }

  /** Lays a page over the entries from `start` on: new ones come in, those that are not in it any more go. */
  #put(start, page) {
    const fresh = new Set(page.items.map((item) => item.id));
    const was = new Map(this.#entries.filter((entry) => fresh.has(entry.id)).map((entry) => [entry.id, entry]));
    const last = page.items.at(-1);
    const before = this.#entries.slice(0, start).filter((entry) => !fresh.has(entry.id));
    const behind = page.next === null || !last ? [] : this.#entries.slice(start).filter((entry) => !fresh.has(entry.id) && this.#order(entry, { at: this.#by(last), id: last.id }) > 0);
    const entries = page.items.map((item) => ({ id: item.id, at: this.#by(item), item, cursor: was.get(item.id)?.at === this.#by(item) ? was.get(item.id).cursor : undefined }));
    if (entries.length && page.next !== null) entries.at(-1).cursor = page.next;
    this.#entries = [...before, ...entries, ...behind];
    if (behind.length === 0) this.#next = page.next;
    this.#turn += 1;
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Reads the first page again and merges it. Answers the items that were not here before. */
  async refresh() {
    const page = await this.#fetchPage(null, FIRST);
    const was = new Set(this.ids);
    this.#put(0, page);
    this.#read();
    return page.items.filter((item) => !was.has(item.id));
  }

  /** One item changed. `belongs` says whether this list shows it. Answers true when it came in anew. */
  touch(item, belongs) {
    const at = this.indexOf(item.id);
    const entry = { id: item.id, at: this.#by(item), item, cursor: undefined };
    if (at !== -1 && belongs && this.#entries[at].at === entry.at) {
      this.#entries[at].item = item;
      this.dispatchEvent(new CustomEvent("item", { detail: at }));
      return false;
    }
    if (at === -1 && !belongs) return false;
    if (at !== -1) this.#entries.splice(at, 1);
    if (belongs) {
      const found = this.#entries.findIndex((one) => this.#order(one, entry) > 0);
      if (found !== -1 || this.complete) this.#entries.splice(found === -1 ? this.length : found, 0, entry);
    }
    this.#turn += 1;
    this.dispatchEvent(new CustomEvent("change"));
    return at === -1 && belongs;
  }

  /** An item is gone for this reader. */
  drop(id) {
    const at = this.indexOf(id);
    if (at === -1) return;
    this.#entries.splice(at, 1);
    this.#turn += 1;
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Below zero when `one` stands above `other`. */
  #order(one, other) {
    const gap = Date.parse(other.at) - Date.parse(one.at) || (one.at < other.at ? 1 : one.at > other.at ? -1 : 0) || (one.id < other.id ? 1 : one.id > other.id ? -1 : 0);
    return gap * this.#newest;
  }
}
