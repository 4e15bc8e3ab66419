/**
 * `<rich-editor>`: a writing area with bold, italic, lists, quotes and links. Pasted text comes in plain.
 * What leaves it is only the small language of richtext.js.
 */

import { button, fill, h, safeUrl } from "/web/js/dom.js";
import { caretOf, setCaret } from "/web/js/caret.js";
import { fromDom, toDom, toHtml, toText } from "/web/js/richtext.js";
import { RoomElement } from "/web/js/room-element.js";
import { ask } from "/web/js/elements/ask-dialog.js";

const TOOLS = [
  ["bold", "bold", "Bold (Ctrl+B)"], ["italic", "italic", "Italic (Ctrl+I)"], ["insertUnorderedList", "list", "Bulleted list"],
  ["insertOrderedList", "numbers", "Numbered list"], ["formatBlock:blockquote", "quote", "Quote"], ["link", "link", "Link (Ctrl+K)"],
];

export class RichEditor extends RoomElement {
  build() {
    this.area = h("div", {
      class: "editor-area", contenteditable: "true", role: "textbox", "aria-multiline": "true", "aria-label": this.getAttribute("label") ?? "Reply",
      "data-placeholder": this.getAttribute("placeholder") ?? "", spellcheck: "true", "data-own-arrows": true,
    });
    this.tools = h("div", { class: "editor-tools", role: "toolbar", "aria-label": "Formatting" }, TOOLS.map(([command, iconName, label]) =>
      button("", { iconName, label, kind: "quiet small", onmousedown: (event) => event.preventDefault(), onclick: () => this.#format(command) })));
    this.append(this.area, this.tools);
    this.area.addEventListener("input", () => this.#changed());
    this.area.addEventListener("paste", (event) => this.#paste(event));
    this.area.addEventListener("keydown", (event) => this.#key(event));
    // Dropped files belong to the reply box; dropped text comes in plain like pasted text.
    this.area.addEventListener("drop", (event) => {
      const text = event.dataTransfer.getData("text/plain");
      if (event.dataTransfer.files.length || !text) return;
      event.preventDefault();
      this.#write(text);
    });
    // Lines without margins, as in other mail programs: what is written looks the same where it is read.
    document.execCommand("defaultParagraphSeparator", false, "div");
    this.#blank();
  }

  get nodes() {
    return fromDom(this.area);
  }

  set nodes(value) {
    fill(this.area, toDom(value));
    this.#blank();
  }

  get html() { return toHtml(this.nodes); }
  get text() { return toText(this.nodes); }

  get empty() { return this.area.textContent.trim() === ""; }

  focusEnd() {
    this.area.focus();
    const selection = getSelection();
    selection.selectAllChildren(this.area);
    selection.collapseToEnd();
  }

  /** Writes at the caret, as if typed; the browser's own undo takes it back. */
  insertText(text) {
    if (document.activeElement !== this.area) this.focusEnd();
    this.#write(text);
  }

  /** Puts formatted text (values of richtext.js) at the caret, in place of what is selected. */
  insertNodes(nodes) {
    if (document.activeElement !== this.area) this.focusEnd();
    const range = getSelection().getRangeAt(0);
    range.deleteContents();
    const fragment = document.createDocumentFragment();
    fragment.append(...toDom(nodes));
    range.insertNode(fragment);
    range.collapse(false);
    this.#changed();
  }

  #changed() {
    this.#blank();
    this.tell("draft-change");
  }

  #blank() {
    this.area.classList.toggle("blank-area", this.area.textContent === "" && !this.area.querySelector("li, blockquote"));
  }

  #write(text) {
    // insertText keeps the browser's own undo history, and never parses its argument as HTML.
    document.execCommand("insertText", false, text.replaceAll("\r\n", "\n"));
  }

  #paste(event) {
    const files = [...event.clipboardData.files];
    event.preventDefault();
    if (files.length) this.tell("files-given", files);
    else this.#write(event.clipboardData.getData("text/plain"));
  }

  #key(event) {
    if ((!event.ctrlKey && !event.metaKey) || event.altKey) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.tell("send-wanted");
    } else if (event.key.toLowerCase() === "k") {
      event.preventDefault();
      this.#link();
    }
  }

  #format(command) {
    if (document.activeElement !== this.area) this.focusEnd();
    if (command === "link") {
      this.#link();
      return;
    }
    const [name, value] = command.split(":");
    const inQuote = value && getSelection().anchorNode?.parentElement?.closest("blockquote");
    const at = caretOf(this.area);
    document.execCommand(name, false, inQuote ? "div" : value);
    // Seen in practice: Chromium moves the caret to the start of a line that it turns into a list item or a quote.
    if (at !== null && getSelection().isCollapsed) setCaret(this.area, at);
    this.#changed();
  }

  async #link() {
    const selection = getSelection();
    const range = selection.rangeCount && this.area.contains(selection.anchorNode) ? selection.getRangeAt(0).cloneRange() : null;
    const answer = await ask({ title: "Add a link", confirm: "Add", input: { label: "Address", type: "url", placeholder: "https://example.com/page" } });
    this.area.focus();
    if (range) {
      selection.removeAllRanges();
      selection.addRange(range);
    }
    const address = answer && (/^[a-z][a-z0-9+.-]*:/i.test(answer) ? answer : `https://${answer}`);
    if (!address || safeUrl(address) === null) return;
    if (selection.isCollapsed) {
      const link = h("a", { href: address }, address);
      if (selection.rangeCount) selection.getRangeAt(0).insertNode(link);
      else this.area.append(link);
      selection.collapse(link, 1);
    } else {
      document.execCommand("createLink", false, address);
    }
    this.#changed();
  }
}

customElements.define("rich-editor", RichEditor);
