/**
 * `<reply-foot>`: the buttons under a reply: send, send later, attach, what areas hang into `composer.tools`, discard.
 */

import { button, h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { askMoment, moments } from "/web/js/send-later.js";

export class ReplyFoot extends RoomElement {
  #values = {};

  build() {
    this.className = "reply-foot";
    this.submit = button("Send", { iconName: "send", kind: "primary", title: "Send (Ctrl+Enter)", onclick: () => this.tell("send-wanted", {}) });
    this.later = h("menu-button", { label: "Send later", icon: "clock" });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Attach files", onchange: () => {
      this.tell("files-given", this.picker.files);
      this.picker.value = "";
    } });
    this.tools = h("place-slot", { name: "composer.tools", class: "composer-tools" });
    this.tools.give(this.#values);
    this.keptWord = h("span", { class: "faint kept" });
    this.append(this.submit, this.later, button("", { iconName: "clip", label: "Attach files", kind: "quiet", onclick: () => this.picker.click() }), this.picker, this.tools,
      this.keptWord, button("", { iconName: "trash", label: "Discard the draft", kind: "quiet", onclick: () => this.tell("discard-wanted") }));
    this.later.entries = () => this.#moments();
  }

  /** `{composer, conversation}` for the tools. */
  give(values) {
    Object.assign(this.#values, values);
    this.tools?.give(values);
  }

  set kept(text) {
    this.keptWord.textContent = text;
  }

  set busy(on) {
    this.submit.disabled = on;
  }

  #moments() {
    const schedule = (at) => this.tell("send-wanted", { sendAt: at });
    return [
      ...moments().map(({ text, at }) => ({ text, iconName: "clock", run: () => schedule(at) })),
      { text: "Choose a moment…", iconName: "calendar", run: () => askMoment().then((at) => at && schedule(at), (error) => this.tell("reply-complaint", error.message)) },
    ];
  }
}

customElements.define("reply-foot", ReplyFoot);
