/**
 * `<settings-page>`: every page of the settings by group, each with a sentence. Made from pages.js.
 */

import { button, fill, h, icon } from "/web/js/dom.js";
import { GROUPS, pagesIn } from "/web/js/pages.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";

export class SettingsPage extends RoomElement {
  build() {
    this.groups = h("div", { class: "settings-groups" });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Settings")), this.groups);
  }

  attach() {
    this.listen(store, "change", (event) => event.detail.key === "me" && this.#show());
    this.#show();
  }

  #show() {
    fill(this.groups, GROUPS.map((group) => [group, pagesIn(group)]).filter(([, pages]) => pages.length).map(([group, pages]) =>
      h("section", { "aria-label": group }, h("h2", {}, group), h("ul", { class: "settings-cards" }, pages.map((page) =>
        h("li", {}, h("a", { class: "settings-card", href: page.path }, icon(page.iconName), h("div", {}, h("strong", {}, page.title), page.text ? h("span", { class: "faint" }, page.text) : null))))))));
  }
}

customElements.define("settings-page", SettingsPage);
