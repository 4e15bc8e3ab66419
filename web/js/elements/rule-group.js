/**
 * `<rule-group>`: conditions of which all, any or none have to hold; groups hold groups. `value` reads and writes the JSON form.
 */

import { button, h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import "/web/js/elements/rule-leaf.js";

const KINDS = [["all", "All of these hold"], ["any", "One of these holds"], ["none", "None of these holds"]];
const DEEPEST = 3; // deeper ones can be written by the API and are kept as they are

export class RuleGroup extends RoomElement {
  #given = { all: [] };
  #calendars = [];
  #depth = 1;

  build() {
    this.setAttribute("role", "group");
    this.kind = h("select", { "aria-label": "How the conditions count", onchange: () => this.tell("rule-change") }, KINDS.map(([value, label]) => h("option", { value }, label)));
    this.parts = h("div", { class: "rule-parts" });
    this.append(h("div", { class: "rule-group-head" }, this.kind, this.#depth > 1 ? button("", { iconName: "cross", label: "Remove this group", kind: "quiet small", onclick: () => this.#leave() }) : null), this.parts,
      h("div", { class: "actions" }, button("Condition", { iconName: "plus", kind: "small", onclick: () => this.#add({ field: "subject", op: "contains", value: "" }, true) }),
        this.#depth < DEEPEST ? button("Group", { iconName: "plus", kind: "small quiet", onclick: () => this.#add({ any: [{ field: "subject", op: "contains", value: "" }] }, true) }) : null));
    this.#put();
  }

  set depth(value) {
    this.#depth = value;
  }

  set calendars(list) {
    this.#calendars = list;
    for (const part of this.parts?.children ?? []) part.calendars = list;
  }

  set value(condition) {
    this.#given = condition;
    if (this.parts) this.#put();
  }

  get value() {
    const parts = [...this.parts.children].map((part) => part.value);
    if (this.kind.value === "none") return { not: { any: parts } };
    return { [this.kind.value]: parts };
  }

  #put() {
    const { all, any, not } = this.#given;
    const parts = all ?? any ?? (not ? (not.any ?? [not]) : [this.#given]);
    this.kind.value = not ? "none" : any ? "any" : "all";
    this.parts.replaceChildren();
    for (const part of parts) this.#add(part);
    this.tell("rule-change");
  }

  #add(part, focus = false) {
    const element = document.createElement(part.field ? "rule-leaf" : "rule-group");
    if (!part.field) element.depth = this.#depth + 1;
    element.calendars = this.#calendars;
    element.value = part;
    this.parts.append(element);
    if (focus) element.querySelector("select").focus();
  }

  #leave() {
    const above = this.parentElement;
    this.remove();
    above.dispatchEvent(new CustomEvent("rule-change", { bubbles: true }));
  }
}

customElements.define("rule-group", RuleGroup);
