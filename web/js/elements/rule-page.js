/**
 * `<rule-page>`: writes one routing rule: conditions and actions as sentences, how it counts, a trial on stored mail, its versions.
 */

import { ruleNames, rules } from "/web/js/api/rules.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { actionWords, conditionWords } from "/web/js/rule-words.js";
import { store } from "/web/js/store.js";
import "/web/js/elements/rule-action.js";
import "/web/js/elements/rule-group.js";
import "/web/js/elements/rule-trial.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify } from "/web/js/elements/toast-stack.js";

const NEW = { name: "", condition: { all: [{ field: "subject", op: "contains", value: "" }] }, actions: [{ type: "tag", names: [] }], enabled: true, shadow: false, stop: false, trigger: "message" };

export class RulePage extends RoomElement {
  #names = {};

  build() {
    const check = (text, hint) => {
      const box = h("input", { type: "checkbox", id: uid("rule") });
      return { box, line: h("div", { class: "rule-check" }, h("label", { class: "check" }, box, text), h("span", { class: "hint" }, hint)) };
    };
    this.title_ = h("h1", {}, "Rule");
    this.name = h("input", { type: "text", id: uid("rule"), maxlength: "200" });
    this.trigger = h("select", { id: uid("rule") }, h("option", { value: "message" }, "A mail comes in"), h("option", { value: "change" }, "A conversation is changed"));
    this.enabled = check("On", "Looked at from now on.");
    this.shadow = check("In shadow", "Its hits are recorded, and nothing is done.");
    this.stop = check("Ends the look", "Once it matches, no rule below it is asked.");
    this.group = document.createElement("rule-group");
    this.actions = h("div", { class: "rule-actions" });
    this.said = h("p", { class: "rule-said", "aria-live": "polite" });
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.trial = h("rule-trial", { class: "panel" });
    this.trial.source = () => this.rule;
    this.history = h("ol", { class: "rule-versions" });
    this.past = h("section", { class: "panel", "aria-label": "Versions", hidden: true }, h("h2", {}, "Versions"), this.history);
    this.state = document.createElement("load-state");
    const field = (label, input) => h("div", { class: "field" }, h("label", { for: input.id }, label), input);
    this.form = h("form", { class: "sheet rule-sheet", novalidate: true, onsubmit: (event) => this.#save(event) },
      h("fieldset", {}, h("legend", {}, "The rule"), h("div", { class: "grid" }, field("Name", this.name), field("When", this.trigger)), this.said),
      h("fieldset", {}, h("legend", {}, "If"), this.group),
      h("fieldset", {}, h("legend", {}, "Then"), this.actions, h("div", {}, button("Action", { iconName: "plus", kind: "small", onclick: () => this.#act({ type: "tag", names: [] }) }))),
      h("fieldset", {}, h("legend", {}, "How it counts"), this.enabled.line, this.shadow.line, this.stop.line),
      this.wrong, h("div", { class: "form-foot" }, button("Save", { type: "submit", kind: "primary" }), button("Back to the rules", { onclick: () => router.go("/rules") })));
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), this.title_), this.state, this.form, this.trial, this.past);
    this.addEventListener("rule-change", () => this.#say());
  }

  attach() {
    this.form.hidden = this.trial.hidden = true;
    this.state.loading(4, "card");
    this.#load();
  }

  async #load() {
    try {
      const known = await ruleNames({ signal: this.life });
      this.#names = { ...known, inboxes: store.get("inboxes"), users: store.get("users").filter((one) => one.role !== "viewer") };
      const rule = this.itemId ? await rules.get(this.itemId, { signal: this.life }) : NEW;
      this.state.done();
      this.form.hidden = this.trial.hidden = false;
      this.trial.ruleId = this.itemId ?? null;
      this.#put(rule);
      if (this.itemId) this.#versions();
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #put(rule) {
    this.title_.textContent = plain(rule.name) || "New rule";
    this.name.value = rule.name;
    this.trigger.value = rule.trigger;
    this.group.calendars = this.#names.calendars;
    this.group.value = rule.condition;
    this.actions.replaceChildren();
    for (const action of rule.actions) this.#act(action);
    for (const name of ["enabled", "shadow", "stop"]) this[name].box.checked = rule[name];
    this.#say();
  }

  #act(action) {
    const element = document.createElement("rule-action");
    element.names = this.#names;
    element.value = action;
    this.actions.append(element);
  }

  /** The rule as it is written now. */
  get rule() {
    const flags = Object.fromEntries(["enabled", "shadow", "stop"].map((name) => [name, this[name].box.checked]));
    return { name: this.name.value.trim() || "New rule", trigger: this.trigger.value, condition: this.group.value, actions: [...this.actions.children].map((one) => one.value), ...flags };
  }

  #say() {
    if (this.form.hidden) return;
    const { condition, actions } = this.rule;
    this.said.textContent = `If ${conditionWords(condition, this.#names)}, then ${actions.map((one) => actionWords(one, this.#names)).join(", ") || "nothing"}.`;
  }

  async #versions() {
    const { items } = await rules.versions(this.itemId, { signal: this.life });
    this.past.hidden = items.length < 2;
    fill(this.history, items.map((one) => h("li", {}, h("strong", {}, `Version ${one.version}`), " ", timeAgo(one.changed_at, { long: true }), h("p", { class: "faint" },
      `${one.enabled ? "" : "Off. "}${one.shadow ? "In shadow. " : ""}If ${conditionWords(one.condition, this.#names)}, then ${one.actions.map((action) => actionWords(action, this.#names)).join(", ")}.`),
    button("Bring back", { kind: "small", "aria-label": `Bring back version ${one.version}`, onclick: () => this.#put(one) }))));
  }

  async #save(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    try {
      const rule = { ...this.rule, name: this.name.value.trim() };
      if (this.itemId) await rules.change(this.itemId, rule);
      else await rules.add(rule);
      notify("Saved. It counts from the next mail on.");
      router.go("/rules");
    } catch (error) {
      this.wrong.textContent = Object.entries(error.fields ?? {}).map(([field, message]) => `${field}: ${message}.`).join(" ") || error.message;
    }
  }
}

customElements.define("rule-page", RulePage);
