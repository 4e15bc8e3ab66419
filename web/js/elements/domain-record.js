/**
 * `<domain-record>`: one DNS record to set, each part with a button that copies it, what was found instead, and what is wrong.
 * Takes `record`, as the API gives it.
 */

import { announce, button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { notify } from "/web/js/elements/toast-stack.js";

const WORDS = { ownership: "Proof of ownership", mx: "MX, where mail goes", spf: "SPF, who may send", dkim: "DKIM, the signing key", dmarc: "DMARC, what forged mail gets" };
const STATES = { ok: ["Right", "good"], missing: ["Missing", "bad"], wrong: ["Wrong", "bad"], unknown: ["No answer", "warn"], waiting: ["Waiting", ""] };

/** The word of a state, as a badge. */
export function stateBadge(state, word = null) {
  const [usual, kind] = STATES[state] ?? [state, ""];
  return h("span", { class: `badge ${kind}`.trim() }, word ?? usual);
}

export class DomainRecord extends RoomElement {
  attach() {
    const { record, name, type, value, status, found, problem } = this.record;
    const instead = status !== "ok" && found.length > 0;
    fill(
      this,
      h("div", { class: "record-head" }, h("h3", {}, WORDS[record] ?? record), stateBadge(status)),
      problem ? h("p", { class: "record-problem" }, plain(problem)) : null,
      value
        ? h("dl", { class: "record-parts" }, this.#part("Type", type, false), this.#part("Name", name), this.#part("Value", value))
        : null,
      instead ? h("div", { class: "record-found" }, h("p", { class: "faint" }, "Found instead"), h("ul", {}, found.map((one) => h("li", {}, h("code", {}, plain(one)))))) : null,
    );
    this.dataset.status = status;
  }

  #part(word, value, copies = true) {
    return h("div", {}, h("dt", {}, word), h("dd", {}, h("code", {}, plain(value)),
      copies ? button("Copy", { kind: "quiet small", "aria-label": `Copy the ${word.toLowerCase()}`, onclick: () => this.#copy(word, value) }) : null));
  }

  async #copy(word, value) {
    try {
      await navigator.clipboard.writeText(value);
      announce(`${word} copied`);
      notify(`${word} copied.`);
    } catch {
      notify("The browser did not let it be copied. Select it and copy it by hand.");
    }
  }
}

customElements.define("domain-record", DomainRecord);
