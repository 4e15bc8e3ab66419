/**
 * `<list-filters>`: what the list shows: view, search, inbox, order, unread. It keeps them in the address, so that a reload finds the same list.
 */

import { button, fillRows, h, icon } from "/web/js/dom.js";
import { count, plain } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { savedViews } from "/web/js/saved-views.js";
import { store } from "/web/js/store.js";
import { VIEWS } from "/web/js/words.js";

const SEARCH_MS = 300;
const SAVED = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class ListFilters extends RoomElement {
  build() {
    this.className = "list-head";
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", "What the list shows");
    this.chips = h("nav", { class: "chips", "aria-label": "Views" });
    this.search = h("input", { type: "search", placeholder: "Search conversations", "aria-label": "Search conversations", enterkeyhint: "search" });
    this.inbox = h("select", { "aria-label": "Inbox", onchange: () => this.filter({ inbox: this.inbox.value }) });
    this.order = h("select", { "aria-label": "Order", onchange: () => this.filter({ sort: this.order.value }) },
      h("option", { value: "" }, "Newest first"), h("option", { value: "oldest" }, "Oldest first"),
      h("option", { value: "waiting" }, "Longest waiting"), h("option", { value: "sla_due" }, "Next due"));
    this.unread = button("Unread", { kind: "chip", "aria-pressed": "false", onclick: () => this.filter({ unread: this.unread.getAttribute("aria-pressed") === "true" ? "" : "true" }) });
    this.heading = h("h1", {});
    this.append(
      h("div", { class: "list-title" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), this.heading),
      h("div", { class: "search", role: "search" }, icon("search"), this.search, document.createElement("search-help")), this.chips, h("div", { class: "filters" }, this.inbox, this.order, this.unread));
    this.search.addEventListener("input", settle(() => this.filter({ search: this.search.value.trim() }), SEARCH_MS));
    this.addEventListener("search-example", (event) => {
      this.search.value = event.detail;
      this.filter({ search: event.detail });
      this.focusSearch();
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      if (this.search.value) this.filter({ search: "" });
      this.search.value = "";
      this.search.blur();
    });
  }

  attach() {
    this.listen(store, "change", (event) => {
      if (event.detail.key === "inboxes") this.#showFilters();
      if (event.detail.key === "counts") this.#showChips();
    });
    this.listen(router, "change", () => this.show());
    this.listen(savedViews, "change", () => this.show());
    this.show();
  }

  get viewKey() {
    const key = router.current.query.get("view");
    return Object.hasOwn(VIEWS, key) || SAVED.test(key ?? "") ? key : "open";
  }

  /** One of the built-in views, or a saved one by its id: the server knows its conditions. */
  get view() {
    const key = this.viewKey;
    return VIEWS[key] ?? { word: plain(savedViews.get(key)?.name ?? "View"), query: { view: key, ...(savedViews.get(key)?.sort ? { sort: savedViews.get(key).sort } : {}) }, empty: "No conversation meets the conditions of this view." };
  }

  /** What the list asks the server, page size apart. */
  get query() {
    const asked = router.current.query;
    const query = { ...this.view.query };
    for (const name of ["search", "inbox", "sort"]) if (asked.get(name)) query[name] = asked.get(name);
    if (asked.get("unread")) query.unread = "true";
    return query;
  }

  /** True when more than the view narrows the list. */
  get narrowed() {
    return ["search", "inbox", "unread"].some((name) => router.current.query.get(name));
  }

  filter(changes) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const text = query.toString();
    router.replace(location.pathname + (text ? `?${text}` : ""));
  }

  clear() {
    this.search.value = "";
    this.filter({ search: "", inbox: "", unread: "" });
  }

  show() {
    this.heading.textContent = this.view.word;
    if (document.activeElement !== this.search) this.search.value = router.current.query.get("search") ?? "";
    this.#showFilters();
    this.#showChips();
  }

  #showChips() {
    const counts = store.get("counts") ?? {};
    const active = router.current.query.get("view") ?? "open";
    const chips = Object.entries(VIEWS).map(([key, { word }]) => ({ id: key, word, href: key === "open" ? "/" : `/?view=${key}`, here: key === active, amount: key === "closed" ? 0 : counts[key] }));
    fillRows(this.chips, [...chips, { id: "spam", word: "Spam", href: "/spam", here: false, amount: counts.spam }], ({ word, href, here, amount }) =>
      h("a", { class: "chip", href, "aria-current": here ? "page" : null }, word, amount ? h("b", {}, count(amount)) : null));
  }

  #showFilters() {
    const asked = router.current.query;
    fillRows(this.inbox, [{ id: "", name: "All inboxes" }, ...store.get("inboxes")], (one) => h("option", { value: one.id }, plain(one.name)), (one) => one.name);
    this.inbox.value = asked.get("inbox") ?? "";
    this.inbox.hidden = store.get("inboxes").length < 2;
    this.order.value = asked.get("sort") ?? "";
    this.unread.setAttribute("aria-pressed", String(asked.get("unread") === "true"));
  }

  focusSearch() {
    this.search.focus();
    this.search.select();
  }
}

customElements.define("list-filters", ListFilters);
