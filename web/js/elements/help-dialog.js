/**
 * `<help-dialog>`: the list of keys, made from the same list that binds them.
 */

import { button, h } from "/web/js/dom.js";
import { KEYS } from "/web/js/keys.js";
import { RoomElement } from "/web/js/room-element.js";

const IN_REPLY = [
  { shown: ["Ctrl", "Enter"], text: "Send the reply" },
  { shown: ["Ctrl", "B"], text: "Bold" },
  { shown: ["Ctrl", "I"], text: "Italic" },
  { shown: ["Ctrl", "K"], text: "Link" },
];

const row = ({ shown, text }) => h("div", {}, h("dt", {}, shown.map((key) => h("kbd", {}, key))), h("dd", {}, text));

export class HelpDialog extends RoomElement {
  build() {
    this.dialog = h(
      "dialog",
      { class: "help", "aria-labelledby": "help-title" },
      h("header", {}, h("h2", { id: "help-title" }, "Keys"),
        button("", { iconName: "cross", label: "Close", kind: "quiet", onclick: () => this.dialog.close() })),
      h("div", { class: "dialog-body" }, h("dl", { class: "keys" }, KEYS.map(row)), h("h3", {}, "In the reply box"),
        h("dl", { class: "keys" }, IN_REPLY.map(row))),
    );
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.append(this.dialog);
  }

  show() {
    if (!this.dialog.open) this.dialog.showModal();
  }
}

customElements.define("help-dialog", HelpDialog);
