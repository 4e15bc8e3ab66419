/**
 * `<templates-page>`: canned replies. Everybody keeps their own; admins keep those of inboxes and of all.
 */

import { templates } from "/web/js/api/templates.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import "/web/js/elements/rich-editor.js";
import "/web/js/elements/template-form.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class TemplatesPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people templates" });
    this.body = h("section", { class: "panel", "aria-label": "Templates", hidden: true }, this.list);
    this.form = h("template-form", { hidden: true });
    this.adder = button("New template", { iconName: "plus", kind: "primary", onclick: () => this.#edit(null) });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Templates"), this.adder),
      h("p", { class: "lead" }, "In a reply, type / and a shortcut, or press Ctrl+/. Placeholders are filled for each conversation; one without a value is marked, and never sent."), this.form, this.state, this.body);
    this.form.addEventListener("template-saved", () => {
      this.form.hidden = true;
      this.#load();
    });
    this.form.addEventListener("template-left", () => {
      this.form.hidden = true;
      this.adder.focus();
    });
  }

  attach() {
    this.adder.hidden = !store.mayWrite;
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const { items } = await templates.list({ signal: this.life });
      this.state.done();
      this.body.hidden = items.length === 0;
      if (items.length === 0) this.state.empty("No templates yet", "What is written again and again is written once here, and found by its shortcut.", { iconName: "book" });
      fill(this.list, items.map((one) => this.#row(one)));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #row(one) {
    const name = plain(one.name);
    const whose = one.personal ? "only you" : one.inbox ? `inbox ${plain(one.inbox.name)}` : one.team ? `team ${plain(one.team.name)}` : "everybody";
    return h("li", { dataset: { template: one.id } }, icon("book"),
      h("div", {}, h("span", {}, h("strong", {}, name), " ", one.shortcut ? h("kbd", {}, `/${one.shortcut}`) : null),
        h("span", { class: "faint template-words" }, plain(one.text).slice(0, 160)),
        h("span", { class: "hint" }, [`For ${whose}`, one.uses ? `used ${plural(one.uses, "time")}` : null, one.attachments.length ? plural(one.attachments.length, "file") : null].filter(Boolean).join(" · "))),
      one.can_change && store.mayWrite ? [button("Edit", { kind: "small", "aria-label": `Edit ${name}`, onclick: () => this.#edit(one) }), button("Remove", { kind: "small", "aria-label": `Remove ${name}`, onclick: () => this.#remove(one) })] : null);
  }

  #edit(one) {
    this.form.hidden = false;
    this.form.template = one;
    this.form.scrollIntoView({ block: "nearest" });
  }

  async #remove(one) {
    const sure = await ask({ title: `Remove ${plain(one.name)}?`, paragraphs: ["Replies that were written with it stay. A rule that uses it does nothing there any more, and says so."], confirm: "Remove", danger: true });
    if (!sure) return;
    try {
      await templates.remove(one.id);
    } catch (error) {
      notifyError(error, "Not removed");
    }
    this.#load();
  }
}

customElements.define("templates-page", TemplatesPage);
