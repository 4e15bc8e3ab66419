/**
 * `<conversation-list>`: the list with views, inbox filter, search and endless keyset pages, kept fresh by the stream.
 * Promises that live updates move neither the reader's scroll place nor the selection. Leaves the detail to conversation-view.
 */

import { conversations } from "/web/js/api/conversations.js";
import { desk } from "/web/js/desk.js";
import { announce, button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";

const PAGE = 50;
const CALM_MS = 250;

export class ConversationList extends RoomElement {
  #rows = new Map();
  #next = null;
  #loaded = false;
  #query = null;
  #cursorId = null;
  #turn = 0;
  #paging = false;

  build() {
    this.filters = document.createElement("list-filters");
    this.state = document.createElement("load-state");
    this.list = h("div", { class: "rows", role: "list", "aria-label": "Conversations" });
    this.more = h("div", { class: "more" });
    this.scroller = h("div", { class: "scroller", tabindex: "-1" }, this.state, this.list, this.more);
    this.bulk = document.createElement("bulk-bar");
    this.append(this.filters, this.scroller, this.bulk);
  }

  attach() {
    const fresh = settle(() => this.refresh(), CALM_MS);
    this.listen(router, "change", () => this.#routed());
    this.listen(stream, "reload", () => this.refresh());
    this.listen(stream, "change", (event) => {
      if (event.detail.conversation_id) fresh();
    });
    this.listen(store, "change", (event) => {
      if (event.detail.key === "me") this.#routed();
    });
    const seen = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#page(), { root: this.scroller, rootMargin: "600px" });
    seen.observe(this.more);
    this.life.addEventListener("abort", () => seen.disconnect());
    this.#query = null;
    this.#routed();
  }

  #listQuery() {
    return { ...this.filters.query, limit: PAGE };
  }

  #routed() {
    if (!store.get("me") || !["conversations", "conversation"].includes(router.current.name)) return;
    const asked = JSON.stringify(this.#listQuery());
    this.#mark(router.current.params.id ?? this.#cursorId);
    if (asked === this.#query) return;
    this.#query = asked;
    this.#load();
  }

  async #load() {
    const turn = (this.#turn += 1);
    this.#loaded = false;
    this.#rows.clear();
    this.#next = null;
    this.list.replaceChildren();
    this.more.replaceChildren();
    this.scroller.scrollTop = 0;
    this.state.loading(8);
    try {
      const page = await conversations.list(this.#listQuery(), { signal: this.life });
      if (turn !== this.#turn) return;
      this.#loaded = true;
      this.#next = page.next;
      this.#arrange(page.items);
    } catch (error) {
      if (error.name !== "AbortError" && turn === this.#turn) this.state.failed(error, () => this.#load());
    }
  }

  /** Reads the first page again and merges it: rows keep their elements, so scroll and focus stay where they are. */
  async refresh() {
    if (!this.#loaded) return this.#query ? this.#load() : undefined;
    const turn = this.#turn;
    try {
      const page = await conversations.list(this.#listQuery(), { signal: this.life });
      if (turn !== this.#turn) return undefined;
      const known = new Set(page.items.map((item) => item.id));
      // Below the first page the old order stands. When the page is not full, it is the whole list.
      const tail = page.next === null ? [] : this.items.filter((item) => !known.has(item.id) && this.#below(item, page.items.at(-1)));
      if (tail.length === 0) this.#next = page.next;
      const before = new Set(this.#rows.keys());
      this.#arrange([...page.items, ...tail]);
      const fresh = page.items.filter((item) => !before.has(item.id));
      if (fresh.length) announce(`New: ${fresh.map((item) => plain(item.subject)).join(", ")}`);
    } catch (error) {
      if (error.name !== "AbortError" && this.#rows.size === 0) this.state.failed(error, () => this.#load());
      // With rows on screen the banner already tells that the server is away; the next event reads again.
    }
    return undefined;
  }

  #below(item, last) {
    const oldest = router.current.query.get("sort") === "oldest";
    return oldest ? item.last_message_at >= last.last_message_at : item.last_message_at <= last.last_message_at;
  }

  async #page() {
    if (!this.#loaded || !this.#next || this.#paging) return;
    this.#paging = true;
    const turn = this.#turn;
    fill(this.more, h("p", { class: "faint" }, "Loading more"));
    try {
      const page = await conversations.list({ ...this.#listQuery(), after: this.#next }, { signal: this.life });
      if (turn !== this.#turn) return;
      this.#next = page.next;
      this.#arrange([...this.items, ...page.items.filter((item) => !this.#rows.has(item.id))]);
      this.more.replaceChildren();
    } catch (error) {
      if (error.name !== "AbortError") fill(this.more, h("p", {}, error.message), button("Try again", { iconName: "refresh", onclick: () => this.#page() }));
    } finally {
      this.#paging = false;
    }
  }

  get items() {
    return [...this.list.children].map((row) => row.item);
  }

  #arrange(items) {
    const wanted = new Set(items.map((item) => item.id));
    for (const [id, row] of this.#rows) {
      if (!wanted.has(id)) {
        row.remove();
        this.#rows.delete(id);
      }
    }
    let place = this.list.firstElementChild;
    for (const item of items) {
      let row = this.#rows.get(item.id);
      if (!row) {
        row = h("conversation-row", { role: "listitem" });
        this.#rows.set(item.id, row);
      }
      if (!row.item || JSON.stringify(row.item) !== JSON.stringify(item)) row.item = item;
      if (row === place) place = place.nextElementSibling;
      else this.list.insertBefore(row, place);
      row.link();
    }
    this.#mark(router.current.params.id ?? this.#cursorId);
    if (items.length) this.state.done();
    else this.#showEmpty();
  }

  #showEmpty() {
    if (this.filters.narrowed) this.state.empty("No match", "No conversation matches this search and these filters.", { iconName: "search", action: button("Show all", { onclick: () => this.filters.clear() }) });
    else this.state.empty("All clear", this.filters.view.empty);
  }

  #mark(id) {
    this.#cursorId = id ?? null;
    for (const [key, row] of this.#rows) {
      const here = key === id;
      row.toggleAttribute("current", here);
      const link = row.querySelector("a");
      if (here) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  /** Moves the cursor by one row; on wide screens the conversation opens along with it. */
  step(by, open) {
    const ids = this.items.map((item) => item.id);
    if (ids.length === 0) return;
    const here = ids.indexOf(this.#cursorId);
    const id = ids[Math.min(ids.length - 1, Math.max(0, here === -1 ? 0 : here + by))];
    this.#mark(id);
    this.#rows.get(id).scrollIntoView({ block: "nearest" });
    this.#rows.get(id).querySelector("a").focus({ preventScroll: true });
    if (open) this.openCursor();
  }

  openCursor() {
    if (this.#cursorId) router.go(router.withList(`/c/${encodeURIComponent(this.#cursorId)}`));
    return Boolean(this.#cursorId);
  }

  /** Selects the row under the cursor, or takes it out of the selection. */
  toggleSelected() {
    if (!this.#cursorId) return false;
    desk.select([this.#cursorId], !desk.has(this.#cursorId));
    return true;
  }

  focusSearch() {
    this.filters.focusSearch();
  }
}

customElements.define("conversation-list", ConversationList);
