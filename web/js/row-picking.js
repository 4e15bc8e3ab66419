/**
 * Selecting rows of the list: one, or with Shift all from the last one on. The selection itself is desk.js's.
 */

import { desk } from "/web/js/desk.js";

export class RowPicking {
  #windowOf;
  #from = null;

  constructor(windowOf) {
    this.#windowOf = windowOf;
  }

  pick({ id, range }) {
    const list = this.#windowOf();
    const [from, to] = [this.#from ? list.indexOf(this.#from) : -1, list.indexOf(id)];
    const ids = range && from !== -1 ? list.ids.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
    desk.select(ids, range || !desk.has(id));
    this.#from = id;
  }

  /** All rows that were read. */
  all() {
    desk.select(this.#windowOf()?.ids ?? []);
  }
}
