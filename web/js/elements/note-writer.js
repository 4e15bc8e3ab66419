/**
 * `<note-writer>`: writes an internal note; the tab beside the reply (`composer.tabs`). What is typed stays with its conversation while the page lives.
 */

import { notes } from "/web/js/api/notes.js";
import { command } from "/web/js/commands.js";
import { desk } from "/web/js/desk.js";
import { announce, button, h, icon } from "/web/js/dom.js";
import { nameOf } from "/web/js/mentions.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";

const list = new Intl.ListFormat("en");

export class NoteWriter extends PlacedElement {
  #texts = new Map();
  #busy = false;

  build() {
    this.field = h("mention-field", { label: "Internal note", placeholder: "A note for the team. @ mentions a colleague" });
    this.said = h("p", { class: "field-error", role: "alert" });
    this.whom = h("span", { class: "faint whom-told" });
    this.submit = button("Add note", { iconName: "note", kind: "primary", title: "Add note (Ctrl+Enter)", onclick: () => this.#add() });
    this.append(h("p", { class: "note-hint" }, icon("note"), "Only the team sees this."), this.field, this.said,
      h("div", { class: "reply-foot" }, this.submit, this.whom, button("", { iconName: "down", label: "Fold the note", kind: "quiet", onclick: () => this.tell("fold-wanted") })));
    this.addEventListener("draft-note", () => this.#typed());
    this.addEventListener("note-wanted", () => this.#add());
  }

  show({ id }, before) {
    if (before?.id === id) return;
    this.field.text = this.#texts.get(id) ?? "";
    this.#typed();
  }

  focusEnd() {
    this.field.focusEnd();
  }

  #typed() {
    const { id } = this.conversation;
    if (this.field.text) this.#texts.set(id, this.field.text);
    else this.#texts.delete(id);
    this.said.textContent = "";
    const people = this.field.people.map(nameOf);
    this.whom.textContent = people.length ? `${list.format([...new Set(people)])} will be told` : "";
  }

  async #add() {
    const { id } = this.conversation;
    if (this.#busy || !this.field.text.trim()) return;
    this.#busy = true;
    this.submit.disabled = true;
    try {
      await notes.add(id, this.field.note);
      this.#texts.delete(id);
      if (this.conversation.id === id) {
        this.field.text = "";
        this.#typed();
        this.tell("fold-wanted");
      }
      announce("Note added");
      this.tell("conversation-changed");
    } catch (error) {
      this.said.textContent = `Not added: ${[error.message, ...Object.values(error.fields ?? {})].join(" ")} Your text is kept.`;
    } finally {
      this.#busy = false;
      this.submit.disabled = false;
    }
  }
}

customElements.define("note-writer", NoteWriter);
place("composer.tabs", "note-writer", 20, { title: "Note", iconName: "note" });

command({
  id: "conversation.note", title: "Write an internal note", keys: ["n"], iconName: "note",
  when: () => router.current.name === "conversation" && desk.conversation !== null && store.mayWrite,
  run: () => document.querySelector("conversation-view reply-box").expand({ tab: "note-writer" }),
});
