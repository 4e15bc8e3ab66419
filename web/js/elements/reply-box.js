/**
 * `<reply-box>`: where an agent writes: one line until it is needed, then the reply and what areas add as tabs (place `composer.tabs`).
 * Leaves the reply itself to reply-form.
 */

import { fill, h, icon, uid } from "/web/js/dom.js";
import { shortName } from "/web/js/format.js";
import { inPlace, places } from "/web/js/places.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";

const PLACE = "composer.tabs";
const REPLY = { tag: "reply-form", title: "Reply", iconName: "reply" };

export class ReplyBox extends RoomElement {
  #conversation = null;
  #writers = new Map();
  #chosen = REPLY.tag;

  build() {
    this.opener = h("button", { type: "button", class: "reply-opener", onclick: () => this.expand() });
    this.others = h("span", { class: "other-openers" });
    this.openers = h("div", { class: "reply-openers" }, this.opener, this.others);
    this.tabs = h("div", { class: "composer-tabs", role: "tablist", "aria-label": "What to write", hidden: true, "data-own-arrows": true });
    this.form = h("reply-form", { class: "reply-form", hidden: true });
    this.append(this.openers, this.tabs, this.form);
    this.addEventListener("fold-wanted", () => this.collapse());
    this.addEventListener("unfold-wanted", () => this.expand({ focus: false }));
    this.tabs.addEventListener("keydown", (event) => this.#arrow(event));
    this.#drops();
  }

  attach() {
    this.listen(places, "change", (event) => event.detail === PLACE && this.#fill());
    this.#fill();
  }

  #fill() {
    const hung = [REPLY, ...inPlace(PLACE)];
    for (const { tag, title, iconName } of hung) {
      if (this.#writers.has(tag)) continue;
      const element = tag === REPLY.tag ? this.form : h(tag, { class: "composer-tab", hidden: true });
      element.id ||= uid("writer");
      const tab = h("button", { type: "button", role: "tab", id: uid("tab"), "aria-controls": element.id, onclick: () => this.expand({ tab: tag }) }, icon(iconName), h("span", {}, title));
      element.setAttribute("role", "tabpanel");
      element.setAttribute("aria-labelledby", tab.id);
      this.#writers.set(tag, { element, tab });
      this.tabs.append(tab);
      if (element !== this.form) {
        this.append(element);
        element.composer = this.form;
        if (this.#conversation) element.conversation = this.#conversation;
        this.others.append(h("button", { type: "button", class: "reply-opener other", "aria-label": title, title, onclick: () => this.expand({ tab: tag }) }, icon(iconName), h("span", {}, title)));
      }
    }
    // In the registry's order, whichever module came first.
    this.#writers = new Map(hung.map(({ tag }) => [tag, this.#writers.get(tag)]));
    for (const { tab } of this.#writers.values()) this.tabs.append(tab);
    this.#mark();
  }

  /** Shows the box for a conversation; its draft comes back when there is one. */
  set conversation(value) {
    const changed = this.#conversation?.id !== value.id;
    this.#conversation = value;
    fill(this.opener, icon("reply"), h("span", {}, `Reply to ${value.reply?.to?.map(shortName).join(", ") || shortName(value.customer)}`), h("kbd", {}, "r"));
    this.hidden = !store.mayWrite;
    if (!changed) return;
    this.#chosen = REPLY.tag;
    const hasDraft = this.form.begin(value);
    this.give(value);
    if (hasDraft) this.expand({ focus: false });
    else this.collapse();
  }

  /** A newer reading of the conversation, for what hangs in the box. */
  give(value) {
    if (this.#conversation?.id !== value.id) return;
    this.#conversation = value;
    for (const { element } of this.#writers.values()) element.conversation = value;
  }

  /** The view has read up to this version: with nothing half-written, that is what a reply answers to. */
  read(version, arrived) {
    this.form.read(version, arrived);
  }

  /** Opens the box. `tab` names what to write, `kind` how to answer: reply, reply-all or forward. */
  expand({ focus = true, tab = REPLY.tag, kind = null } = {}) {
    this.#chosen = tab;
    this.openers.hidden = true;
    this.tabs.hidden = this.#writers.size < 2;
    this.#mark();
    if (kind && tab === REPLY.tag) this.form.kind = kind;
    if (focus) this.#writers.get(tab)?.element.focusEnd?.();
  }

  collapse() {
    this.openers.hidden = false;
    this.tabs.hidden = true;
    this.#mark();
  }

  #mark() {
    const open = this.openers.hidden;
    for (const [tag, { element, tab }] of this.#writers) {
      const chosen = tag === this.#chosen;
      element.hidden = !open || !chosen;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
  }

  #arrow(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const tags = [...this.#writers.keys()];
    const tag = tags[(tags.indexOf(this.#chosen) + step + tags.length) % tags.length];
    this.expand({ tab: tag, focus: false });
    this.#writers.get(tag).tab.focus();
  }

  /** Puts an undone reply back, unless something else is being written. */
  restore(message) {
    if (!this.form.restore(message)) return false;
    this.expand();
    return true;
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
      if (!event.dataTransfer.files.length || event.defaultPrevented) return;
      event.preventDefault();
      this.expand({ focus: false });
      this.form.tray.add(event.dataTransfer.files);
    });
  }
}

customElements.define("reply-box", ReplyBox);
