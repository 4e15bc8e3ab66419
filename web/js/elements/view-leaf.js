/**
 * `<view-leaf>`: one condition of a saved view: what, how, value. `value` reads and writes its JSON form; `extra` is `{tags, teams}`.
 */

import { button, fill, h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { FIELDS, FIRST, isSpan, opsOf } from "/web/js/view-words.js";

const options = (entries) => entries.map(([value, label]) => h("option", { value }, label));
const UNITS = [["m", "minutes"], ["h", "hours"], ["d", "days"], ["w", "weeks"]];

export class ViewLeaf extends RoomElement {
  #given = FIRST;
  extra = { tags: [], teams: [] };

  build() {
    this.what = h("select", { "aria-label": "What is asked", onchange: () => this.#shape() }, options(Object.entries(FIELDS).map(([name, { label }]) => [name, label])));
    this.how = h("select", { "aria-label": "How", onchange: () => this.#value() });
    this.place = h("span", { class: "view-value" });
    this.append(this.what, this.how, this.place, button("", { iconName: "cross", label: "Remove this condition", kind: "quiet small", onclick: () => {
      const group = this.parentElement;
      this.remove();
      group.dispatchEvent(new CustomEvent("view-change", { bubbles: true }));
    } }));
    this.addEventListener("input", () => this.tell("view-change"));
    this.what.value = this.#given.field;
    this.#shape();
  }

  set value(leaf) {
    this.#given = leaf;
  }

  get value() {
    return { field: this.what.value, op: this.how.value, value: this.read() };
  }

  #shape() {
    const ops = Object.entries(opsOf(this.what.value));
    fill(this.how, options(ops));
    if (this.#given.field === this.what.value && opsOf(this.what.value)[this.#given.op] !== undefined) this.how.value = this.#given.op;
    this.how.hidden = FIELDS[this.what.value].kind === "yes";
    this.#value();
  }

  /** The input that fits what is asked and how; what was given is kept where it fits. */
  #value() {
    const { kind, from } = FIELDS[this.what.value];
    const op = this.how.value;
    const before = this.#given.field === this.what.value && this.#given.op === op ? this.#given.value : undefined;
    if (kind === "yes" || op === "is_set") {
      const input = h("select", { "aria-label": "Value" }, options([["yes", "yes"], ["no", "no"]]));
      input.value = before === false ? "no" : "yes";
      this.#use(() => input.value === "yes", input);
    } else if (kind === "set") {
      const boxes = from(this.extra).map(([value, label]) => h("label", { class: "check" }, h("input", { type: "checkbox", value, checked: before?.includes(value) ?? false }), label));
      this.#use(() => boxes.map((box) => box.firstChild).filter((box) => box.checked).map((box) => box.value), h("span", { class: "view-set", role: "group", "aria-label": "Values" }, boxes.length ? boxes : h("span", { class: "faint" }, "There is none yet.")));
    } else if (kind === "list") {
      const input = h("input", { type: "text", "aria-label": "Values, with commas between", value: before?.join(", ") ?? "" });
      this.#use(() => input.value.split(",").map((one) => one.trim()).filter(Boolean), input);
    } else if (kind === "number") {
      const input = h("input", { type: "number", min: "0", "aria-label": "Value", value: String(before ?? 1) });
      this.#use(() => Number.parseInt(input.value, 10), input);
    } else if (isSpan(op)) {
      const amount = h("input", { type: "number", min: "1", max: "9999", "aria-label": "How many", value: String(Number.parseInt(before ?? "2", 10)) });
      const unit = h("select", { "aria-label": "Unit" }, options(UNITS));
      unit.value = before?.at(-1) ?? "d";
      this.#use(() => `${amount.value}${unit.value}`, amount, unit);
    } else if (kind === "time") {
      const input = h("input", { type: "date", "aria-label": "Day", value: (before ?? new Date().toISOString()).slice(0, 10) });
      this.#use(() => input.value, input);
    } else {
      const input = h("input", { type: "text", maxlength: "200", "aria-label": "Value", value: before ?? "" });
      this.#use(() => input.value, input);
    }
  }

  #use(read, ...inputs) {
    this.read = read;
    fill(this.place, inputs);
    this.tell("view-change");
  }
}

customElements.define("view-leaf", ViewLeaf);
