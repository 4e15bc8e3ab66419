/**
 * `<reply-box>`: writes and sends an answer. Keeps the draft, sends once per key, and refuses to talk past a newer message.
 * Promises that nothing typed is lost by an error, a reload or Undo. Leaves the delivery to the server.
 */

import { conversations } from "/web/js/api/conversations.js";
import { announce, button, fill, h, icon } from "/web/js/dom.js";
import { dropDraft, readDraft, recallSent, rememberSent, saveDraft } from "/web/js/drafts.js";
import { fullName, plain, plural, shortName } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { askMoment, moments } from "/web/js/send-later.js";
import { store } from "/web/js/store.js";
import { validAddress } from "/web/js/elements/address-field.js";
import { notify } from "/web/js/elements/toast-stack.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const sameText = (one, other) => JSON.stringify({ ...one, seen_version: 0 }) === JSON.stringify({ ...other, seen_version: 0 });

export class ReplyBox extends RoomElement {
  #conversation = null;
  #seen = null;
  #attempt = null;
  #sending = false;
  #newer = null;
  #open = false;

  build() {
    this.opener = h("button", { type: "button", class: "reply-opener", onclick: () => this.expand() });
    this.to = h("address-field", { label: "To" });
    this.cc = h("address-field", { label: "Cc", hidden: true });
    this.bcc = h("address-field", { label: "Bcc", hidden: true });
    this.ccToggle = button("Cc", { kind: "quiet small", onclick: () => this.#reveal(this.cc, this.ccToggle) });
    this.bccToggle = button("Bcc", { kind: "quiet small", onclick: () => this.#reveal(this.bcc, this.bccToggle) });
    this.editor = h("rich-editor", { label: "Reply text", placeholder: "Write a reply" });
    this.tray = document.createElement("upload-tray");
    this.notice = h("div", { class: "reply-notice", hidden: true });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Attach files", onchange: () => {
      this.tray.add(this.picker.files);
      this.picker.value = "";
    } });
    this.submit = button("Send", { iconName: "send", kind: "primary", title: "Send (Ctrl+Enter)", onclick: () => this.send() });
    this.later = h("menu-button", { label: "Send later", icon: "clock" });
    this.kept = h("span", { class: "faint kept" });
    this.form = h("div", { class: "reply-form", hidden: true },
      h("div", { class: "reply-people" }, this.to, h("div", { class: "cc-toggles" }, this.ccToggle, this.bccToggle,
        button("", { iconName: "down", label: "Fold the reply box", kind: "quiet small", onclick: () => this.collapse() }))),
      this.cc, this.bcc, this.editor, this.tray, this.notice,
      h("div", { class: "reply-foot" }, this.submit, this.later,
        button("", { iconName: "clip", label: "Attach files", kind: "quiet", onclick: () => this.picker.click() }), this.picker, this.kept,
        button("", { iconName: "trash", label: "Discard the draft", kind: "quiet", onclick: () => this.#discard() })));
    this.append(this.opener, this.form);
    const save = settle(() => this.#save(), 400);
    this.addEventListener("draft-change", save);
    this.addEventListener("send-wanted", () => this.send());
    this.addEventListener("files-given", (event) => this.tray.add(event.detail));
    this.#drops();
  }

  attach() {
    this.listen(window, "pagehide", () => this.#save());
  }

  detach() {
    this.#save();
  }

  get dirty() {
    return this.#open && (!this.editor.empty || this.tray.ready.length > 0 || this.tray.busy);
  }

  /** Shows the box for a conversation; its draft comes back when there is one. */
  set conversation(value) {
    const changed = this.#conversation?.id !== value.id;
    if (changed && this.#conversation) this.#save();
    this.#conversation = value;
    fill(this.opener, icon("reply"), h("span", {}, `Reply to ${value.reply?.to?.map(shortName).join(", ") || shortName(value.customer)}`), h("kbd", {}, "r"));
    this.hidden = !store.mayWrite;
    if (!changed) return;
    this.#seen = value.version;
    this.#newer = null;
    this.#attempt = null;
    const draft = readDraft(this.#user, value.id);
    this.#put(draft ?? {});
    this.#attempt = draft?.attempt ?? null;
    this.#say(null);
    this.kept.textContent = "";
    if (draft) this.expand({ focus: false });
    else this.collapse();
  }

  get #user() {
    return store.get("me")?.user.id;
  }

  /** The view has read up to this version: with nothing half-written, that is what a reply answers to. */
  read(version, arrived) {
    if (!this.dirty || arrived.length === 0) {
      if (!this.#newer) this.#seen = version;
      return;
    }
    this.#showNewer(version, [...(this.#newer?.messages ?? []), ...arrived], false);
  }

  expand({ focus = true } = {}) {
    this.#open = true;
    this.form.hidden = false;
    this.opener.hidden = true;
    this.#moments();
    if (focus) this.editor.focusEnd();
  }

  collapse() {
    this.#open = false;
    this.form.hidden = true;
    this.opener.hidden = false;
  }

  /** Puts an undone reply back, unless something else is being written. */
  restore(message) {
    const draft = recallSent(message.id);
    if (!draft || this.dirty) return false;
    this.#put(draft);
    this.expand();
    this.#save();
    return true;
  }

  #reveal(field, toggle) {
    field.hidden = false;
    toggle.hidden = true;
    field.focusInput();
  }

  #put(draft) {
    const reply = this.#conversation.reply ?? {};
    this.to.addresses = draft.to ?? reply.to ?? [];
    for (const [field, toggle, value] of [[this.cc, this.ccToggle, draft.cc ?? reply.cc ?? []], [this.bcc, this.bccToggle, draft.bcc ?? []]]) {
      field.addresses = value;
      field.hidden = value.length === 0;
      toggle.hidden = value.length > 0;
    }
    this.editor.nodes = draft.nodes ?? [];
    this.tray.ready = draft.attachments ?? [];
  }

  #draft() {
    return { nodes: this.editor.nodes, to: this.to.addresses, cc: this.cc.addresses, bcc: this.bcc.addresses, attachments: this.tray.ready, attempt: this.#attempt };
  }

  #save() {
    if (!this.#conversation || !this.#user || !this.#open) return;
    if (!this.dirty) {
      dropDraft(this.#user, this.#conversation.id);
      this.kept.textContent = "";
      return;
    }
    const kept = saveDraft(this.#user, this.#conversation.id, this.#draft());
    this.kept.textContent = kept ? "Draft kept in this browser" : "This browser keeps no drafts; do not leave before sending";
  }

  #clear() {
    dropDraft(this.#user, this.#conversation.id);
    this.#attempt = null;
    this.#newer = null;
    this.#put({});
    this.#say(null);
    this.kept.textContent = "";
    this.collapse();
  }

  #discard() {
    const draft = this.#draft();
    const { id } = this.#conversation;
    const was = this.dirty;
    this.#clear();
    if (!was) return;
    notify("Draft discarded", { tone: "info", action: { text: "Bring it back", run: () => {
      if (this.#conversation.id !== id) {
        saveDraft(this.#user, id, draft);
        return;
      }
      this.#put(draft);
      this.expand();
      this.#save();
    } } });
  }

  #moments() {
    const schedule = (at) => this.send({ sendAt: at });
    this.later.entries = [
      ...moments().map(({ text, at }) => ({ text, iconName: "clock", run: () => schedule(at) })),
      { text: "Choose a moment…", iconName: "calendar", run: () => askMoment().then((at) => at && schedule(at), (error) => this.#say(error.message)) },
    ];
  }

  #drops() {
    this.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      this.classList.add("dropping");
    });
    this.addEventListener("dragleave", (event) => this.contains(event.relatedTarget) || this.classList.remove("dropping"));
    this.addEventListener("drop", (event) => {
      this.classList.remove("dropping");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      this.expand({ focus: false });
      this.tray.add(event.dataTransfer.files);
    });
  }

  #say(text, tone = "bad") {
    this.notice.hidden = !text;
    this.notice.className = `reply-notice notice ${tone}`;
    if (text) fill(this.notice, icon("warning"), h("p", { role: "alert" }, text));
    else this.notice.replaceChildren();
  }

  /** What stands in the way of sending, as a sentence, or null. Marks the place. */
  #obstacle() {
    const everyone = [...this.to.addresses, ...this.cc.addresses, ...this.bcc.addresses];
    if (everyone.length === 0) return "Nobody would get this. Add at least one recipient.";
    const wrong = everyone.find((one) => !validAddress(one.address));
    if (wrong) return `${plain(wrong.address)} is not a mail address. Correct or remove it.`;
    if (this.editor.empty && this.tray.ready.length === 0) return "There is nothing to send yet. Write a reply, or attach a file.";
    if (this.tray.busy) return "A file is still on its way. Wait until it is up, or remove it.";
    if (this.tray.failed.length) return `${plain(this.tray.failed[0].filename)} could not be attached. Retry or remove it.`;
    return null;
  }

  async send({ sendAt = null } = {}) {
    if (this.#sending) return;
    for (const field of [this.to, this.cc, this.bcc]) field.commit();
    const obstacle = this.#obstacle();
    if (obstacle) {
      this.#say(obstacle, "warn");
      return;
    }
    if (this.#newer) {
      this.#showNewer(this.#newer.version, this.#newer.messages, true);
      return;
    }
    const { to, cc, bcc, attachments, nodes } = this.#draft();
    const body = { html: this.editor.html, text: this.editor.text, to, cc, bcc, attachments: attachments.map((file) => file.id), seen_version: this.#seen };
    if (sendAt) body.send_at = sendAt.toISOString();
    // The key outlives an attempt without an answer, so that pressing Send again cannot send twice (S-8).
    // The very same text goes again with the version it had then, or the server would take it for another request.
    if (this.#attempt && sameText(this.#attempt.body, body)) body.seen_version = this.#attempt.body.seen_version;
    this.#attempt = { key: this.#attempt?.key ?? crypto.randomUUID(), body };
    this.#save();
    this.#busy(true);
    const { id } = this.#conversation;
    try {
      const message = await conversations.send(id, body, this.#attempt.key);
      rememberSent(message.id, { nodes, to, cc, bcc, attachments });
      if (this.#conversation.id === id) this.#clear();
      announce(sendAt ? "Reply scheduled" : "Reply queued");
      this.tell("message-sent", message);
    } catch (error) {
      this.#refused(error);
    } finally {
      this.#busy(false);
    }
  }

  #busy(on) {
    this.#sending = on;
    this.submit.disabled = on;
    this.toggleAttribute("busy", on);
  }

  #refused(error) {
    if (error.refused && error.kind !== "key-in-flight") {
      this.#attempt = null;
      this.#save();
    }
    if (error.kind === "stale-view") {
      this.#showNewer(error.problem.current_version, error.problem.newer_messages ?? [], true);
      this.tell("newer-messages", error.problem.newer_messages ?? []);
    } else if (error.kind === "key-reused") {
      this.#say("An earlier try did reach the server with other text. Look at the conversation above: what was sent stands there. Send again only if something is missing.", "warn");
      this.tell("message-stale", null);
    } else if (error.status === 422) {
      this.#place(error);
    } else if (error.status !== 401) {
      this.#say(`Not sent yet: ${error.message}${error.refused ? "" : " Your text is kept; pressing Send again cannot send it twice."}`);
    }
  }

  /** Puts each complaint of the server beside the field that it names. */
  #place(error) {
    const rest = [];
    const marks = { to: {}, cc: {}, bcc: {} };
    for (const [field, message] of Object.entries(error.fields)) {
      const [, name, index] = /^(\w+)(?:\[(\d+)\])?/.exec(field) ?? [];
      if (marks[name]) marks[name][index ?? "*"] = message;
      else if (name === "attachments" && index !== undefined) this.tray.complain(Number(index), message);
      else rest.push(`${field}: ${message}`);
    }
    for (const name of ["to", "cc", "bcc"]) {
      this[name].errors = marks[name];
      if (Object.keys(marks[name]).length) this[name].hidden = false;
    }
    this.#say([error.message, ...rest].join(" "));
  }

  /** The stale-view guard: shows what came in since, and asks to read it before the reply leaves. */
  #showNewer(version, messages, asked) {
    this.#newer = { version, messages };
    const accept = (thenSend) => {
      this.#seen = version;
      this.#newer = null;
      this.#say(null);
      if (thenSend) this.send();
    };
    this.notice.hidden = false;
    this.notice.className = "reply-notice notice warn newer";
    const last = messages.at(-1);
    fill(this.notice, icon("warning"), h("div", {},
      h("p", { role: "alert" }, h("strong", {}, asked ? "Not sent: the conversation moved on. " : ""),
        `${plural(messages.length, "newer message")} arrived while you were writing. Read ${messages.length === 1 ? "it" : "them"} first.`),
      h("ul", {}, messages.map((one) => h("li", {}, h("strong", { title: fullName(one.from) }, shortName(one.author ?? one.from)), " ", timeAgo(one.sent_at ?? one.created_at), h("p", {}, plain(one.body_visible ?? one.body_text).slice(0, 280))))),
      h("div", { class: "actions" },
        last ? button("Show in conversation", { kind: "small", onclick: () => this.tell("show-message", last.id) }) : null,
        asked ? button("Send anyway", { iconName: "send", kind: "small primary", onclick: () => accept(true) }) : button("I have read it", { iconName: "check", kind: "small", onclick: () => accept(false) }))));
  }
}

customElements.define("reply-box", ReplyBox);
