/**
 * `<rule-leaf>`: one question of a rule, in the order of a sentence: what, how, value. `value` reads and writes its JSON form.
 */

import { button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { FIELDS, OPERATORS, operatorsOf } from "/web/js/rule-words.js";
import { store } from "/web/js/store.js";

const options = (entries) => entries.map(([value, label]) => h("option", { value }, label));

export class RuleLeaf extends RoomElement {
  #given = { field: "subject", op: "contains", value: "" };
  #calendars = [];

  build() {
    this.what = h("select", { "aria-label": "What is asked", onchange: () => this.#shape() }, options(Object.entries(FIELDS).map(([name, { label }]) => [name, label])));
    this.named = h("input", { type: "text", "aria-label": "Name", maxlength: "100" });
    this.how = h("select", { "aria-label": "How", onchange: () => this.#shape(false) });
    this.place = h("span", { class: "rule-value" });
    this.append(this.what, this.named, this.how, this.place, button("", { iconName: "cross", label: "Remove this condition", kind: "quiet small", onclick: () => {
      const group = this.parentElement;
      this.remove();
      group.dispatchEvent(new CustomEvent("rule-change", { bubbles: true }));
    } }));
    this.addEventListener("input", () => this.tell("rule-change"));
    this.#put();
  }

  set value(leaf) {
    this.#given = leaf;
    if (this.what) this.#put();
  }

  set calendars(list) {
    this.#calendars = list;
    if (this.what) this.#put();
  }

  get value() {
    const field = this.what.value;
    const { kind, named } = FIELDS[field];
    const leaf = { field, op: this.how.value };
    const name = this.named.value.trim();
    if (named || (field === "inside_hours" && name)) leaf.name = name;
    const { value } = this.input;
    if (kind === "flag" || leaf.op === "exists") leaf.value = value === "yes";
    else if (leaf.op === "in") leaf.value = this.input.multiple ? [...this.input.selectedOptions].map((one) => one.value) : value.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);
    else leaf.value = value;
    return leaf;
  }

  #put() {
    const { field, name = "" } = this.#given;
    this.what.value = field;
    this.named.value = name;
    this.#shape();
  }

  /** Makes the parts that fit the field and the operator; what was given is kept where it still fits. */
  #shape(anew = true) {
    const field = this.what.value;
    const { kind, named, choices, yes, no } = FIELDS[field];
    if (anew) fill(this.how, options(operatorsOf(field).map((one) => [one, OPERATORS[one]])));
    if (anew && this.#given.field === field && operatorsOf(field).includes(this.#given.op)) this.how.value = this.#given.op;
    this.how.hidden = kind === "flag";
    this.named.hidden = !named;
    this.named.placeholder = named ?? "";
    const op = this.how.value;
    const before = this.#given.field === field ? this.#given.value : undefined;
    if (kind === "flag" || op === "exists") {
      this.input = h("select", { "aria-label": "Value" }, options(kind === "flag" ? [["yes", yes], ["no", no]] : [["yes", "yes"], ["no", "no, it is missing"]]));
      this.input.value = before === false ? "no" : "yes";
    } else if (kind === "choice" || kind === "inbox") {
      const entries = kind === "inbox" ? store.get("inboxes").map((one) => [one.id, plain(one.name)]) : Object.entries(choices);
      this.input = h("select", { "aria-label": "Value", multiple: op === "in", size: op === "in" ? "4" : null }, options(entries));
      const chosen = Array.isArray(before) ? before : [before];
      for (const one of this.input.options) if (chosen.includes(one.value)) one.selected = true;
    } else {
      this.input = h("input", { type: "text", "aria-label": op === "in" ? "Values, with commas between" : "Value", maxlength: op === "in" ? null : "500", placeholder: op === "in" ? "one, another" : "" });
      this.input.classList.toggle("pattern", op === "matches");
      this.input.value = Array.isArray(before) ? before.join(", ") : typeof before === "string" ? before : "";
    }
    fill(this.place, this.input, field === "inside_hours" && this.#calendars.length > 1 ? this.#calendar() : null);
    this.tell("rule-change");
  }

  #calendar() {
    const choice = h("select", { "aria-label": "Calendar", onchange: () => (this.named.value = choice.value) }, options([["", "the usual hours"], ...this.#calendars.map((one) => [one.id, plain(one.name)])]));
    choice.value = this.named.value;
    return choice;
  }
}

customElements.define("rule-leaf", RuleLeaf);
