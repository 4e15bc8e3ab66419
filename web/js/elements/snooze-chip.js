/**
 * `<snooze-chip>`: when a sleeping conversation wakes, in its row of the list. Hangs in `list.row`.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { exact } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { wakeWord } from "/web/js/snooze-times.js";

export class SnoozeChip extends PlacedElement {
  show({ status, snoozed_until: until }) {
    this.hidden = status !== "snoozed" || !until;
    if (!this.hidden) fill(this, h("span", { class: "badge info", title: `Snoozed until ${exact(until)}` }, icon("snooze"), `until ${wakeWord(until)}`));
  }
}

customElements.define("snooze-chip", SnoozeChip);
place("list.row", "snooze-chip", 10);
