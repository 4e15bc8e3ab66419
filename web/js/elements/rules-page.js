/**
 * `<rules-page>`: routing rules in the order in which they are asked: moved by drag or by keys, switched on, off and into shadow.
 */

import { ruleNames, rules } from "/web/js/api/rules.js";
import { announce, button, fill, h, icon } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { actionWords, conditionWords } from "/web/js/rule-words.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class RulesPage extends RoomElement {
  #items = [];
  #names = {};
  #dragged = null;

  build() {
    this.state = document.createElement("load-state");
    this.list = h("ol", { class: "rule-rows", "data-own-arrows": true });
    this.body = h("section", { class: "panel", "aria-label": "Routing rules", hidden: true }, this.list);
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Routing rules"),
      h("a", { class: "button primary", href: "/rules/new" }, icon("plus"), h("span", {}, "New rule"))),
    h("p", { class: "lead" }, "Asked from the top, each once for a mail. Every change is a version, and a conversation's details tell which rules looked at it and why they did or did not act."), this.state, this.body);
  }

  attach() {
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const [{ items }, known] = await Promise.all([rules.list({ signal: this.life }), ruleNames({ signal: this.life })]);
      this.#names = { ...known, inboxes: store.get("inboxes"), users: store.get("users") };
      this.state.done();
      this.body.hidden = items.length === 0;
      if (items.length === 0) this.state.empty("No rules yet", "A rule tags, assigns or answers mail by itself. Try it on the mail of the last days before you switch it on.", { iconName: "bolt" });
      this.#show(items);
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #show(items, focused = null) {
    this.#items = items;
    fill(this.list, items.map((one, place) => this.#row(one, place)));
    if (focused) this.list.querySelector(`[data-rule="${focused}"] .rule-grip`)?.focus();
  }

  #row(one, place) {
    const name = plain(one.name);
    const grip = button("", { iconName: "list", label: `Move ${name}: place ${place + 1} of ${this.#items.length}. Alt with an arrow key moves it.`, kind: "quiet small rule-grip", onkeydown: (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step || !event.altKey) return;
      event.preventDefault();
      this.#move(place, place + step);
    } });
    const row = h("li", { class: one.enabled ? "" : "off", draggable: "true", dataset: { rule: one.id } }, grip, h("div", {},
      h("span", { class: "rule-title" }, h("a", { href: `/rules/${one.id}` }, name), one.shadow ? h("span", { class: "badge" }, "Shadow") : null, one.stop ? h("span", { class: "badge" }, "Ends the look") : null,
        one.trigger === "change" ? h("span", { class: "badge" }, "On changes") : null, h("span", { class: "faint" }, `version ${one.version}`)),
      h("span", { class: "rule-words" }, `If ${conditionWords(one.condition, this.#names)}, then ${one.actions.map((action) => actionWords(action, this.#names)).join(", ")}.`),
      h("span", { class: "hint" }, one.hits ? `${one.hits >= 1000 ? "more than 1,000 hits" : plural(one.hits, "hit")} in seven days` : "no hit in seven days")),
    button(one.enabled ? "On" : "Off", { kind: "small", "aria-pressed": String(one.enabled), "aria-label": `${name} is switched ${one.enabled ? "on" : "off"}`, onclick: () => this.#change(one, { enabled: !one.enabled }) }),
    button("Shadow", { kind: "small", "aria-pressed": String(one.shadow), "aria-label": `${name} in shadow`, onclick: () => this.#change(one, { shadow: !one.shadow }) }),
    button("", { iconName: "trash", label: `Remove ${name}`, kind: "quiet small", onclick: () => this.#remove(one) }));
    row.addEventListener("dragstart", (event) => {
      this.#dragged = one.id;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", name);
    });
    row.addEventListener("dragover", (event) => {
      if (this.#dragged && this.#dragged !== one.id) event.preventDefault();
    });
    row.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#move(this.#items.findIndex((other) => other.id === this.#dragged), place);
      this.#dragged = null;
    });
    return row;
  }

  async #move(from, to) {
    if (from < 0 || to < 0 || to >= this.#items.length || from === to) return;
    const moved = this.#items[from];
    const items = this.#items.toSpliced(from, 1).toSpliced(to, 0, moved);
    this.#show(items, moved.id);
    announce(`${plain(moved.name)} is now at place ${to + 1}`);
    try {
      await rules.order(items.map((one) => one.id));
    } catch (error) {
      notifyError(error, "Not moved");
      this.#load();
    }
  }

  async #change(one, changes) {
    try {
      const changed = await rules.change(one.id, changes);
      this.#show(this.#items.map((other) => (other.id === one.id ? changed : other)));
    } catch (error) {
      notifyError(error, "Not changed");
      this.#load();
    }
  }

  async #remove(one) {
    const sure = await ask({ title: `Remove the rule ${plain(one.name)}?`, paragraphs: ["What it has done stays done, and its hits stay explained."], confirm: "Remove", danger: true });
    if (!sure) return;
    try {
      await rules.remove(one.id);
    } catch (error) {
      notifyError(error, "Not removed");
    }
    this.#load();
  }
}

customElements.define("rules-page", RulesPage);
