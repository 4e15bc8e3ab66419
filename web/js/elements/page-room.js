/**
 * `<page-room>`: shows one of the pages of pages.js, loading its modules when it is first opened.
 * Promises that a slow page never takes the place of one that was chosen after it.
 */

import { fill, h } from "/web/js/dom.js";
import { loadElement, wholeDesk } from "/web/js/loading.js";
import { pageOf } from "/web/js/pages.js";
import { RoomElement } from "/web/js/room-element.js";

export class PageRoom extends RoomElement {
  #turn = 0;

  build() {
    this.main = h("main", { class: "page", id: "page" });
    this.append(this.main);
  }

  leave() {
    this.#turn += 1;
    this.main.replaceChildren();
  }

  async show(name, params) {
    const turn = (this.#turn += 1);
    const page = pageOf(name);
    if (!page) {
      const blank = document.createElement("load-state");
      fill(this.main, blank);
      blank.empty("Nothing here", "This address belongs to no room.", { iconName: "search", action: h("a", { class: "button primary", href: "/" }, "To the conversations") });
      return;
    }
    if (!customElements.get(page.tag) || !customElements.get("conversation-view")) {
      const state = document.createElement("load-state");
      fill(this.main, state);
      state.loading(3, "card");
      try {
        await Promise.all([wholeDesk(), loadElement(page.tag)]); // Pages use elements of the desk.
      } catch (error) {
        if (turn === this.#turn) state.failed(error, () => location.reload());
        return;
      }
      if (turn !== this.#turn) return;
    }
    const element = document.createElement(page.tag);
    if (params.id) element.itemId = params.id;
    fill(this.main, element);
    this.main.scrollTop = 0;
    this.tell("room-settled");
  }
}

customElements.define("page-room", PageRoom);
