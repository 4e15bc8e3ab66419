/**
 * `<saved-views>`: the saved views in the side bar with their counters, those of the team first; a view that is being filled shows how far.
 */

import { fillRows, h, icon } from "/web/js/dom.js";
import { count, plain } from "/web/js/format.js";
import { place } from "/web/js/places.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { savedViews } from "/web/js/saved-views.js";
import { store } from "/web/js/store.js";
import { tinted } from "/web/js/tag-badge.js";

export class SavedViews extends RoomElement {
  build() {
    this.list = h("ul", {});
    this.add = h("a", { class: "view-add", href: "/views/new", "aria-label": "New view", title: "New view" }, icon("plus"));
    this.append(h("nav", { "aria-label": "Saved views" }, h("div", { class: "views-head" }, h("h2", {}, "Views"), this.add), this.list));
  }

  attach() {
    this.listen(savedViews, "change", () => this.#show());
    this.listen(router, "change", () => this.#show());
    this.listen(store, "change", ({ detail }) => ["counts", "me"].includes(detail.key) && this.#show());
    this.#show();
  }

  #show() {
    const asked = router.current.query.get("view");
    this.add.hidden = !store.mayWrite;
    const items = [...savedViews.items].sort((one, other) => Number(other.shared) - Number(one.shared));
    this.hidden = items.length === 0 && !store.mayWrite;
    fillRows(this.list, items, (view) => this.#row(view, asked === view.id), (view) => [view, asked === view.id, store.get("counts")?.views?.[view.id]]);
  }

  #row(view, active) {
    const amount = store.get("counts")?.views?.[view.id] ?? 0;
    const name = plain(view.name);
    return h("li", {}, h("a", { href: `/?view=${encodeURIComponent(view.id)}`, "aria-current": active ? "page" : null, title: view.shared ? `${name}, of the team` : name },
      tinted(h("span", { class: "view-icon" }, icon(view.icon)), view.color), h("span", {}, name),
      view.filling ? h("i", { class: "amount", title: "Being filled" }, view.filling.total ? `${Math.floor((100 * view.filling.done) / view.filling.total)} %` : "…") : null,
      !view.filling && amount ? h("b", { class: "amount" }, count(amount)) : null),
    active && view.may_change ? h("a", { class: "view-edit", href: `/views/${encodeURIComponent(view.id)}`, "aria-label": `Change ${name}`, title: "Change" }, icon("pen")) : null);
  }
}

customElements.define("saved-views", SavedViews);
place("nav.views", "saved-views", 10);
