/**
 * `<member-picker>`: check boxes of people, and of teams where asked, in one group. `value` is `{people, teams}` of ids.
 */

import { fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";

export class MemberPicker extends RoomElement {
  /** `people` and `teams` are lists of `{id, name}`; `chosen` those that are checked. */
  offer({ label, people, teams = [], chosen }) {
    const box = (kind, one) => h("label", { class: "check" }, h("input", { type: "checkbox", value: one.id, "data-kind": kind, checked: chosen[kind].includes(one.id) }), plain(one.name));
    this.group = h("fieldset", { class: "members" }, h("legend", {}, label), teams.map((one) => box("teams", { ...one, name: `Team ${one.name}` })), people.map((one) => box("people", one)));
    fill(this, this.group);
  }

  get value() {
    const of = (kind) => [...this.querySelectorAll(`input[data-kind=${kind}]:checked`)].map((one) => one.value);
    return { people: of("people"), teams: of("teams") };
  }
}

customElements.define("member-picker", MemberPicker);
