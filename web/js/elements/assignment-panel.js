/**
 * `<assignment-panel>`: who has had the conversation, from when to when, and why. A section of the details.
 */

import { assignments } from "/web/js/api/assignments.js";
import { button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { settle } from "/web/js/room-element.js";
import { stream } from "/web/js/stream.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class AssignmentPanel extends PlacedElement {
  #next = null;

  build() {
    this.list = h("ol", { class: "stays" });
    this.more = button("Earlier", { kind: "small", hidden: true, onclick: () => this.#read(this.#next) });
    this.wrong = h("p", { class: "faint", role: "alert" });
    this.append(this.list, this.wrong, this.more);
  }

  attach() {
    const again = settle(() => this.#read(), 300);
    this.listen(stream, "change", ({ detail }) => detail.conversation_id === this.conversation?.id && "assigned_to" in (detail.payload ?? {}) && again());
    super.attach();
  }

  show(item, before) {
    if (item.id !== before?.id || item.assigned_to?.id !== before?.assigned_to?.id) this.#read();
  }

  async #read(after = null) {
    const { id } = this.conversation;
    try {
      const { items, next } = await assignments.history(id, { after, limit: 10 }, { signal: this.life });
      if (id !== this.conversation.id) return;
      const rows = items.map((one) => this.#row(one));
      if (after) this.list.append(...rows);
      else fill(this.list, rows.length ? rows : h("li", { class: "faint" }, "Nobody has had it yet."));
      this.#next = next;
      this.more.hidden = next === null;
      this.wrong.textContent = "";
    } catch (error) {
      if (error.name !== "AbortError") this.wrong.textContent = error.message;
    }
  }

  #row(one) {
    const who = one.agent ? plain(one.agent.name) : one.team ? `Team ${plain(one.team.name)}` : "In the queue";
    const by = one.by && one.by.id !== one.agent?.id ? `by ${plain(one.by.name)}` : null;
    return h("li", { class: one.unassigned_at ? "over" : "now" },
      h("div", {}, h("strong", {}, who), h("span", { class: "faint" }, timeAgo(one.assigned_at, { long: true }), by ? ` · ${by}` : "")),
      h("p", {}, plain(one.reason)));
  }
}

customElements.define("assignment-panel", AssignmentPanel);
place("conversation.panel", "assignment-panel", 45, { title: "Assignment", iconName: "team" });
