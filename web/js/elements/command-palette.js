/**
 * `<command-palette>`: finds commands and conversations by a few letters. A combobox with a listbox: the focus stays in the field, the
 * chosen option is told by `aria-activedescendant`. A command with choices asks for one of them in the same place.
 */

import { commands, run } from "/web/js/commands.js";
import { fill, h, icon, uid } from "/web/js/dom.js";
import { commandEntries, foundConversations, matching } from "/web/js/palette-entries.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const SEARCH_MS = 200;

export class CommandPalette extends RoomElement {
  #entries = [];
  #found = [];
  #choices = null;
  #active = 0;
  #asked = null;

  build() {
    const list = uid("palette");
    this.field = h("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": list, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false" });
    this.list = h("ul", { id: list, role: "listbox", "aria-label": "Commands and conversations" });
    this.none = h("p", { class: "faint palette-none", role: "status" });
    this.dialog = h("dialog", { class: "palette", "aria-label": "Commands" }, h("div", { class: "palette-field" }, icon("search"), this.field), this.list, this.none);
    this.append(this.dialog);
    const search = settle(() => this.#search(), SEARCH_MS);
    this.field.addEventListener("input", () => {
      this.#active = 0;
      this.#found = [];
      this.#show();
      if (!this.#choices) search();
    });
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#choose([...this.list.querySelectorAll("[role=option]")].indexOf(option));
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("close", () => this.#asked?.abort());
  }

  attach() {
    this.listen(commands, "ask", (event) => this.show(event.detail));
  }

  /** Opens with all commands, or with the choices of one. */
  async show(entry = null) {
    this.#choices = null;
    this.#found = [];
    this.#active = 0;
    this.field.value = "";
    this.field.placeholder = entry ? entry.title : "Type a command or search conversations";
    this.field.setAttribute("aria-label", this.field.placeholder);
    if (entry) {
      try {
        this.#choices = await entry.choices();
      } catch (error) {
        notifyError(error);
        return;
      }
    }
    this.#show();
    if (!this.dialog.open) this.dialog.showModal();
    this.field.focus();
  }

  async #search() {
    this.#asked?.abort();
    this.#asked = new AbortController();
    const words = this.field.value;
    try {
      const found = await foundConversations(words, this.#asked.signal);
      if (words !== this.field.value || this.#choices) return;
      this.#found = found;
      this.#show();
    } catch (error) {
      if (error.name !== "AbortError") this.none.textContent = `Conversations were not searched: ${error.message}`;
    }
  }

  #show() {
    const words = this.field.value;
    this.#entries = this.#choices ? matching(this.#choices, words) : [...matching(commandEntries(), words), ...this.#found];
    this.#active = Math.min(this.#active, Math.max(0, this.#entries.length - 1));
    let group = null;
    fill(this.list, this.#entries.flatMap((entry, place) => {
      // Headings only while nothing is typed: with a search the best match counts, not its group.
      const heading = entry.group && entry.group !== group && (!words || entry.group === "Conversations") ? h("li", { role: "presentation", class: "palette-group" }, entry.group) : null;
      group = entry.group;
      return [heading, h("li", { role: "option", id: `${this.list.id}-${place}`, "aria-selected": String(place === this.#active) }, icon(entry.iconName ?? "play"),
        h("span", {}, entry.title), entry.text ? h("span", { class: "faint" }, entry.text) : null, (entry.keys ?? []).map((key) => h("kbd", {}, key)))];
    }));
    this.none.textContent = this.#entries.length ? "" : "Nothing matches.";
    this.#mark();
  }

  #mark() {
    const options = this.list.querySelectorAll("[role=option]");
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === this.#active)));
    const here = options[this.#active];
    if (here) this.field.setAttribute("aria-activedescendant", here.id);
    else this.field.removeAttribute("aria-activedescendant");
    here?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    const last = this.#entries.length - 1;
    const to = { ArrowDown: this.#active === last ? 0 : this.#active + 1, ArrowUp: this.#active === 0 ? last : this.#active - 1, PageDown: Math.min(last, this.#active + 8), PageUp: Math.max(0, this.#active - 8) }[event.key];
    if (event.key === "Enter") this.#choose(this.#active);
    else if (to !== undefined && last >= 0) {
      this.#active = to;
      this.#mark();
    } else return;
    event.preventDefault();
  }

  #choose(place) {
    const entry = this.#entries[place];
    if (!entry) return;
    if (entry.command?.choices) {
      this.show(entry.command);
      return;
    }
    this.dialog.close();
    if (entry.command) run(entry.command.id);
    else entry.run();
  }
}

customElements.define("command-palette", CommandPalette);
