/**
 * `<details-panel>`: the sections beside a conversation (place `conversation.panel`), each with a title and folded on its own.
 * Promises to remember in this browser whether it is open and which sections are folded; a section whose element is hidden is not shown.
 */

import { button, fill, h, icon } from "/web/js/dom.js";
import { inPlace, places } from "/web/js/places.js";
import { RoomElement } from "/web/js/room-element.js";
import { recall, remember } from "/web/js/preferences.js";

const PLACE = "conversation.panel";
const OVER = matchMedia("(max-width: 1120px)");

export class DetailsPanel extends RoomElement {
  #conversation = null;
  #elements = [];
  #over = false;

  build() {
    this.setAttribute("role", "complementary");
    this.setAttribute("aria-label", "Details");
    this.body = h("div", { class: "details-body" });
    this.append(h("header", { class: "details-head" }, h("h2", {}, "Details"),
      button("", { iconName: "cross", label: "Hide the details (d)", kind: "quiet small", onclick: () => this.toggle(false) })), this.body, h("pane-divider", { pane: "details" }));
  }

  attach() {
    this.listen(places, "change", (event) => event.detail === PLACE && this.#fill());
    this.listen(OVER, "change", () => this.#show());
    this.#fill();
  }

  set conversation(value) {
    if (value.id !== this.#conversation?.id) this.#over = false;
    this.#conversation = value;
    for (const element of this.#elements) this.#hand(element);
    this.#show();
  }

  /** Beside the conversation it is open unless it was closed; where it would lie over the messages it opens on demand only. */
  get open() {
    return this.#elements.length > 0 && (OVER.matches ? this.#over : recall("details", true));
  }

  toggle(open = !this.open) {
    if (OVER.matches) this.#over = open;
    else remember("details", open);
    this.#show();
  }

  #show() {
    this.hidden = !this.open || this.#conversation === null;
  }

  #fill() {
    this.#elements = [];
    fill(this.body, inPlace(PLACE).map(({ tag, title = "", iconName = null }) => {
      const element = document.createElement(tag);
      this.#elements.push(element);
      const section = h("details", { class: "details-section", open: !recall(`folded.${tag}`, false) },
        h("summary", {}, iconName ? icon(iconName) : null, h("h3", {}, title)), element);
      section.addEventListener("toggle", () => remember(`folded.${tag}`, !section.open));
      return section;
    }));
    if (this.#conversation) for (const element of this.#elements) this.#hand(element);
    this.#show();
  }

  #hand(element) {
    try {
      element.conversation = this.#conversation;
    } catch (error) {
      reportError(error); // One section that fails leaves the others standing.
    }
  }
}

customElements.define("details-panel", DetailsPanel);
