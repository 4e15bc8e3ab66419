/**
 * `<conversation-list>`: the list of a view: filters, rows, cursor and selection; an event of the stream changes one row.
 * Promises that live changes move neither the reader's scroll place nor the selection. Leaves paging to ListWindow, drawing to virtual-rows.
 */

import { conversations } from "/web/js/api/conversations.js";
import { desk } from "/web/js/desk.js";
import { announce, button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { ListNews } from "/web/js/list-news.js";
import { ListWindow } from "/web/js/list-window.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { RowPicking } from "/web/js/row-picking.js";
import { store } from "/web/js/store.js";

const BY = { waiting: (item) => item.waiting_since, sla_due: (item) => item.sla?.due_at };

export class ConversationList extends RoomElement {
  #asked = null;
  #cursorId = null;

  build() {
    this.filters = document.createElement("list-filters");
    this.state = document.createElement("load-state");
    this.rows = document.createElement("virtual-rows");
    this.rows.decorate = (row) => this.#decorate(row);
    this.more = h("div", { class: "more" });
    this.scroller = h("div", { class: "scroller", tabindex: "-1" }, this.state, this.rows, this.more);
    this.bulk = document.createElement("bulk-bar");
    this.append(this.filters, this.scroller, this.bulk);
    this.picking = new RowPicking(() => this.rows.window);
    this.rows.addEventListener("pick-row", (event) => this.picking.pick(event.detail));
  }

  attach() {
    this.listen(router, "change", () => this.#routed());
    this.listen(store, "change", (event) => {
      if (event.detail.key === "me") this.#routed();
      if (event.detail.key === "counts") this.#know();
    });
    this.listen(desk, "change", (event) => event.detail.key === "selection" && this.#select());
    this.news = new ListNews(() => ({ window: this.rows.window, query: this.filters.query }), (fresh) => this.#told(fresh), this.life);
    this.#asked = null;
    this.#routed();
  }

  #routed() {
    if (!store.get("me") || !["conversations", "conversation"].includes(router.current.name)) return;
    this.#mark(router.current.params.id ?? this.#cursorId);
    const asked = JSON.stringify(this.filters.query);
    if (asked === this.#asked) return;
    this.#asked = asked;
    desk.clearSelection();
    this.#load();
  }

  async #load() {
    const query = this.filters.query;
    const list = new ListWindow((after, limit) => conversations.list({ ...query, after, limit }, { signal: this.life }), { oldestFirst: Boolean(query.sort) && query.sort !== "newest", by: BY[query.sort] });
    this.rows.window = list;
    this.state.loading(8);
    list.addEventListener("failed", (event) => this.#failed(list, event.detail));
    list.addEventListener("change", () => this.rows.window === list && this.#changed());
    this.#know();
    try {
      await list.begin();
    } catch (error) {
      if (error.name === "AbortError" || this.rows.window !== list) return;
      this.state.failed(error, () => this.#load());
      this.rows.window = null;
    }
    this.tell("room-settled");
  }

  /** A view's own number is the length of its list, as long as nothing narrows it. */
  #know() {
    const list = this.rows.window;
    if (!list) return;
    list.known = this.filters.narrowed ? null : store.get("counts")?.[this.filters.viewKey] ?? store.get("counts")?.views?.[this.filters.viewKey] ?? null;
    this.rows.draw();
  }

  #changed() {
    if (this.rows.window.length) this.state.done();
    else if (this.filters.narrowed) this.state.empty("No match", "No conversation matches this search and these filters.", { iconName: "search", action: button("Show all", { onclick: () => this.filters.clear() }) });
    else this.state.empty("All clear", this.filters.view.empty);
    this.more.replaceChildren();
  }

  #failed(list, error) {
    if (list === this.rows.window) fill(this.more, h("p", { role: "alert" }, error.message), button("Try again", { iconName: "refresh", onclick: () => list.again() }));
  }

  /** Reads the first page again; without any list, the list itself. */
  refresh() {
    if (this.rows.window) this.news.refresh();
    else if (this.#asked) this.#load();
  }

  #told(fresh) {
    if (fresh === null) this.refresh();
    else if (fresh.length) announce(`New: ${fresh.map((item) => plain(item.subject)).join(", ")}`);
  }

  #select() {
    this.rows.toggleAttribute("picking", desk.selection.length > 0);
    this.rows.each((row) => this.#decorate(row));
  }

  #decorate(row) {
    const here = row.item !== null && row.item.id === this.#cursorId;
    row.toggleAttribute("current", here);
    row.selected = row.item !== null && desk.has(row.item.id);
    const link = row.querySelector("a");
    if (!link) return;
    row.link();
    link.ariaCurrent = here ? "true" : null;
  }

  #mark(id) {
    this.#cursorId = id ?? null;
    this.rows.each((row) => this.#decorate(row));
  }

  /** Selects the row under the cursor, or takes it out of the selection. */
  toggleSelected() {
    if (this.#cursorId) this.picking.pick({ id: this.#cursorId, range: false });
    return this.#cursorId !== null;
  }

  /** Moves the cursor by one row; on wide screens the conversation opens along with it. */
  step(by, open) {
    const list = this.rows.window;
    if (!list?.length) return;
    const here = list.indexOf(this.#cursorId);
    const index = Math.min(list.length - 1, Math.max(0, here === -1 ? 0 : here + by));
    this.#mark(list.id(index));
    this.rows.reveal(index);
    this.rows.row(this.#cursorId)?.querySelector("a")?.focus({ preventScroll: true });
    if (open) this.openCursor();
  }

  openCursor() {
    if (this.#cursorId) router.go(router.withList(`/c/${encodeURIComponent(this.#cursorId)}`));
    return Boolean(this.#cursorId);
  }
}

customElements.define("conversation-list", ConversationList);
