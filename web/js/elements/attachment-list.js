/**
 * `<attachment-list>`: the files of a message with name, kind and size, each a download. Every MIME leaf is here.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { plain, plural, size } from "/web/js/format.js";

const KINDS = [
  [/^image\//, "image"],
  [/^message\/rfc822/, "mail"],
  [/^text\/calendar/, "calendar"],
];

export class AttachmentList extends HTMLElement {
  #look = "";

  set files(value) {
    if (JSON.stringify(value) === this.#look) return;
    this.#look = JSON.stringify(value);
    const inline = value.filter((file) => file.disposition === "inline");
    const shown = value.filter((file) => file.disposition !== "inline");
    this.hidden = value.length === 0;
    fill(
      this,
      shown.length ? h("ul", { class: "files", "aria-label": plural(shown.length, "attachment") }, shown.map((file) => this.#file(file))) : null,
      inline.length
        ? h("details", { class: "inline-files" }, h("summary", {}, plural(inline.length, "inline picture")), h("ul", { class: "files" }, inline.map((file) => this.#file(file))))
        : null,
    );
  }

  #file(file) {
    const kind = KINDS.find(([pattern]) => pattern.test(file.content_type))?.[1] ?? "file";
    const name = plain(file.filename) || "unnamed";
    return h("li", {}, h("a", { class: "file", href: file.url, download: name, title: `${name} (${file.content_type})` },
      icon(kind), h("span", { class: "file-name" }, name), h("span", { class: "faint" }, size(file.size_bytes)), icon("download", "Download")));
  }
}

customElements.define("attachment-list", AttachmentList);
