/**
 * `<send-state>`: what became of an outbound message, in honest words, and what can be done about it.
 * Promises S-9 words and S-3 buttons; never repeats a send without a person's explicit word.
 */

import { messages } from "/web/js/api/messages.js";
import { announce, button, fill, h, icon } from "/web/js/dom.js";
import { exact, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { phrase, recipientWord, sendState } from "/web/js/words.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const TICK_MS = 250;

export class SendState extends RoomElement {
  #message = null;
  #said = null;
  #timer = 0;

  set message(value) {
    this.#message = value;
    if (this.isConnected) this.#show();
  }

  attach() {
    if (this.#message) this.#show();
  }

  detach() {
    clearInterval(this.#timer);
  }

  #can(action) {
    return store.mayWrite && (this.#message.send?.can ?? []).includes(action);
  }

  #show() {
    clearInterval(this.#timer);
    const state = sendState(this.#message);
    this.hidden = !state;
    if (!state) return;
    this.dataset.state = state.name;
    if (this.#said && this.#said !== state.name) announce(`Reply: ${state.word}`);
    this.#said = state.name;
    const { send } = this.#message;
    fill(
      this,
      h("div", { class: `send-line ${state.tone}` }, icon(state.icon), h("strong", {}, state.word), this.#besides(state.name, send), this.#undo(send)),
      this.#explain(state.name, send),
      this.#recipients(send),
    );
  }

  #besides(name, send) {
    if (name === "scheduled") return h("span", { class: "faint" }, `leaves ${exact(send.scheduled_at)}`, " ", this.#can("cancel") ? button("Cancel", { kind: "quiet small", onclick: () => this.#cancel() }) : null);
    if (send.attempts > 1 && name !== "failed") return h("span", { class: "faint" }, `attempt ${send.attempts}`);
    return null;
  }

  /** The undo countdown: a button while the mail is still ours. The server decides; a late click is told so. */
  #undo(send) {
    if (!this.#can("cancel") || send.status === "scheduled") return null;
    const end = send.undo_until ? new Date(send.undo_until).getTime() : 0;
    const start = Date.now();
    if (end <= start) return null;
    const left = h("span", { class: "faint", "aria-hidden": "true" });
    const bar = h("i", { class: "undo-bar", "aria-hidden": "true" });
    bar.style.setProperty("--left", `${end - start}ms`);
    const line = h("span", { class: "undo" }, left, button("Undo", { iconName: "undo", kind: "small", onclick: () => this.#cancel() }), bar);
    const tick = () => {
      const seconds = Math.ceil((end - Date.now()) / 1000);
      if (seconds <= 0) {
        clearInterval(this.#timer);
        line.remove();
      } else left.textContent = `leaves in ${seconds} s`;
    };
    tick();
    this.#timer = setInterval(tick, TICK_MS);
    return line;
  }

  #explain(name, send) {
    if (name === "failed") {
      return h("div", { class: "send-why bad", role: "alert" }, h("p", {}, plain(send.error) || "The mail server refused the message."),
        this.#can("retry") ? button("Retry", { iconName: "refresh", kind: "small", onclick: (event) => this.#act(event, () => messages.retry(this.#message.id), "Retry") }) : null);
    }
    if (name === "unknown") {
      return h("div", { class: "send-why warn", role: "alert" },
        h("p", {}, plain(send.error) || "The server's answer was lost after the whole mail had been sent. It may have arrived, or not."),
        h("p", {}, "Mailroom will not send it again by itself."),
        this.#can("resolve")
          ? h("div", { class: "actions" },
            button("It was sent", { iconName: "check", kind: "small", onclick: (event) => this.#act(event, () => messages.resolve(this.#message.id, "sent"), "Mark as sent") }),
            button("Send again", { iconName: "send", kind: "small", onclick: (event) => this.#again(event) }))
          : null);
    }
    if (name === "bounced") {
      return h("div", { class: "send-why bad" }, h("p", {}, "The message came back: at least one recipient did not get it. Check the address, then write again."));
    }
    return null;
  }

  #recipients(send) {
    // Where all went alike, the line above has said it; a list is for those who fared otherwise.
    const all = send.recipients ?? [];
    const told = all.every((one) => ["pending", "sent"].includes(one.status || "sent")) ? [] : all;
    if (told.length === 0) return null;
    return h("ul", { class: "recipients" }, told.map((one) => h("li", {}, plain(one.address), h("span", { class: `badge ${one.status === "delivered" ? "good" : one.status === "bounced" || one.status === "failed" ? "bad" : ""}` },
      recipientWord(one.status) || phrase(one.status)), one.detail ? h("span", { class: "faint" }, plain(one.detail)) : null)));
  }

  async #again(event) {
    const sure = await ask({
      title: "Send this message again?",
      paragraphs: [
        "If the first attempt did arrive, the customer gets the message twice.",
        "It keeps its Message-ID and date, so that many mail programs show it once, but not all do. If you can, ask the customer first.",
      ],
      confirm: "Send again", danger: true,
    });
    if (sure) await this.#act(event, () => messages.resolve(this.#message.id, "send_again"), "Send again");
  }

  async #act(event, call, doing) {
    const pressed = event.currentTarget ?? event.target?.closest?.("button") ?? {};
    pressed.disabled = true;
    try {
      this.tell("message-changed", await call());
    } catch (error) {
      notifyError(error, doing);
      if (error.status === 409) this.tell("message-stale", this.#message.id);
      pressed.disabled = false;
    }
  }

  async #cancel() {
    try {
      const message = await messages.cancel(this.#message.id);
      this.tell("message-changed", message);
      this.tell("message-undone", message);
    } catch (error) {
      notifyError(error, "Undo");
      this.tell("message-stale", this.#message.id);
    }
  }
}

customElements.define("send-state", SendState);
