/**
 * `<mention-field label placeholder>`: a text area that completes `@` to people. Tells `draft-note` on input and `note-wanted` on Ctrl+Enter.
 */

import { fill, h, uid } from "/web/js/dom.js";
import { cutMentions, fitting, mentioned, nameOf, typedMention } from "/web/js/mentions.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";

export class MentionField extends RoomElement {
  #found = [];
  #active = 0;

  build() {
    const list = uid("mentions");
    this.area = h("textarea", {
      rows: "3", placeholder: this.getAttribute("placeholder"), "aria-label": this.getAttribute("label") ?? "Note", maxlength: "50000", role: "combobox", "aria-expanded": "false",
      "aria-controls": list, "aria-autocomplete": "list", "data-own-arrows": true,
    });
    this.list = h("ul", { class: "mention-list", role: "listbox", id: list, "aria-label": "People to mention", hidden: true });
    this.append(this.area, this.list);
    this.area.addEventListener("input", () => {
      this.#look();
      this.tell("draft-note");
    });
    this.area.addEventListener("keydown", (event) => this.#key(event));
    this.area.addEventListener("blur", () => this.#offer([]));
  }

  get text() {
    return this.area.value;
  }

  set text(value) {
    this.area.value = value;
    this.#offer([]);
  }

  /** `{content, mentions}` as the server takes it. */
  get note() {
    return { content: this.text, mentions: mentioned(this.text, store.get("users")) };
  }

  /** How many people are mentioned. */
  get people() {
    return cutMentions(this.text, store.get("users")).filter((part) => typeof part !== "string");
  }

  focusEnd() {
    this.area.focus();
    this.area.setSelectionRange(this.text.length, this.text.length);
  }

  #look() {
    const { selectionStart, selectionEnd, value } = this.area;
    const typed = selectionStart === selectionEnd ? typedMention(value.slice(0, selectionStart)) : null;
    const me = store.get("me")?.user.id;
    this.#offer(typed === null ? [] : fitting(store.get("users").filter((user) => user.id !== me), typed));
  }

  #offer(found) {
    this.#found = found;
    this.#active = 0;
    this.list.hidden = found.length === 0;
    this.area.setAttribute("aria-expanded", String(found.length > 0));
    fill(this.list, found.map((user, index) =>
      h("li", { role: "option", id: `${this.list.id}-${index}`, onmousedown: (event) => event.preventDefault(), onclick: () => this.#take(user) }, h("strong", {}, nameOf(user)), " ", h("span", { class: "faint" }, user.email ?? ""))));
    this.#mark();
  }

  #mark() {
    for (const [index, row] of [...this.list.children].entries()) row.setAttribute("aria-selected", String(index === this.#active));
    if (this.#found.length) this.area.setAttribute("aria-activedescendant", `${this.list.id}-${this.#active}`);
    else this.area.removeAttribute("aria-activedescendant");
  }

  #take(user) {
    const { selectionStart, value } = this.area;
    const from = selectionStart - typedMention(value.slice(0, selectionStart)).length;
    this.area.setRangeText(`${nameOf(user)} `, from, selectionStart, "end");
    this.#offer([]);
    this.tell("draft-note");
  }

  #key(event) {
    const { key } = event;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.tell("note-wanted");
      return;
    }
    if (this.#found.length === 0) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step) {
      this.#active = (this.#active + step + this.#found.length) % this.#found.length;
      this.#mark();
    } else if (key === "Enter" || key === "Tab") {
      this.#take(this.#found[this.#active]);
    } else if (key === "Escape") {
      this.#offer([]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

customElements.define("mention-field", MentionField);
