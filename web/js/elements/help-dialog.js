/**
 * `<help-dialog>`: the sheet of keys, made from the same registry that binds them, so that it never lacks one.
 */

import { allCommands } from "/web/js/commands.js";
import { button, fill, h } from "/web/js/dom.js";
import { printed } from "/web/js/keys.js";
import { RoomElement } from "/web/js/room-element.js";

const GROUPS = ["List", "Conversation", "Go", "Everywhere"];
const IN_REPLY = [
  [[["Ctrl", "Enter"]], "Send the reply"], [[["Ctrl", "B"]], "Bold"], [[["Ctrl", "I"]], "Italic"], [[["Ctrl", "K"]], "Link"],
  [[["Ctrl", "Alt", "K"]], "Find a command or a conversation"], [[["Esc"]], "Leave the reply box"],
];

const row = ([ways, text]) => h("div", {}, h("dt", {}, ways.map((keys, place) => [place ? " " : null, keys.map((key) => h("kbd", {}, key))])), h("dd", {}, text));

export class HelpDialog extends RoomElement {
  build() {
    this.sheet = h("div", { class: "dialog-body key-sheet", tabindex: "0", role: "region", "aria-label": "All keys" });
    this.dialog = h("dialog", { class: "help", "aria-labelledby": "help-title" },
      h("header", {}, h("h2", { id: "help-title" }, "Keys"), button("", { iconName: "cross", label: "Close", kind: "quiet", onclick: () => this.dialog.close() })), this.sheet);
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.append(this.dialog);
  }

  show() {
    if (this.dialog.open) return;
    const known = allCommands().filter((one) => one.keys.length);
    const groups = [...GROUPS, ...new Set(known.map((one) => one.group).filter((group) => !GROUPS.includes(group)))];
    const section = (title, rows) => (rows.length ? h("section", {}, h("h3", {}, title), h("dl", { class: "keys" }, rows.map(row))) : null);
    fill(this.sheet, groups.map((group) => section(group, known.filter((one) => one.group === group).map((one) => [printed(one), one.title]))), section("In the reply box", IN_REPLY));
    this.dialog.showModal();
  }
}

customElements.define("help-dialog", HelpDialog);
