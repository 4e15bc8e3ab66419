/**
 * `<tags-page>`: the tags of the organisation with their colours. Admins name, colour and remove them; everybody sees them.
 */

import { tags } from "/web/js/api/tags.js";
import { button, fillRows, h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { tagBadge } from "/web/js/tag-badge.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const PRESETS = ["Slate", "Red", "Orange", "Green", "Blue", "Violet"];
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--tag-${name.toLowerCase()}`).trim();

export class TagsPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people tag-rows" });
    this.body = h("section", { class: "panel", "aria-label": "Tags", hidden: true }, this.list);
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Tags")),
      h("p", { class: "lead" }, "A new name or colour stands at once wherever the tag is. Agents add tags in a conversation; a name that is not known yet makes one."), this.state, this.body);
    if (store.mayManage) this.body.append(this.#form());
  }

  attach() {
    this.state.loading(3, "card");
    this.listen(stream, "change", ({ detail }) => detail.type === "tags.changed" && this.#load());
    this.#load();
  }

  async #load() {
    try {
      const { items } = await this.inOrder(tags.list({ signal: this.life }));
      this.state.done();
      this.body.hidden = false;
      fillRows(this.list, items, (tag) => this.#row(tag));
      if (items.length === 0) this.list.append(h("li", {}, h("p", { class: "faint" }, "There is no tag yet.")));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #row(tag) {
    const name = plain(tag.name);
    const shade = h("input", { type: "color", value: tag.color, "aria-label": `Colour of ${name}`, onchange: () => this.#change(tag, { color: shade.value }).then((done) => done || (shade.value = tag.color)) });
    return h("li", { "data-tag": tag.name }, h("div", {}, tagBadge(tag)), store.mayManage ? [shade,
      button("Rename", { kind: "small", "aria-label": `Rename ${name}`, onclick: () => this.#rename(tag) }),
      button("Remove", { kind: "small", "aria-label": `Remove ${name}`, onclick: () => this.#remove(tag) })] : null);
  }

  #form() {
    const id = uid("tag");
    const name = h("input", { type: "text", id, maxlength: "50", autocomplete: "off" });
    const shade = h("input", { type: "color", "aria-label": "Colour", value: color("Slate") });
    const wrong = h("p", { class: "field-error", role: "alert" });
    const presets = PRESETS.map((one) => {
      const swatch = h("button", { type: "button", class: "swatch", "aria-label": one, title: one, onclick: () => (shade.value = color(one)) });
      swatch.style.setProperty("--tag", color(one));
      return swatch;
    });
    return h("form", { class: "add tag-form", novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      wrong.textContent = "";
      try {
        await tags.add({ name: name.value, color: shade.value });
        name.value = "";
        this.#load();
      } catch (error) {
        wrong.textContent = Object.values(error.fields ?? {}).join(" ") || error.message;
      }
    } }, h("div", { class: "field" }, h("label", { for: id }, "Name"), name), shade, h("div", { class: "swatches", role: "group", "aria-label": "Colours" }, presets), button("Make a tag", { type: "submit", kind: "primary" }), wrong);
  }

  /** Answers whether it was taken. */
  async #change(tag, changes) {
    let done = true;
    try {
      await tags.change(tag.id, changes);
    } catch (error) {
      done = false;
      notify(`Not changed: ${Object.values(error.fields ?? {}).join(" ") || error.message}`, { tone: "bad" });
    }
    this.#load();
    return done;
  }

  async #rename(tag) {
    const name = await ask({ title: `Rename ${plain(tag.name)}`, confirm: "Rename", input: { label: "Name", value: tag.name } });
    if (name && name !== tag.name) this.#change(tag, { name });
  }

  async #remove(tag) {
    const sure = await ask({ title: `Remove the tag ${plain(tag.name)}?`, paragraphs: ["It goes from every conversation that has it. Labels in mailboxes stay as they are."], confirm: "Remove", danger: true });
    if (!sure) return;
    try {
      await tags.remove(tag.id);
    } catch (error) {
      notifyError(error, "Not removed");
    }
    this.#load();
  }
}

customElements.define("tags-page", TagsPage);
