/**
 * `<rule-trial>`: tries the rule that is being written on the mail of the last days: counts, conflicts, and mails to look at.
 * Carries long trials on by itself while it is on the page. Nothing in any conversation is changed by it.
 */

import { rules } from "/web/js/api/rules.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { fullName, plain, plural, shortName } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { ACTIONS } from "/web/js/rule-words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class RuleTrial extends RoomElement {
  #turn = 0;

  /** `() => rule` as it is written now, and the id of the rule that it would replace. */
  source = () => null;
  ruleId = null;

  build() {
    const id = uid("days");
    this.days = h("select", { id }, [7, 30, 90].map((days) => h("option", { value: String(days), selected: days === 30 }, `${days} days`)));
    this.start = button("Try it", { iconName: "play", onclick: () => this.#begin() });
    this.told = h("div", { class: "trial-told", "aria-live": "polite" });
    this.append(h("h2", {}, "What it would have done"), h("p", { class: "faint" }, "Tried on stored mail; nothing is changed. Tags, status and assignment count as they stand now."),
      h("div", { class: "actions" }, h("label", { for: id }, "The last"), this.days, this.start), this.told);
  }

  detach() {
    this.#turn += 1;
  }

  async #begin() {
    const turn = (this.#turn += 1);
    this.start.disabled = true;
    this.told.replaceChildren();
    try {
      let run = await rules.tryOut(this.source(), Number(this.days.value), this.ruleId);
      while (turn === this.#turn) {
        this.#show(run);
        if (run.state === "done") break;
        run = await rules.carryOn(run.id);
      }
    } catch (error) {
      if (turn === this.#turn) fill(this.told, h("p", { class: "field-error", role: "alert" }, Object.entries(error.fields ?? {}).map(([field, message]) => `${field.replace("rule.", "")}: ${message}.`).join(" ") || error.message));
    } finally {
      this.start.disabled = false;
    }
  }

  #show(run) {
    const { conflicts } = run;
    const lines = [
      conflicts.stopped_before ? `${plural(conflicts.stopped_before, "mail")} would not have come so far: ${conflicts.stopped_by.map((one) => `“${plain(one.name)}” stops ${one.count}`).join(", ")}.` : null,
      conflicts.by_hand ? `${plural(conflicts.by_hand, "conversation")} would stay with the agent who holds them by hand.` : null,
      conflicts.overrides ? `${plural(conflicts.overrides, "conversation")} would be taken from the agent who holds them by hand.` : null,
      conflicts.replaces ? `In ${plural(conflicts.replaces, "conversation")} another category or priority stands now.` : null,
      run.unknown ? `Of ${plural(run.unknown, "mail")} it cannot be known: their header lines are gone.` : null,
    ].filter(Boolean);
    fill(this.told,
      h("p", { class: "trial-count" }, h("strong", {}, run.matched.toLocaleString("en")), ` of ${plural(run.looked_at, "mail")} of the last ${run.days} days would have matched.`, run.state === "running" ? h("span", { class: "faint" }, " Still looking…") : null),
      h("ul", { class: "trial-actions" }, run.actions.map((one) => h("li", {}, h("strong", {}, ACTIONS[one.type] ?? plain(one.type)), `: ${one.would.toLocaleString("en")} times`, one.stands ? h("span", { class: "faint" }, `, ${one.stands.toLocaleString("en")} stand so already`) : null))),
      lines.length ? h("ul", { class: "trial-conflicts" }, lines.map((line) => h("li", {}, line))) : null,
      run.sample.length ? [h("h3", {}, "The latest"), h("ul", { class: "people trial-sample" }, run.sample.map((mail) => h("li", {}, h("div", {}, h("a", { href: `/c/${mail.conversation_id}` }, `#${mail.number} ${plain(mail.subject) || "(no subject)"}`),
        h("span", { class: "faint" }, h("span", { title: fullName(mail.from) }, shortName(mail.from)), ", ", timeAgo(mail.received_at, { long: true }))))))] : null);
  }
}

customElements.define("rule-trial", RuleTrial);
