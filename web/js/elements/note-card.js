/**
 * `<note-card>`: an internal note in the thread, in order of time. Its author changes it here, its author and admins delete it.
 */

import { notes } from "/web/js/api/notes.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { exact, hue, initials, plain } from "/web/js/format.js";
import { cutMentions, nameOf } from "/web/js/mentions.js";
import { threadItems } from "/web/js/places.js";
import { linkified } from "/web/js/richtext.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const PAGE = 200;

export class NoteCard extends RoomElement {
  #note = null;
  #editing = false;

  /** Notes are read again with every news of one; a note that is as it was is left alone. */
  set item(value) {
    const same = JSON.stringify(value) === JSON.stringify(this.#note);
    this.#note = value;
    if (this.isConnected && !this.#editing && !same) this.#show();
  }

  build() {
    this.setAttribute("role", "article");
    this.menu = h("menu-button", { label: "More about this note" });
    this.menu.entries = () => this.#entries();
    this.addEventListener("note-wanted", () => this.#save());
  }

  attach() {
    if (!this.#editing) this.#show();
  }

  #show() {
    const note = this.#note;
    const author = note.author ? plain(note.author.name) : "A program";
    this.setAttribute("aria-label", `Note by ${author}, ${exact(note.created_at)}`);
    const face = h("span", { class: "face small", "aria-hidden": "true" }, initials({ name: author }));
    face.style.setProperty("--hue", hue(note.author?.id ?? ""));
    fill(this,
      h("div", { class: "note-head" }, face, h("strong", {}, author), h("span", { class: "badge warn" }, icon("note"), "Internal note"),
        note.edited_at ? h("span", { class: "faint", title: exact(note.edited_at) }, "changed") : null, timeAgo(note.created_at),
        this.#entries().length && store.mayWrite ? this.menu : null),
      h("div", { class: "plain-text" }, this.#words(note)));
  }

  #entries() {
    const mine = this.#note.author !== null && this.#note.author.id === store.get("me")?.user.id;
    return [
      mine ? { text: "Change the note", iconName: "pen", run: () => this.#edit() } : null,
      mine || store.mayManage ? { text: "Delete the note", iconName: "trash", run: () => this.#delete() } : null,
    ].filter(Boolean);
  }

  /** Mentions stand out; those of people who were renamed since stay text. */
  #words(note) {
    const known = note.mentions.map((person) => ({ ...person, email: "" }));
    return cutMentions(plain(note.content), known).map((part) => (typeof part === "string" ? linkified(part) : h("span", { class: "mention" }, `@${nameOf(part)}`)));
  }

  #edit() {
    this.#editing = true;
    const field = h("mention-field", { label: "Change the note" });
    this.said = h("p", { class: "field-error", role: "alert" });
    fill(this, field, this.said, h("div", { class: "actions" }, button("Save", { kind: "primary small", onclick: () => this.#save() }), button("Cancel", { kind: "small", onclick: () => this.#done() })));
    field.text = this.#note.content;
    field.focusEnd();
  }

  #done() {
    this.#editing = false;
    this.#show();
  }

  async #save() {
    const field = this.querySelector("mention-field");
    try {
      this.#note = { ...this.#note, ...(await notes.change(this.#note.id, field.note)) };
      this.#done();
      this.tell("thread-changed");
    } catch (error) {
      this.said.textContent = `Not changed: ${[error.message, ...Object.values(error.fields ?? {})].join(" ")}`;
    }
  }

  async #delete() {
    const sure = await ask({ title: "Delete this note?", paragraphs: ["Its words are gone for everybody."], confirm: "Delete", danger: true });
    if (!sure) return;
    try {
      await notes.remove(this.#note.id);
      this.tell("thread-changed");
    } catch (error) {
      notifyError(error, "Not deleted");
    }
  }
}

customElements.define("note-card", NoteCard);

threadItems("note-card", {
  wants: (event) => event.type.startsWith("note.") || event.type === "conversation.merged",
  async read(id, { signal }) {
    const items = [];
    let after = null;
    do {
      const page = await notes.list(id, { limit: PAGE, after }, { signal });
      items.push(...page.items);
      after = page.next;
    } while (after);
    return items.map((note) => ({ ...note, at: note.created_at }));
  },
});
