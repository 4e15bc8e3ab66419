/**
 * `<view-group>`: conditions of which all or any have to hold; groups hold groups, three levels deep. `value` reads and writes the JSON form.
 */

import { button, h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { FIELDS, FIRST } from "/web/js/view-words.js";
import "/web/js/elements/view-leaf.js";

const DEEPEST = 3;

export class ViewGroup extends RoomElement {
  #given = { all: [FIRST] };
  depth = 1;
  extra = { tags: [], teams: [] };

  build() {
    this.setAttribute("role", "group");
    this.way = h("select", { "aria-label": "How the conditions count", onchange: () => this.tell("view-change") },
      h("option", { value: "all" }, "All of these hold"), h("option", { value: "any" }, "One of these holds"));
    this.parts = h("div", { class: "view-parts" });
    this.append(h("div", { class: "view-group-head" }, this.way, this.depth > 1 ? button("", { iconName: "cross", label: "Remove this group", kind: "quiet small", onclick: () => this.#leave() }) : null), this.parts,
      h("div", { class: "actions" }, button("Condition", { iconName: "plus", kind: "small", onclick: () => this.#add(FIRST, true) }),
        this.depth < DEEPEST ? button("Group", { iconName: "plus", kind: "small quiet", onclick: () => this.#add({ any: [FIRST] }, true) }) : null));
    this.#put();
  }

  set value(tree) {
    this.#given = tree;
    if (this.parts) this.#put();
  }

  get value() {
    return { [this.way.value]: [...this.parts.children].map((part) => part.value) };
  }

  #put() {
    this.way.value = this.#given.any ? "any" : "all";
    this.parts.replaceChildren();
    for (const part of this.#given.any ?? this.#given.all ?? []) this.#add(part);
  }

  #add(part, focus = false) {
    const leaf = part.field !== undefined;
    if (leaf && !FIELDS[part.field]) return this.#keep(part);
    const element = document.createElement(leaf ? "view-leaf" : "view-group");
    if (!leaf) element.depth = this.depth + 1;
    element.extra = this.extra;
    element.value = part;
    this.parts.append(element);
    if (focus) element.querySelector("select").focus();
  }

  /** What only the API can write stays as it is. */
  #keep(part) {
    const kept = h("code", {}, `${part.field} ${part.op} ${JSON.stringify(part.value)}`);
    kept.value = part;
    this.parts.append(kept);
  }

  #leave() {
    const above = this.parentElement;
    this.remove();
    above.dispatchEvent(new CustomEvent("view-change", { bubbles: true }));
  }
}

customElements.define("view-group", ViewGroup);
