/**
 * `<assignment-policy>`: how an inbox or a team gives out what waits, and what becomes of work whose agent goes. `owner` is `{inbox}` or `{team}`.
 */

import { assignments } from "/web/js/api/assignments.js";
import { HAND_BACK, STRATEGIES } from "/web/js/assignment-words.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { notify } from "/web/js/elements/toast-stack.js";

export class AssignmentPolicy extends RoomElement {
  /** `{inbox: id}` or `{team: id}`, and the name that its form is called by. */
  owner = null;
  called = "";

  attach() {
    this.#load();
  }

  async #load() {
    try {
      this.#show(await assignments.policy(this.owner, { signal: this.life }));
    } catch (error) {
      if (error.name !== "AbortError") fill(this, h("p", { class: "field-error", role: "alert" }, error.message), button("Try again", { kind: "small", onclick: () => this.#load() }));
    }
  }

  #show(policy) {
    const labelled = (label, control) => {
      control.id = uid("policy");
      return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
    };
    const select = (pairs, value) => h("select", {}, pairs.map(([id, word]) => h("option", { value: id, selected: id === value }, word)));
    const check = (name, text) => {
      const box = h("input", { type: "checkbox", checked: policy[name] });
      return [box, h("label", { class: "check" }, box, text)];
    };
    const strategy = select(Object.entries(STRATEGIES).map(([id, [word]]) => [id, word]), policy.strategy);
    const why = h("p", { class: "faint" });
    const [away, awayBox] = check("include_away", "Give work to people who are away as well");
    const [match, matchBox] = check("must_match", "Wait for somebody who fits, rather than take who comes nearest");
    const senior = h("input", { type: "number", min: "0", max: "100", value: policy.senior_from });
    const back = select(Object.entries(HAND_BACK), policy.hand_back);
    const minutes = h("input", { type: "number", min: "1", max: "10080", value: policy.hand_back_minutes });
    const [keep, keepBox] = check("keep_answered", "Keep conversations that they have answered");
    const seniorField = labelled("Senior from seniority", senior);
    const minutesField = labelled("After minutes", minutes);
    const fit = () => {
      why.textContent = STRATEGIES[strategy.value][1];
      awayBox.hidden = strategy.value === "manual";
      matchBox.hidden = !["skills", "priority"].includes(strategy.value);
      seniorField.hidden = strategy.value !== "priority";
      minutesField.hidden = back.value !== "after";
      keepBox.hidden = back.value === "never";
    };
    strategy.addEventListener("change", fit);
    back.addEventListener("change", fit);
    fit();
    const wrong = h("p", { class: "field-error", role: "alert" });
    fill(this, h("form", { class: "policy", novalidate: true, "aria-label": `Assignment of ${this.called}`, onsubmit: async (event) => {
      event.preventDefault();
      wrong.textContent = "";
      try {
        await assignments.setPolicy(this.owner, { strategy: strategy.value, include_away: away.checked, must_match: match.checked, senior_from: Number(senior.value),
          hand_back: back.value, hand_back_minutes: Number(minutes.value), keep_answered: keep.checked });
        notify(`Saved for ${this.called}.`);
      } catch (error) {
        wrong.textContent = [error.message, ...Object.values(error.fields ?? {})].join(" ");
      }
    } }, labelled("Given out", strategy), seniorField, why, awayBox, matchBox, labelled("Who goes offline hands back", back), minutesField, keepBox, button("Save", { type: "submit", kind: "small primary" }), wrong));
  }
}

customElements.define("assignment-policy", AssignmentPolicy);
