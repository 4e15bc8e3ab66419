/**
 * `<view-order>`: the order of saved views in the side bar, those of the team and one's own apart. A view moves by its buttons, or by
 * Alt and an arrow while one of them has the focus. What stands between views of others is left to those who may change all of them.
 */

import { views } from "/web/js/api/views.js";
import { announce, button, fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { savedViews } from "/web/js/saved-views.js";
import { tinted } from "/web/js/tag-badge.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const GROUPS = [["The team's views", (view) => view.shared], ["My views", (view) => !view.shared]];
const MOST = 10_000; // The server takes no position above it.

/** The positions that a list has, made to grow by one at least where several views have the same. */
function places(items) {
  const found = [];
  for (const { position } of items) found.push(Math.max(position, (found.at(-1) ?? -1) + 1));
  return found.at(-1) > MOST ? items.map((_, index) => index) : found;
}

export class ViewOrder extends RoomElement {
  #moving = false;

  build() {
    this.lists = h("div", { class: "view-orders" });
    this.append(h("section", { class: "sheet view-sheet", "aria-label": "Order in the side bar" }, h("fieldset", {}, h("legend", {}, "Order in the side bar"), this.lists)));
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  attach() {
    this.listen(savedViews, "change", () => this.#show());
    this.#show();
  }

  #show() {
    const focused = this.contains(document.activeElement) ? [document.activeElement.dataset.view, document.activeElement.dataset.by] : null;
    const groups = GROUPS.map(([name, has]) => [name, savedViews.items.filter(has)]).filter(([, items]) => items.length > 1 && items.every((view) => view.may_change));
    this.hidden = groups.length === 0;
    fill(this.lists, groups.map(([name, items]) => h("div", {}, h("strong", {}, name), h("ol", { "aria-label": name }, items.map((view, index) => this.#row(view, index, items))))));
    if (focused) this.#focus(...focused);
  }

  #row(view, index, items) {
    const name = plain(view.name);
    const mover = (by, word) => button("", { iconName: "down", label: `Move ${name} ${word}`, kind: "quiet small", disabled: index + by < 0 || index + by >= items.length, "data-view": view.id, "data-by": String(by), onclick: () => this.#move(view.id, by) });
    return h("li", {}, tinted(h("span", { class: "view-icon" }, icon(view.icon)), view.color), h("span", {}, name), mover(-1, "up"), mover(1, "down"));
  }

  /** The same button again, or its neighbour when the view has come to an end. */
  #focus(view, by) {
    const [same, other] = [by, String(-Number(by))].map((way) => this.lists.querySelector(`[data-view="${CSS.escape(view ?? "")}"][data-by="${CSS.escape(way ?? "")}"]`));
    (same && !same.disabled ? same : other)?.focus();
  }

  #key(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const { view } = event.target.dataset;
    if (!by || !event.altKey || !view) return;
    event.preventDefault();
    this.#move(view, by);
  }

  /** Moves a view by one. Dying between two calls leaves two views on one position, which the next move sets right. */
  async #move(id, by) {
    const view = savedViews.get(id);
    if (this.#moving || !view) return;
    const items = savedViews.items.filter((one) => one.shared === view.shared);
    const from = items.indexOf(view);
    if (from + by < 0 || from + by >= items.length) return;
    this.#moving = true;
    try {
      const free = places(items);
      items.splice(from + by, 0, ...items.splice(from, 1));
      for (const [index, one] of items.entries()) if (one.position !== free[index]) await views.change(one.id, { position: free[index] });
      await savedViews.read();
      announce(`${plain(view.name)} is ${from + by + 1} of ${items.length}`);
    } catch (error) {
      notifyError(error, "Not moved");
    } finally {
      this.#moving = false;
    }
  }
}

customElements.define("view-order", ViewOrder);
