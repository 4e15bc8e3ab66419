/**
 * `<message-card>`: one message: who, when, to whom, what it says, what is odd about it and what became of it.
 * Promises that hostile text stays text, and that an update never reloads a frame that someone is reading.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { exact, plain, shortName } from "/web/js/format.js";
import { messageMarks, messageTime } from "/web/js/message-words.js";
import { linkified } from "/web/js/richtext.js";
import { RoomElement } from "/web/js/room-element.js";
import { phrase } from "/web/js/words.js";

export class MessageCard extends RoomElement {
  #message = null;
  #mode = null;
  #bodyFor = null;
  #open = true;

  /** All messages are read again whenever news may have been missed; one that is as it was is left alone. */
  set message(value) {
    const same = JSON.stringify(value) === JSON.stringify(this.#message);
    this.#message = value;
    if (this.isConnected && !same) this.#show();
  }

  get message() {
    return this.#message;
  }

  /** A closed card is one line; the frame of a closed card is not loaded. */
  set open(value) {
    this.#open = value;
    if (this.isConnected) this.#show();
  }

  build() {
    this.head = h("message-head", { class: "card-head" });
    this.marks = h("div", { class: "marks" });
    this.body = h("div", { class: "card-body" });
    this.files = document.createElement("attachment-list");
    this.sending = document.createElement("send-state");
    this.append(this.head, this.marks, this.body, this.files, this.sending);
    this.addEventListener("fold-message", () => (this.open = !this.#open));
    this.addEventListener("toggle-mode", () => this.#toggleMode());
  }

  attach() {
    this.#show();
  }

  get open() {
    return this.#open;
  }

  #show() {
    const message = this.#message;
    this.dataset.id = message.id;
    this.dataset.direction = message.direction;
    this.setAttribute("role", "article");
    this.setAttribute("aria-label", `${shortName(message.from)}, ${exact(messageTime(message))}`);
    this.toggleAttribute("closed", !this.#open);
    this.toggleAttribute("unread", message.direction === "inbound" && !message.is_read);
    this.head.give(message, { open: this.#open, mode: this.#mode });
    for (const part of [this.marks, this.body, this.files]) part.hidden = !this.#open;
    this.sending.message = message;
    this.files.files = message.attachments ?? [];
    if (!this.#open) {
      this.files.hidden = true;
      return;
    }
    fill(this.marks, messageMarks(message));
    this.marks.hidden = this.marks.childElementCount === 0;
    this.#showBody();
  }

  #toggleMode() {
    this.#mode = this.#mode === "plain" ? "html" : "plain";
    this.#bodyFor = null;
    this.#show();
  }

  #showBody() {
    const message = this.#message;
    const mode = this.#mode ?? (message.has_html ? "html" : "plain");
    const key = `${mode}:${message.body_visible}:${message.quarantine?.id}`;
    if (this.#bodyFor === key) return;
    this.#bodyFor = key;
    if (message.quarantine) {
      fill(this.body, h("div", { class: "notice warn" }, icon("shield"), h("p", {}, "This mail could not be read safely: ", phrase(message.quarantine.reason), ". Its raw form is kept. ",
        h("a", { href: "/quarantine" }, "Open quarantine"))));
    } else if (mode === "html") {
      fill(this.body, h("mail-frame", { props: { message: message.id } }));
    } else {
      const visible = plain(message.body_visible ?? message.body_text);
      fill(
        this.body,
        visible.trim() ? h("div", { class: "plain-text" }, linkified(visible)) : h("p", { class: "faint" }, "This message has no text."),
        message.body_quoted ? h("details", { class: "quoted" }, h("summary", {}, "Show quoted text"), h("div", { class: "plain-text" }, linkified(plain(message.body_quoted)))) : null,
      );
    }
  }
}

customElements.define("message-card", MessageCard);
