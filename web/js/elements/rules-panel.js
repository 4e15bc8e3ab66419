/**
 * `<rules-panel>`: in a conversation's details: which rules looked at each mail, which hit or missed, and why, down to each question.
 */

import { rules } from "/web/js/api/rules.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { leafWords, outcomeWords, whyNotWords } from "/web/js/rule-words.js";
import { store } from "/web/js/store.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const GROUPS = { all: "All of", any: "One of", not: "Not" };
const MARKS = { true: ["check", "holds"], false: ["cross", "does not hold"], null: ["question", "cannot be known"] };

export class RulesPanel extends PlacedElement {
  #shown = null;

  build() {
    this.ask = button("Show what rules did", { kind: "small", onclick: () => this.#load() });
    this.told = h("div", { class: "rules-told" });
    this.append(this.ask, this.told);
  }

  show({ id }) {
    if (this.#shown === id) return;
    this.#shown = id;
    this.ask.hidden = false;
    this.told.replaceChildren();
  }

  async #load() {
    const { id } = this.conversation;
    this.ask.disabled = true;
    try {
      const told = await rules.explain(id, { signal: this.life });
      if (this.conversation.id !== id) return;
      this.ask.hidden = true;
      const changes = told.changes.map((one) => h("li", {}, h("strong", {}, plain(one.name)), " ", timeAgo(one.at), h("p", { class: "faint" }, one.outcomes.map(outcomeWords).join(". "))));
      fill(this.told, told.messages.length ? told.messages.map((mail, place) => this.#mail(mail, place === 0)) : h("p", { class: "faint" }, "No mail has come in yet."),
        changes.length ? [h("h4", {}, "On changes"), h("ul", {}, changes)] : null);
    } catch (error) {
      if (error.name !== "AbortError") fill(this.told, h("p", { class: "field-error", role: "alert" }, error.message));
    } finally {
      this.ask.disabled = false;
    }
  }

  #mail(mail, open) {
    const hits = mail.rules.filter((one) => one.hit).length;
    const word = mail.looked_at === null ? "no rule looked" : hits ? `${hits} of ${mail.rules.length} matched` : `none of ${mail.rules.length} matched`;
    return h("details", { open }, h("summary", {}, h("span", {}, "Mail of ", timeAgo(mail.received_at)), " ", h("span", { class: "faint" }, word)),
      mail.looked_at === null ? h("p", { class: "faint" }, whyNotWords(mail.why_not)) : h("ol", { class: "rule-verdicts" }, mail.rules.map((one) => this.#verdict(one, mail.rules))));
  }

  #verdict(one, all) {
    const stopper = all.find((other) => other.rule_id === one.stopped_by);
    const [word, tone] = one.stopped_by ? ["not asked", "mute"] : one.hit ? [one.shadow ? "matched, in shadow" : "matched", "good"] : ["missed", "mute"];
    return h("li", {}, h("div", { class: "rule-verdict" }, store.mayManage ? h("a", { href: `/rules/${one.rule_id}` }, plain(one.name)) : h("strong", {}, plain(one.name)), h("span", { class: `badge ${tone}` }, word)),
      stopper ? h("p", { class: "faint" }, `“${plain(stopper.name)}” ended the look before it.`) : null,
      one.outcomes.length ? h("p", { class: "faint" }, one.outcomes.map(outcomeWords).join(". ")) : null,
      one.differs ? h("p", { class: "hint" }, "Something that it asks about has changed since; the reasons below are of now.") : null,
      one.reason ? h("ul", { class: "rule-reasons" }, this.#reason(one.reason)) : null);
  }

  #reason(reason) {
    const [iconName, label] = MARKS[String(reason.result)];
    const said = reason.kind === "leaf" ? leafWords(reason, { inboxes: store.get("inboxes") }) : reason.parts.length ? GROUPS[reason.kind] : "Every mail";
    return h("li", { class: `reason ${reason.result}` }, icon(iconName, label), h("span", {}, said, reason.kind === "leaf" && reason.found ? h("q", { class: "faint" }, plain(reason.found)) : null),
      reason.parts.length ? h("ul", {}, reason.parts.map((part) => this.#reason(part))) : null);
  }
}

customElements.define("rules-panel", RulesPanel);
place("conversation.panel", "rules-panel", 80, { title: "Rules", iconName: "bolt" });
