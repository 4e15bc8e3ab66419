/**
 * `<message-card>`: one message: who, when, to whom, what it says, what is odd about it and what became of it.
 * Promises that hostile text stays text, and that an update never reloads a frame that someone is reading.
 */

import { messages } from "/web/js/api/messages.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { exact, fullName, hue, initials, plain, plural, shortName } from "/web/js/format.js";
import { linkified } from "/web/js/richtext.js";
import { RoomElement } from "/web/js/room-element.js";
import { autoWord, CLASSIFICATION, flagWords, KIND, phrase } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class MessageCard extends RoomElement {
  #message = null;
  #mode = null;
  #bodyFor = null;
  #open = true;
  #details = false;

  set message(value) {
    this.#message = value;
    if (this.isConnected) this.#show();
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
    this.head = h("header", { class: "card-head" });
    this.marks = h("div", { class: "marks" });
    this.body = h("div", { class: "card-body" });
    this.files = document.createElement("attachment-list");
    this.sending = document.createElement("send-state");
    this.menu = h("menu-button", { label: "More about this message" });
    this.append(this.head, this.marks, this.body, this.files, this.sending);
  }

  attach() {
    this.#show();
  }

  #show() {
    const message = this.#message;
    this.dataset.id = message.id;
    this.dataset.direction = message.direction;
    this.setAttribute("role", "article");
    this.setAttribute("aria-label", `${shortName(message.from)}, ${exact(this.#time())}`);
    this.toggleAttribute("closed", !this.#open);
    this.toggleAttribute("unread", message.direction === "inbound" && !message.is_read);
    this.#showHead();
    for (const part of [this.marks, this.body, this.files]) part.hidden = !this.#open;
    this.sending.message = message;
    this.files.files = message.attachments ?? [];
    if (!this.#open) {
      this.files.hidden = true;
      return;
    }
    this.#showMarks();
    this.#showBody();
  }

  #time() {
    return this.#message.sent_at ?? this.#message.received_at ?? this.#message.created_at;
  }

  #showHead() {
    const message = this.#message;
    const outbound = message.direction === "outbound";
    const person = outbound && message.author ? { ...message.from, name: message.author.name } : message.from;
    const face = h("span", { class: "face", "aria-hidden": "true" }, message.is_auto ? icon("robot") : initials(person));
    face.style.setProperty("--hue", hue(message.from?.address));
    const to = (message.to ?? []).concat(message.cc ?? []);
    const whom = to.length ? `to ${shortName(to[0])}${to.length > 1 ? ` and ${to.length - 1} more` : ""}` : "";
    const fold = button("", { iconName: "down", kind: "quiet fold", label: this.#open ? "Fold this message" : "Unfold this message", "aria-expanded": String(this.#open), onclick: () => {
      this.open = !this.#open;
    } });
    this.#entries();
    fill(
      this.head,
      face,
      h("div", { class: "card-who" },
        h("div", {}, h("strong", {}, shortName(person)), person?.name && message.from?.address ? h("span", { class: "faint address" }, ` ${plain(message.from.address)}`) : null,
          outbound ? h("span", { class: "badge ours", title: "Written by us" }, icon("reply"), "Reply") : null),
        this.#open
          ? h("button", { type: "button", class: "whom", "aria-expanded": String(this.#details), onclick: () => {
            this.#details = !this.#details;
            this.#showHead();
          } }, h("span", {}, whom || "no visible recipient"), icon("down"))
          : h("div", { class: "row-snippet" }, plain(message.body_visible ?? message.body_text).slice(0, 160)),
        this.#open && this.#details ? this.#detailList() : null),
      h("div", { class: "card-side" }, timeAgo(this.#time()), this.#open ? this.menu : null, fold),
    );
    if (!this.#open) this.head.onclick = (event) => event.target.closest("button") || (this.open = true);
    else this.head.onclick = null;
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
      hasHtml ? { text: this.#mode === "plain" ? "Show as designed" : "Show as plain text", iconName: "file", run: () => this.#toggleMode() } : null,
      { text: "Timeline", iconName: "history", run: () => this.tell("show-timeline", id) },
      { text: "Download the raw mail", iconName: "download", href: messages.rawUrl(id), download: `${id}.eml` },
    ];
  }

  #toggleMode() {
    this.#mode = this.#mode === "plain" ? "html" : "plain";
    this.#bodyFor = null;
    this.#show();
  }

  #showMarks() {
    const message = this.#message;
    const mark = (tone, iconName, text, title) => h("span", { class: `badge ${tone}`, title }, iconName ? icon(iconName) : null, text);
    fill(
      this.marks,
      message.is_auto ? mark("", "robot", autoWord(message.is_auto), `${plain(message.is_auto)}. Mailroom never answers it automatically.`) : null,
      KIND[message.kind] ? mark("", "robot", KIND[message.kind]) : null,
      ["bounce", "complaint"].includes(message.classification) ? mark("bad", "bounce", CLASSIFICATION[message.classification]) : null,
      message.duplicate_of_id ? mark("warn", "warning", "Same Message-ID as another mail, other content", "Both are kept.") : null,
      message.spam ? mark("warn", "spam", "Spam") : null,
      flagWords(message.flags).map((word) => mark("", null, word)),
      message.defects?.length ? mark("warn", "warning", plural(message.defects.length, "defect"), message.defects.map(phrase).join("; ")) : null,
      message.quarantine ? mark("bad", "shield", "In quarantine") : null,
    );
    this.marks.hidden = this.marks.childElementCount === 0;
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
