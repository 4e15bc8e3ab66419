/**
 * `<timeline-dialog>`: every step a message took, when, by whom, and the link to its Temporal run.
 */

import { messages } from "/web/js/api.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { exact, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { tellSteps } from "/web/js/timeline-words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class TimelineDialog extends RoomElement {
  build() {
    this.list = h("ol", { class: "timeline" });
    this.state = document.createElement("load-state");
    this.dialog = h(
      "dialog",
      { class: "timeline-box", "aria-labelledby": "timeline-title" },
      h("header", {}, h("h2", { id: "timeline-title" }, "What happened to this message"),
        button("", { iconName: "cross", label: "Close", kind: "quiet", onclick: () => this.dialog.close() })),
      h("div", { class: "dialog-body" }, this.state, this.list),
    );
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.append(this.dialog);
  }

  async show(id) {
    if (!this.dialog.open) this.dialog.showModal();
    this.list.replaceChildren();
    this.state.loading(4);
    try {
      const { items } = await messages.timeline(id, { signal: this.life });
      this.state.done();
      if (items.length === 0) this.state.empty("No steps yet", "The first step is written when the message is taken up.", { iconName: "history" });
      fill(this.list, tellSteps(items).map((item) => this.#step(item)));
    } catch (error) {
      this.state.failed(error, () => this.show(id));
    }
  }

  #step(item) {
    const title = exact(item.at);
    return h(
      "li",
      { class: item.tone },
      h("div", { class: "step" }, h("strong", {}, item.word),
        item.attempt > 1 ? h("span", { class: "badge warn" }, `Attempt ${item.attempt}`) : null,
        h("time", { datetime: item.at, title }, timeAgo(item.at, { long: true }))),
      item.detail ? h("p", {}, plain(item.detail)) : null,
      h("p", { class: "faint" }, title, item.actor ? ` · by ${plain(item.actor)}` : "",
        item.link ? [" · ", h("a", { href: item.link, target: "_blank", rel: "noopener noreferrer" }, "Temporal run ", icon("outside"))] : null),
    );
  }
}

customElements.define("timeline-dialog", TimelineDialog);
