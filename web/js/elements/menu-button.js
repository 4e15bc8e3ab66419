/**
 * `<menu-button label icon text>`: a button that opens a small menu, usable by keyboard, closed by Escape, choice or a click elsewhere.
 */

import { fill, h, icon, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

export class MenuButton extends RoomElement {
  #entries = [];

  /** `[{text, iconName, run} | {text, iconName, href, download, target}]`, or a function that answers them when the menu opens. */
  set entries(value) {
    this.#entries = value;
  }

  build() {
    const id = uid("menu");
    const label = this.getAttribute("label") ?? "More";
    const text = this.getAttribute("text");
    this.trigger = h(
      "button",
      {
        type: "button", class: text ? "button" : "button quiet icon-only", "aria-haspopup": "menu", "aria-expanded": "false",
        "aria-controls": id, "aria-label": text ? null : label, title: label, onclick: () => this.toggle(this.panel.hidden),
      },
      icon(this.getAttribute("icon") ?? "more"),
      text ? h("span", {}, text) : null,
    );
    this.panel = h("div", { id, role: "menu", class: "menu", hidden: true, "aria-label": label, "data-own-arrows": true });
    this.append(this.trigger, this.panel);
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  attach() {
    this.listen(document, "pointerdown", (event) => {
      if (!this.contains(event.target)) this.toggle(false);
    });
    this.listen(this, "focusout", (event) => {
      if (event.relatedTarget && !this.contains(event.relatedTarget)) this.toggle(false);
    });
  }

  toggle(open) {
    if (open) fill(this.panel, (typeof this.#entries === "function" ? this.#entries() : this.#entries).filter(Boolean).map((entry) => this.#item(entry)));
    this.panel.hidden = !open;
    this.trigger.setAttribute("aria-expanded", String(open));
    if (open) this.panel.firstElementChild?.focus();
  }

  #item(entry) {
    const inside = [icon(entry.iconName ?? "more"), h("span", {}, entry.text)];
    if (entry.href) {
      const { href, download, target } = entry;
      const onclick = () => this.toggle(false);
      return h("a", { role: "menuitem", href, download, target, rel: target ? "noopener noreferrer" : null, onclick }, inside);
    }
    const onclick = () => {
      this.toggle(false);
      this.trigger.focus();
      entry.run();
    };
    return h("button", { type: "button", role: "menuitem", onclick }, inside);
  }

  #key(event) {
    if (this.panel.hidden) return;
    const items = [...this.panel.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      this.toggle(false);
      this.trigger.focus();
    } else if (step) {
      const place = items.indexOf(document.activeElement);
      items[(place + step + items.length) % items.length]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

customElements.define("menu-button", MenuButton);
