/**
 * `<tag-picker>`: the tags of a conversation in their colours; typing adds one, known or new. Tells `field-change` with `{tags}`.
 */

import { tags } from "/web/js/api/tags.js";
import { fill, fillRows, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { tagBadge } from "/web/js/tag-badge.js";

let known = null;

/** Every tag of the organisation, read once and again when one was changed. */
async function knownTags() {
  known ??= tags.list().then((page) => page.items);
  try {
    return await known;
  } catch {
    known = null; // Read again when the field is next used; typing a name works without.
    return [];
  }
}
stream.addEventListener("change", ({ detail }) => detail.type === "tags.changed" && (known = null));
stream.addEventListener("reload", () => (known = null));

export class TagPicker extends PlacedElement {
  #disabled = false;

  build() {
    const id = uid("tags");
    this.held = h("ul", { class: "held-tags", "aria-label": "Tags" });
    this.choices = h("datalist", { id });
    this.input = h("input", { type: "text", list: id, placeholder: "Add a tag", maxlength: "50", autocomplete: "off", "aria-label": "Add a tag" });
    this.append(this.held, this.input, this.choices);
    this.input.addEventListener("focus", () => this.#offer());
    this.input.addEventListener("change", () => this.#add());
    this.input.addEventListener("keydown", (event) => this.#key(event));
  }

  set disabled(on) {
    this.#disabled = on;
    if (this.input) this.input.hidden = on;
    if (this.conversation && this.isConnected) this.show(this.conversation);
  }

  focus() {
    this.input.focus();
  }

  get #names() {
    return (this.conversation?.tags ?? []).map((tag) => tag.name);
  }

  show({ tags: held = [] }) {
    this.input.hidden = this.#disabled;
    fillRows(this.held, held.map((tag) => ({ ...tag, id: tag.name })), (tag) => h("li", {}, tagBadge(tag, this.#disabled ? null
      : h("button", { type: "button", class: "tag-off", "aria-label": `Remove the tag ${plain(tag.name)}`, title: "Remove", onclick: () => this.#tell(this.#names.filter((name) => name !== tag.name)) }, icon("cross")))),
    (tag) => [tag, this.#disabled]);
  }

  async #offer() {
    const held = new Set(this.#names);
    fill(this.choices, (await knownTags()).filter((tag) => !held.has(tag.name)).map((tag) => h("option", { value: tag.name })));
  }

  #add() {
    const names = this.input.value.split(",").map((one) => one.trim()).filter(Boolean);
    this.input.value = "";
    const next = [...new Set([...this.#names, ...names])];
    if (next.length > this.#names.length) this.#tell(next);
  }

  #key(event) {
    if (event.key === "Enter" || event.key === ",") {
      event.preventDefault();
      this.#add();
    } else if (event.key === "Backspace" && !this.input.value && this.#names.length) {
      event.preventDefault();
      this.#tell(this.#names.slice(0, -1));
    }
  }

  #tell(names) {
    if (store.mayWrite) this.tell("field-change", { tags: names });
  }
}

customElements.define("tag-picker", TagPicker);
