/**
 * `<virtual-rows>`: draws the rows of a ListWindow that are in sight, each of one height, in a place as high as the whole list.
 * Promises that a row keeps its element while it is in sight, and that what changes above the reader does not move the reader.
 */

import { h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

const ROW_PX = 76;
const BEYOND = 6;

export class VirtualRows extends RoomElement {
  #window = null;
  #rows = new Map();
  #spare = [];
  #frame = 0;
  #top = null;

  /** What the owner adds to a row; set before the first window. */
  decorate = () => {};

  build() {
    this.setAttribute("role", "list");
    this.setAttribute("aria-label", "Conversations");
    this.style.setProperty("--row-px", `${ROW_PX}px`);
  }

  attach() {
    this.scroller = this.parentElement;
    this.listen(this.scroller, "scroll", () => this.#later(), { passive: true });
    const sized = new ResizeObserver(() => this.#later());
    sized.observe(this.scroller);
    this.life.addEventListener("abort", () => sized.disconnect());
  }

  get window() {
    return this.#window;
  }

  set window(value) {
    this.#window = value;
    this.replaceChildren();
    this.#rows.clear();
    [this.#spare, this.#top] = [[], null];
    this.scroller.scrollTop = 0;
    this.draw();
    value?.addEventListener("change", () => value === this.#window && this.#changed(), { signal: this.life });
    value?.addEventListener("item", (event) => value === this.#window && this.#redraw(event.detail), { signal: this.life });
  }

  /** The order changed: unless the reader is at the very top, the scroll place follows the row last drawn at the top, by as much; a scroll since then, not drawn yet, holds. */
  #changed() {
    const top = this.scroller.scrollTop > 0 ? this.#top : null;
    this.#size();
    const index = top ? this.#window.indexOf(top.id) : -1;
    if (index !== -1 && index !== top.index) this.scroller.scrollTop += (index - top.index) * ROW_PX;
    this.draw();
  }

  #size() {
    this.style.setProperty("block-size", `${(this.#window?.size ?? 0) * ROW_PX}px`);
  }

  #later() {
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Which rows are in sight, as first and last index. */
  get sight() {
    const { scrollTop, clientHeight } = this.scroller;
    return [Math.max(0, Math.floor(scrollTop / ROW_PX)), Math.min(this.#window.size - 1, Math.ceil((scrollTop + clientHeight) / ROW_PX))];
  }

  draw() {
    this.#frame = 0;
    this.#size();
    if (!this.#window) return;
    const [first, last] = this.sight;
    const topId = this.#window.id(first);
    this.#top = topId && { id: topId, index: first };
    const wanted = new Map();
    for (let index = Math.max(0, first - BEYOND); index <= Math.min(this.#window.size - 1, last + BEYOND); index += 1) {
      wanted.set(this.#window.id(index) ?? `unread ${index}`, index);
    }
    this.#free(wanted);
    let place = this.firstElementChild;
    for (const [id, index] of [...wanted].sort((one, other) => one[1] - other[1])) {
      const row = this.#take(id);
      // In the order of the list, also in the document: for the keyboard and for those who hear the page.
      if (row === place) place = place.nextElementSibling;
      else this.insertBefore(row, place);
      this.#show(row, index);
    }
    this.#window.want(first, last);
  }

  /** Takes rows out of sight back, for others. Whoever has the focus keeps the element, in sight or not. */
  #free(wanted) {
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      const index = row.contains(document.activeElement) ? this.#window.indexOf(id) : -1;
      if (index !== -1) {
        wanted.set(id, index);
        continue;
      }
      this.#rows.delete(id);
      row.remove();
      this.#spare.push(row);
    }
  }

  #take(id) {
    const row = this.#rows.get(id) ?? this.#spare.pop() ?? h("conversation-row", { role: "listitem" });
    this.#rows.set(id, row);
    return row;
  }

  #show(row, index) {
    row.style.setProperty("translate", `0 ${index * ROW_PX}px`);
    row.setAttribute("aria-posinset", String(index + 1));
    row.setAttribute("aria-setsize", this.#window.complete || this.#window.known ? String(this.#window.size) : "-1");
    const item = this.#window.item(index);
    if (row.item !== item || item === null) row.item = item;
    this.decorate(row);
  }

  #redraw(index) {
    const row = this.#rows.get(this.#window.id(index));
    if (row) this.#show(row, index);
  }

  each(action) {
    for (const row of this.#rows.values()) if (row.item) action(row);
  }

  row(id) {
    return this.#rows.get(id) ?? null;
  }

  /** Brings a row into sight, with the least movement. */
  reveal(index) {
    const top = index * ROW_PX;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + ROW_PX > scrollTop + clientHeight) this.scroller.scrollTop = top + ROW_PX - clientHeight;
    this.draw();
  }
}

customElements.define("virtual-rows", VirtualRows);
