/**
 * `<search-help>`: what may be typed into the search box, in a popover beside it; an example is taken over by a click.
 */

import { button, h, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

const LINES = [
  ["printer jam", "both words in one message or note, also in other forms; accents do not matter"],
  ['"paper jam"', "exactly these words"],
  ["refund or credit", "one of the two"],
  ["-newsletter", "not this word"],
  ["from:carla", "who wrote; a name, an address or its domain"],
  ["to:sales@example.com", "to whom it went"],
  ["subject:invoice", "in the subject"],
  ["filename:pdf", "in a file's name"],
  ["note:refund", "in an internal note"],
  ["has:attachment", "with a file"],
  ["is:unread", "also open, closed, mine, unassigned, waiting, followed, vip, overdue"],
  ["tag:billing", "with this tag; inbox:, assigned:, priority: and status: alike"],
  ["after:7d", "the last message since; before: too, and days as in 2025-01-31"],
  ["#1042", "the conversation of this number"],
];

export class SearchHelp extends RoomElement {
  build() {
    const id = uid("search-help");
    this.sheet = h("div", { id, class: "search-sheet", popover: "auto", role: "dialog", "aria-label": "What can be searched" }, h("h2", {}, "Search"),
      h("dl", {}, LINES.map(([example, meaning]) => [
        h("dt", {}, button(example, { kind: "small quiet", onclick: () => this.#take(example) })), h("dd", {}, meaning)])),
      h("p", { class: "faint" }, "A minus before any of them turns it round."));
    this.append(button("", { iconName: "question", label: "What can be searched", kind: "quiet small", popovertarget: id }), this.sheet);
  }

  #take(example) {
    this.sheet.hidePopover();
    this.tell("search-example", example);
  }
}

customElements.define("search-help", SearchHelp);
