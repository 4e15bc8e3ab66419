/**
 * `<message-head>`: the head of a message: who, to whom, when, and its menu. Tells `fold-message` and `toggle-mode`.
 */

import { messages } from "/web/js/api/messages.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { exact, fullName, hue, initials, plain, shortName } from "/web/js/format.js";
import { messageTime } from "/web/js/message-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class MessageHead extends RoomElement {
  #message = null;
  #open = true;
  #mode = null;
  #look = "";
  #details = false;

  build() {
    this.menu = h("menu-button", { label: "More about this message" });
    // A closed card opens by a click anywhere on its head; the button beside it does the same by keyboard.
    this.addEventListener("click", (event) => {
      if (!this.#open && !event.target.closest("button")) this.tell("fold-message");
    });
    if (this.#message) this.#show();
  }

  /** `open` says that the card is unfolded, `mode` how its body is shown. */
  give(message, { open, mode }) {
    // What becomes of a message is shown below it: news of that must not take a menu or a button from under the pointer.
    const look = JSON.stringify([{ ...message, send: null, is_read: null }, open, mode]);
    if (look === this.#look) return;
    this.#look = look;
    this.#message = message;
    this.#open = open;
    this.#mode = mode;
    if (this.menu) this.#show();
  }

  #show() {
    const message = this.#message;
    const outbound = message.direction === "outbound";
    const person = outbound && message.author ? { ...message.from, name: message.author.name } : message.from;
    const face = h("span", { class: "face", "aria-hidden": "true" }, message.is_auto ? icon("robot") : initials(person));
    face.style.setProperty("--hue", hue(message.from?.address));
    this.#entries();
    fill(
      this, face,
      h("div", { class: "card-who" },
        h("div", {}, h("strong", {}, shortName(person)), person?.name && message.from?.address ? h("span", { class: "faint address" }, ` ${plain(message.from.address)}`) : null,
          outbound ? h("span", { class: "badge ours", title: "Written by us" }, icon("reply"), "Reply") : null),
        this.#open ? this.#whom() : h("div", { class: "row-snippet" }, plain(message.body_visible ?? message.body_text).slice(0, 160)),
        this.#open && this.#details ? this.#detailList() : null),
      h("div", { class: "card-side" }, timeAgo(messageTime(message)), this.#open ? this.menu : null,
        button("", { iconName: "down", kind: "quiet fold", label: this.#open ? "Fold this message" : "Unfold this message", "aria-expanded": String(this.#open), onclick: () => this.tell("fold-message") })),
    );
  }

  #whom() {
    const { to = [], cc = [] } = this.#message;
    const everyone = [...(to ?? []), ...(cc ?? [])];
    const words = everyone.length ? `to ${shortName(everyone[0])}${everyone.length > 1 ? ` and ${everyone.length - 1} more` : ""}` : "no visible recipient";
    return h("button", { type: "button", class: "whom", "aria-expanded": String(this.#details), onclick: () => {
      this.#details = !this.#details;
      this.#show();
      this.querySelector(".whom").focus();
    } }, h("span", {}, words), icon("down"));
  }

  #detailList() {
    const message = this.#message;
    const line = (name, value) => (value ? [h("dt", {}, name), h("dd", {}, value)] : null);
    const people = (list) => (list?.length ? list.map(fullName).join(", ") : null);
    return h("dl", { class: "details" },
      line("From", fullName(message.from)), line("To", people(message.to)), line("Cc", people(message.cc)), line("Bcc", people(message.bcc)),
      line("Subject", plain(message.subject)), line("Sent", exact(message.sent_at)), line("Received", exact(message.received_at)),
      line("Message-ID", plain(message.message_id_header)), line("In reply to", plain(message.in_reply_to)));
  }

  #entries() {
    const { id, has_html: hasHtml } = this.#message;
    this.menu.entries = [
      hasHtml ? { text: this.#mode === "plain" ? "Show as designed" : "Show as plain text", iconName: "file", run: () => this.tell("toggle-mode") } : null,
      store.mayWrite ? { text: "Forward…", iconName: "forward", run: () => this.tell("forward-message", id) } : null,
      { text: "Timeline", iconName: "history", run: () => this.tell("show-timeline", id) },
      { text: "Download the raw mail", iconName: "download", href: messages.rawUrl(id), download: `${id}.eml` },
    ];
  }
}

customElements.define("message-head", MessageHead);
