/**
 * `<promise-field>`: what a policy promises for one target: nothing, or so many minutes, hours or days, of working time or of all time.
 */

import { h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { TARGETS, UNITS, inUnit } from "/web/js/sla-words.js";

export class PromiseField extends RoomElement {
  #given = null;

  build() {
    const word = TARGETS[this.dataset.target];
    this.on = h("input", { type: "checkbox", "aria-label": `Promise: ${word}`, onchange: () => this.#able() });
    this.amount = h("input", { type: "number", min: "1", max: "525600", "aria-label": `${word} within` });
    this.unit = h("select", { "aria-label": `${word}: unit` }, Object.keys(UNITS).map((unit) => h("option", { value: unit }, unit)));
    this.time = h("select", { "aria-label": `${word}: which time counts` }, h("option", { value: "business" }, "of working time"), h("option", { value: "calendar" }, "of all time"));
    this.append(h("label", { class: "check" }, this.on, word), h("span", { class: "promise-within" }, "within", this.amount, this.unit, this.time));
    this.promise = this.#given;
  }

  /** `{minutes, time}` or null. */
  set promise(promise) {
    this.#given = promise;
    if (!this.on) return;
    const unit = promise ? inUnit(promise.minutes) : "hours";
    this.on.checked = promise !== null;
    this.unit.value = unit;
    this.amount.value = promise ? promise.minutes / UNITS[unit] : 4;
    this.time.value = promise?.time ?? "business";
    this.#able();
  }

  get promise() {
    return this.on.checked ? { minutes: Math.round(Number(this.amount.value) * UNITS[this.unit.value]), time: this.time.value } : null;
  }

  #able() {
    for (const field of [this.amount, this.unit, this.time]) field.disabled = !this.on.checked;
  }
}

customElements.define("promise-field", PromiseField);
