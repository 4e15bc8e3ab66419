/**
 * `<bulk-bar>`: what can be done with the selected rows; areas hang their actions into `list.bulk`. Hidden while nothing is selected.
 * Elements get `selection`, the ids, and tell `bulk-done` when they are through with it.
 */

import { desk } from "/web/js/desk.js";
import { button, h } from "/web/js/dom.js";
import { plural } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";

export class BulkBar extends RoomElement {
  build() {
    this.setAttribute("role", "toolbar");
    this.setAttribute("aria-label", "Selected conversations");
    this.amount = h("strong", { role: "status" });
    this.slot_ = h("place-slot", { name: "list.bulk", class: "bulk-places" });
    this.append(this.amount, this.slot_, button("", { iconName: "cross", label: "Select nothing (Esc)", kind: "quiet small", onclick: () => desk.clearSelection() }));
    this.addEventListener("bulk-done", () => desk.clearSelection());
  }

  attach() {
    this.listen(desk, "change", (event) => event.detail.key === "selection" && this.#show());
    this.#show();
  }

  #show() {
    const { selection } = desk;
    this.hidden = selection.length === 0;
    this.amount.textContent = `${plural(selection.length, "conversation")} selected`;
    this.slot_.give({ selection });
  }
}

customElements.define("bulk-bar", BulkBar);
