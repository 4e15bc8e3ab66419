/**
 * `<template-picker>`: canned replies in the reply box (place `composer.tools`): a button, Ctrl+/ or a typed `/shortcut` opens it.
 * Puts the filled text at the caret and its files beside it; what had no value is marked until somebody fills it in.
 */

import { templates } from "/web/js/api/templates.js";
import { announce, button, fill, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { standing } from "/web/js/placeholders.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const MARK = "unfilled";

export class TemplatePicker extends PlacedElement {
  #all = [];
  #typed = null; // the range of `/word` that opened it, replaced by the template

  build() {
    const id = uid("templates");
    this.opener = button("", { iconName: "book", label: "Templates (Ctrl+/)", kind: "quiet", "aria-haspopup": "dialog", onclick: () => this.toggle(this.panel.hidden) });
    this.search = h("input", { type: "search", "aria-label": "Find a template", placeholder: "Find a template", autocomplete: "off", role: "combobox", "aria-expanded": "true", "aria-controls": id, oninput: () => this.#offer() });
    this.list = h("ul", { id, role: "listbox", "aria-label": "Templates" });
    this.panel = h("div", { class: "menu template-menu", hidden: true, role: "dialog", "aria-label": "Templates" }, this.search, this.list);
    this.left = h("span", { class: "unfilled-note", role: "status" });
    this.append(this.opener, this.panel, this.left);
    this.panel.addEventListener("keydown", (event) => this.#key(event));
  }

  attach() {
    super.attach();
    this.listen(document, "pointerdown", (event) => !this.contains(event.target) && this.toggle(false));
  }

  /** The reply form; its editor is watched for shortcuts and for placeholders that stand. */
  set composer(form) {
    this.form = form;
    this.listen(form, "draft-change", () => this.#changed());
    this.listen(form, "keydown", (event) => {
      if (event.key !== "/" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.toggle(true);
    });
  }

  async toggle(open, wanted = "") {
    if (open === !this.panel.hidden) return;
    this.panel.hidden = !open;
    if (!open) {
      this.#typed = null;
      return;
    }
    this.search.value = wanted;
    this.search.focus();
    try {
      this.#all = (await templates.list({ signal: this.life })).items;
      this.#offer();
    } catch (error) {
      if (error.name !== "AbortError") fill(this.list, h("li", { class: "faint", role: "option", "aria-disabled": "true" }, error.message));
    }
  }

  #offer() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const inbox = this.conversation?.inbox.id;
    const fits = (one) => (!one.inbox || one.inbox.id === inbox) && words.every((word) => `${one.shortcut ?? ""} ${one.name} ${one.text}`.toLowerCase().includes(word));
    const first = (one) => (one.shortcut && one.shortcut === words[0] ? 0 : one.shortcut?.startsWith(words[0] ?? " ") ? 1 : 2);
    const found = this.#all.filter(fits).sort((one, other) => first(one) - first(other) || other.uses - one.uses).slice(0, 12);
    fill(this.list, found.map((one, place) => h("li", { role: "option", id: `${this.list.id}-${place}`, "aria-selected": String(place === 0), onclick: () => this.#use(one) },
      h("strong", {}, plain(one.name)), one.shortcut ? h("kbd", {}, `/${one.shortcut}`) : null, one.attachments.length ? icon("clip", "with a file") : null, h("span", { class: "faint" }, plain(one.text).slice(0, 90)))));
    if (!found.length) fill(this.list, h("li", { class: "faint", role: "option", "aria-disabled": "true" }, this.#all.length ? "No template fits." : "There is no template yet. Make one under Settings, Templates."));
    this.search.setAttribute("aria-activedescendant", found.length ? `${this.list.id}-0` : "");
  }

  #key(event) {
    const options = [...this.list.querySelectorAll("[role=option]")];
    const at = options.findIndex((one) => one.getAttribute("aria-selected") === "true");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      this.toggle(false);
      this.form.focusEnd();
    } else if (event.key === "Enter") {
      options[at]?.click();
    } else if (step && options.length) {
      const next = options[(at + step + options.length) % options.length];
      options.forEach((one) => one.setAttribute("aria-selected", String(one === next)));
      this.search.setAttribute("aria-activedescendant", next.id);
      next.scrollIntoView({ block: "nearest" });
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  async #use(one) {
    const typed = this.#typed;
    this.toggle(false);
    try {
      const filled = await templates.fill(one.id, this.conversation.id);
      this.form.focusEnd();
      if (typed?.startContainer.isConnected) {
        getSelection().removeAllRanges();
        getSelection().addRange(typed);
      }
      this.form.editor.insertNodes(filled.nodes);
      if (filled.attachments.length) this.form.tray.ready = [...this.form.tray.ready, ...filled.attachments];
      announce(filled.missing.length ? `Inserted. ${filled.missing.length} placeholders have no value.` : "Inserted");
      const [next] = standing(this.form.editor.area);
      if (next) {
        getSelection().removeAllRanges();
        getSelection().addRange(next.range);
      }
    } catch (error) {
      notifyError(error, "Not inserted");
    }
  }

  #changed() {
    const found = standing(this.form.editor.area);
    if (found.length) CSS.highlights?.set(MARK, new Highlight(...found.map((one) => one.range)));
    else CSS.highlights?.delete(MARK);
    const names = [...new Set(found.map((one) => `{{${one.name}}}`))];
    this.left.textContent = names.length ? `Fill in ${names.join(", ")}` : "";
    this.#shortcut();
  }

  /** `/word` at the start of a line or behind a blank, typed just now. */
  #shortcut() {
    const { anchorNode, anchorOffset, isCollapsed } = getSelection();
    if (!isCollapsed || anchorNode?.nodeType !== Node.TEXT_NODE || !this.form.editor.area.contains(anchorNode)) return;
    const [, word] = /(?:^|\s)\/([\p{L}\p{N}_-]{1,40})\s$/u.exec(anchorNode.data.slice(0, anchorOffset).replaceAll("\u00a0", " ")) ?? [];
    if (!word) return;
    const range = document.createRange();
    range.setStart(anchorNode, anchorOffset - word.length - 2);
    range.setEnd(anchorNode, anchorOffset);
    this.#typed = range;
    this.toggle(true, word.toLowerCase());
  }
}

customElements.define("template-picker", TemplatePicker);
place("composer.tools", "template-picker", 10);
