/**
 * `<reply-form>`: writes a reply: recipients, text, files. Keeps the draft, hands sending to reply-sending.js.
 * Promises that nothing typed is lost by an error, a reload or Undo. Areas hang tools into `composer.tools` and use
 * `editor.insertText`, `editor.insertNodes`, `draft` and `put` of the form they get as `composer`.
 */

import { h } from "/web/js/dom.js";
import { DraftKeeper } from "/web/js/draft-keeper.js";
import { recallSent, saveDraft } from "/web/js/drafts.js";
import { ReplySending } from "/web/js/reply-sending.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { notify } from "/web/js/elements/toast-stack.js";

export class ReplyForm extends RoomElement {
  #conversation = null;
  #sending = new ReplySending(this);
  #keeper = new DraftKeeper(this);

  build() {
    this.people = document.createElement("reply-people");
    this.editor = h("rich-editor", { label: "Reply text", placeholder: "Write a reply" });
    this.tray = document.createElement("upload-tray");
    this.notice = h("reply-notice", { class: "reply-notice", hidden: true });
    this.foot = document.createElement("reply-foot");
    this.append(this.people, this.editor, this.tray, this.notice, this.foot);
    const save = settle(() => this.save(), 400);
    this.addEventListener("draft-change", save);
    this.addEventListener("send-wanted", (event) => this.#sending.send(event.detail ?? {}));
    this.addEventListener("discard-wanted", () => this.#discard());
    this.addEventListener("newer-read", (event) => this.#sending.accept(event.detail));
    this.addEventListener("reply-complaint", (event) => this.notice.say(event.detail));
    this.addEventListener("files-given", (event) => this.tray.add(event.detail));
  }

  attach() {
    this.listen(window, "pagehide", () => this.save());
  }

  detach() {
    this.save();
  }

  get conversation() {
    return this.#conversation;
  }

  set conversation(value) {
    this.#conversation = value;
    this.foot.give({ composer: this, conversation: value });
  }

  /** How to answer: reply or reply-all. Changes the recipients, never the text. */
  set kind(value) {
    this.people.kind = value;
  }

  /** Starts with another conversation. True when a draft came back. */
  begin(value) {
    if (this.#conversation) this.save();
    this.#conversation = value;
    const draft = this.#keeper.begin(value.id);
    this.#sending.begin(value.version, draft?.attempt ?? null);
    this.put(draft ?? {});
    this.notice.clear();
    this.foot.kept = "";
    return draft !== null;
  }

  /** The server keeps another draft than this browser; null when it was sent or discarded elsewhere. */
  found(draft) {
    this.put(draft ?? {});
    this.foot.kept = "";
    this.tell(draft ? "unfold-wanted" : "fold-wanted");
  }

  get #user() {
    return store.get("me")?.user.id;
  }

  get dirty() {
    return !this.hidden && (!this.editor.empty || this.tray.ready.length > 0 || this.tray.busy);
  }

  read(version, arrived) {
    this.#sending.read(version, arrived);
  }

  focusEnd() {
    this.editor.focusEnd();
  }

  /** What is written: `{nodes, to, cc, bcc, attachments, attempt}`. */
  get draft() {
    return { nodes: this.editor.nodes, ...this.people.value, attachments: this.tray.ready, attempt: this.#sending.attempt };
  }

  /** Shows a draft; what it lacks is as for a new reply. */
  put(draft) {
    this.people.put(draft, this.#conversation.reply ?? {});
    this.editor.nodes = draft.nodes ?? [];
    this.tray.ready = draft.attachments ?? [];
  }

  /** False when something else is being written, or the text is not here. */
  restore(message) {
    const draft = recallSent(message.id);
    if (!draft || this.dirty) return false;
    this.put(draft);
    this.hidden = false;
    this.save();
    return true;
  }

  /** Keeps what is written, here and on the server; an emptied form drops its draft. */
  save() {
    if (!this.#conversation || !this.#user || this.hidden) return;
    this.#keeper.keep(this.dirty ? this.draft : null);
  }

  /** Empties and folds itself, after a send or when it is discarded. */
  clear({ discarded = false } = {}) {
    this.#keeper.forget({ discarded });
    this.#sending.forget();
    this.put({});
    this.notice.clear();
    this.foot.kept = "";
    this.tell("fold-wanted");
  }

  #discard() {
    const { draft } = this;
    const { id } = this.#conversation;
    const was = this.dirty;
    this.clear({ discarded: true });
    if (!was) return;
    notify("Draft discarded", { tone: "info", action: { text: "Bring it back", run: () => {
      if (this.#conversation.id !== id) {
        saveDraft(this.#user, id, draft);
        return;
      }
      this.put(draft);
      this.tell("unfold-wanted");
      this.save();
    } } });
  }
}

customElements.define("reply-form", ReplyForm);
