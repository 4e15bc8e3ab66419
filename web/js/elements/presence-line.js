/**
 * `<presence-line>`: who else looks at the conversation or writes a reply, live. Hangs in `conversation.banner`.
 * Tells the server in turn what this window does while somebody can see it.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { hue, initials, plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { PresenceBoard } from "/web/js/presence-board.js";
import { router } from "/web/js/router.js";

const list = new Intl.ListFormat("en");

export class PresenceLine extends PlacedElement {
  #board = null;

  build() {
    this.className = "banner-line presence";
    this.setAttribute("role", "status");
    this.setAttribute("aria-label", "Who else is here");
    this.hidden = true;
  }

  attach() {
    this.#board = new PresenceBoard((people) => this.#people(people), this.life);
    this.listen(document, "visibilitychange", () => this.#look());
    this.listen(router, "change", () => this.#look());
    const view = this.closest("conversation-view");
    this.listen(view, "draft-change", () => this.#board.wrote(Boolean(view.querySelector("reply-form")?.dirty)));
    this.listen(view, "message-sent", () => this.#board.wrote(false));
    super.attach();
  }

  show() {
    this.#look();
  }

  #look() {
    const id = this.conversation?.id ?? null;
    this.#board.look(id, id !== null && router.current.params.id === id && document.visibilityState === "visible");
  }

  #people(people) {
    this.hidden = people.length === 0;
    const words = (state, one, many) => {
      const names = people.filter((person) => person.state === state).map((person) => plain(person.name));
      return names.length ? h("span", {}, h("strong", {}, list.format(names)), ` ${names.length === 1 ? one : many}`) : null;
    };
    fill(this, people.some((person) => person.state === "writing") ? icon("pen") : icon("eye"),
      people.map((person) => {
        const face = h("span", { class: "face small", "aria-hidden": "true" }, initials({ name: person.name, address: person.id }));
        face.style.setProperty("--hue", hue(person.id));
        return face;
      }),
      h("p", {}, words("writing", "is writing a reply", "are writing replies"), words("viewing", "is viewing", "are viewing")));
  }
}

customElements.define("presence-line", PresenceLine);
place("conversation.banner", "presence-line", 20);
