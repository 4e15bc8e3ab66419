/**
 * `<sla-panel>`: the clocks of a conversation with their arithmetic, drawn and in words. A section of the details; hidden while there is none.
 */

import { clocks } from "/web/js/api/sla.js";
import { fill, h } from "/web/js/dom.js";
import { duration, exact, plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { settle } from "/web/js/room-element.js";
import { STATES, TARGETS, stretch } from "/web/js/sla-words.js";
import { stream } from "/web/js/stream.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import "/web/js/elements/sla-bar.js";

const SHOWN = 4;

export class SlaPanel extends PlacedElement {
  #of = null;
  #reading = null;

  build() {
    this.hidden = true;
    this.list = h("ul", { class: "sla-clocks" });
    this.waits = h("p", { class: "faint" });
    this.append(this.list, this.waits);
  }

  attach() {
    const again = settle(() => this.conversation && this.#load(), 300);
    this.listen(stream, "change", ({ detail }) => detail.conversation_id === this.conversation?.id && /^(sla|message|conversation)\./.test(detail.type) && again());
    super.attach();
  }

  detach() {
    this.#reading?.abort();
  }

  show({ id }) {
    if (id === this.#of) return;
    this.#of = id;
    this.hidden = true;
    this.#load();
  }

  async #load() {
    const { id } = this.conversation;
    this.#reading?.abort();
    this.#reading = new AbortController();
    try {
      const sla = await clocks.of(id, { signal: AbortSignal.any([this.life, this.#reading.signal]) });
      if (this.conversation.id === id) this.#put(sla);
    } catch (error) {
      if (error.name !== "AbortError") fill(this.waits, error.message);
    }
  }

  #put(sla) {
    this.hidden = sla.clocks.length === 0;
    fill(this.list, sla.clocks.slice(0, SHOWN).map((clock) => this.#clock(clock)),
      sla.clocks.length > SHOWN ? h("li", {}, h("details", {}, h("summary", {}, `${sla.clocks.length - SHOWN} earlier`), h("ul", { class: "sla-clocks" }, sla.clocks.slice(SHOWN).map((clock) => this.#clock(clock))))) : null);
    const waited = (name) => [sla[`${name}_seconds`], sla[`${name}_business_seconds`]];
    const words = [["First answer after", waited("first_response")], ["on average", waited("avg_response")]].filter(([, [all]]) => all !== null)
      .map(([word, [all, working]]) => `${word} ${duration(all)}${working === null ? "" : ` (${duration(working)} of working time)`}`);
    fill(this.waits, words.join(", "));
  }

  #clock(clock) {
    const [word, tone] = STATES[clock.state];
    const bar = h("sla-bar", { props: { clock } });
    const by = [clock.policy && plain(clock.policy), `${stretch(clock.target_seconds)} ${clock.business ? "of working time" : "in all"}`, clock.hours && plain(clock.hours)].filter(Boolean).join(" · ");
    return h("li", { "data-target": clock.target, "data-state": clock.state },
      h("div", { class: "sla-head" }, h("strong", {}, TARGETS[clock.target]), h("span", { class: `badge ${tone}` }, word), h("span", { class: "faint sla-due" }, ...this.#due(clock))),
      bar, h("p", { class: "sla-sentence" }, clock.sentence), h("p", { class: "faint" }, by), clock.excuse ? h("p", { class: "sla-excuse" }, `Excused: ${plain(clock.excuse)}`) : null);
  }

  #due(clock) {
    if (clock.met_at) return ["met ", timeAgo(clock.met_at, { long: true })];
    if (clock.ended_at) return [`ended (${plain(clock.ended_by ?? "")}) `, timeAgo(clock.ended_at, { long: true })];
    return clock.due_at ? [h("span", { title: exact(clock.due_at) }, "due "), timeAgo(clock.due_at, { long: true })] : ["due once it goes on"];
  }
}

customElements.define("sla-panel", SlaPanel);
place("conversation.panel", "sla-panel", 20, { title: "Service level", iconName: "clock" });
