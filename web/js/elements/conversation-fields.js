/**
 * `<conversation-fields>`: status, assignee, priority, category and tags of a conversation. Tells `field-change` (the changed fields).
 * Promises that an update from elsewhere does not overwrite a field that somebody is typing in.
 */

import { fill, h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { store } from "/web/js/store.js";
import { PRIORITY, STATUS, STATUS_CHOICES } from "/web/js/words.js";

const CATEGORIES = ["support", "sales", "billing", "general", "feedback"];

export class ConversationFields extends PlacedElement {
  build() {
    this.status = this.#select("Status", "status");
    this.priority = this.#select("Priority", "priority");
    this.owner = this.#select("Assignee", "assigned_to");
    const choices = uid("categories");
    this.category = h("input", { type: "text", list: choices, placeholder: "Category", maxlength: "100", "aria-label": "Category", onchange: () => this.tell("field-change", { category: this.category.value.trim() || null }) });
    this.tags = document.createElement("tag-picker");
    const titled = (word, control) => h("div", { class: "control", title: word }, control);
    this.append(titled("Status", this.status), titled("Assignee", this.owner), titled("Priority", this.priority), titled("Category", this.category), titled("Tags", this.tags),
      h("datalist", { id: choices }, CATEGORIES.map((one) => h("option", { value: one }))));
  }

  #select(label, field) {
    return h("select", { "aria-label": label, onchange: (event) => this.tell("field-change", { [field]: event.target.value || null }) });
  }

  show(item) {
    this.#options(this.status, [...new Set([...STATUS_CHOICES, item.status])].map((one) => [one, STATUS[one] ?? one]), item.status);
    this.#options(this.priority, Object.entries(PRIORITY).map(([id, word]) => [id, `${word} priority`]), item.priority);
    const people = store.get("users").map((user) => [user.id, user.name || user.email]);
    const owner = item.assigned_to;
    if (owner && !people.some(([id]) => id === owner.id)) people.push([owner.id, owner.name]);
    this.#options(this.owner, [["", "Unassigned"], ...people], owner?.id ?? "");
    if (document.activeElement !== this.category) this.category.value = item.category ?? "";
    this.tags.conversation = item;
    for (const control of [this.status, this.priority, this.owner, this.category, this.tags]) control.disabled = !store.mayWrite;
  }

  #options(select, pairs, value) {
    const key = JSON.stringify(pairs);
    if (select.dataset.pairs !== key) {
      fill(select, pairs.map(([id, word]) => h("option", { value: id }, plain(word))));
      select.dataset.pairs = key;
    }
    select.value = value ?? "";
  }
}

customElements.define("conversation-fields", ConversationFields);
