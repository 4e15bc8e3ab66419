/**
 * `<week-plan>`: the intervals of the seven days, each a pair of times; several a day. Also one day, for a date of one's own.
 */

import { button, fill, h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

export const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MOST = 12;

/** `<input type=time>` has no 24:00: midnight at the end of an interval is written as it is meant. */
const shown = (time) => (time === "24:00" ? "00:00" : time);
const meant = (time, end) => (end && time === "00:00" ? "24:00" : time);

export class WeekPlan extends RoomElement {
  #week = DAYS.map(() => []);
  #names = DAYS;

  build() {
    this.className = "week-plan";
  }

  attach() {
    this.#show();
  }

  /** Names of the rows; one for a single day. */
  set names(names) {
    this.#names = names;
  }

  set week(week) {
    this.#week = week.map((day) => day.map((pair) => [...pair]));
    if (this.isConnected) this.#show();
  }

  get week() {
    return this.#week.map((day) => day.map((pair) => [...pair]));
  }

  #show() {
    fill(this, this.#names.map((name, at) => h("div", { class: "week-day", role: "group", "aria-label": name }, h("span", {}, name),
      h("div", { class: "week-intervals" }, this.#week[at].length ? this.#week[at].map((pair, number) => this.#interval(name, at, pair, number)) : h("span", { class: "faint" }, "closed"),
        this.#week[at].length < MOST ? button("", { iconName: "plus", kind: "quiet small", label: `Add hours on ${name}`, onclick: () => this.#add(at) }) : null))));
  }

  #interval(name, at, pair, number) {
    const field = (side, word) => h("input", { type: "time", value: shown(pair[side]), required: true, "aria-label": `${name} ${word}, interval ${number + 1}`, onchange: (event) => {
      pair[side] = meant(event.target.value, side === 1);
      this.tell("week-change");
    } });
    return h("span", { class: "week-interval" }, field(0, "from"), "–", field(1, "to"), button("", { iconName: "cross", kind: "quiet small", label: `Take interval ${number + 1} off ${name}`, onclick: () => this.#drop(at, number) }));
  }

  #add(at) {
    const last = this.#week[at].at(-1)?.[1];
    const from = !last ? "09:00" : last === "24:00" ? "00:00" : `${String(Math.min(Number(last.slice(0, 2)) + 1, 23)).padStart(2, "0")}:00`;
    this.#week[at].push([from, from < "17:00" ? "17:00" : "24:00"]);
    this.#changed();
  }

  #drop(at, number) {
    this.#week[at].splice(number, 1);
    this.#changed();
  }

  #changed() {
    this.#show();
    this.tell("week-change");
  }
}

customElements.define("week-plan", WeekPlan);
