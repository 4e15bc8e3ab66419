/**
 * `<rule-action>`: one thing that a rule does. `value` reads and writes its JSON form; `names` are the people, teams, templates and webhooks.
 */

import { button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { ACTIONS, STATUSES } from "/web/js/rule-words.js";
import { PRIORITY } from "/web/js/words.js";

const LISTS = { assign: "users", team: "teams", auto_response: "templates", draft: "templates", webhook: "webhooks" };
const options = (entries) => entries.map(([value, label]) => h("option", { value }, label));

export class RuleAction extends RoomElement {
  #given = { type: "tag", names: [] };
  #names = {};

  build() {
    this.kind = h("select", { "aria-label": "What is done", onchange: () => this.#shape() }, options(Object.entries(ACTIONS)));
    this.place = h("span", { class: "rule-value" });
    this.override = h("input", { type: "checkbox" });
    this.overrideLine = h("label", { class: "check" }, this.override, "also from an agent who holds it by hand");
    this.append(this.kind, this.place, this.overrideLine, button("", { iconName: "cross", label: "Remove this action", kind: "quiet small", onclick: () => {
      const list = this.parentElement;
      this.remove();
      list.dispatchEvent(new CustomEvent("rule-change", { bubbles: true }));
    } }));
    this.addEventListener("input", () => this.tell("rule-change"));
    this.#put();
  }

  set names(value) {
    this.#names = value;
    if (this.kind) this.#put();
  }

  set value(action) {
    this.#given = action;
    if (this.kind) this.#put();
  }

  get value() {
    const kind = this.kind.value;
    const value = this.input?.value ?? "";
    if (kind === "tag" || kind === "untag") return { type: kind, names: value.split(",").map((one) => one.trim()).filter(Boolean) };
    if (kind === "assign" || kind === "team") return { type: "assign", [kind === "team" ? "team" : "user"]: value, ...(this.override.checked ? { override: true } : {}) };
    if (kind === "auto_response" || kind === "draft") return { type: kind, template: value };
    if (kind === "webhook") return { type: kind, endpoint: value };
    return kind === "spam" ? { type: kind } : { type: kind, value };
  }

  #put() {
    this.kind.value = this.#given.type === "assign" && this.#given.team ? "team" : this.#given.type;
    this.override.checked = this.#given.override === true;
    this.#shape();
  }

  #shape() {
    const kind = this.kind.value;
    const { type, names, user, team, template, endpoint, value } = this.#given;
    const same = type === kind || (kind === "team" && type === "assign");
    this.overrideLine.hidden = kind !== "assign" && kind !== "team";
    this.input = null;
    if (LISTS[kind]) {
      const list = this.#names[LISTS[kind]] ?? [];
      this.input = h("select", { "aria-label": "Who or what" }, options(list.map((one) => [one.id, plain(one.name)])));
      const held = same ? (user ?? team ?? template ?? endpoint) : undefined;
      if (held && list.some((one) => one.id === held)) this.input.value = held;
      else if (held) this.input.append(h("option", { value: held, selected: true }, "(gone)"));
    } else if (kind === "priority" || kind === "status") {
      this.input = h("select", { "aria-label": "Value" }, options(Object.entries(kind === "status" ? STATUSES : PRIORITY)));
      if (same && value) this.input.value = value;
    } else if (kind !== "spam") {
      const tags = kind !== "category";
      this.input = h("input", { type: "text", "aria-label": tags ? "Tags, with commas between" : "Category", maxlength: tags ? null : "100", placeholder: tags ? "tag, another" : "" });
      this.input.value = same ? (tags ? (names ?? []).join(", ") : (value ?? "")) : "";
    }
    const empty = this.input?.tagName === "SELECT" && this.input.options.length === 0;
    fill(this.place, this.input, empty ? h("span", { class: "hint" }, "There is none yet.") : null);
    this.tell("rule-change");
  }
}

customElements.define("rule-action", RuleAction);
