/**
 * `<queue-page>`: what waits for somebody, most urgent first, for all queues of this person or one team's; take the next.
 */

import { assignments } from "/web/js/api/assignments.js";
import { teams } from "/web/js/api/teams.js";
import { button, fillRows, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { PRIORITY } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify } from "/web/js/elements/toast-stack.js";

export class QueuePage extends RoomElement {
  #next = null;

  build() {
    this.state = document.createElement("load-state");
    this.team = h("select", { "aria-label": "Queue", onchange: () => this.#load() }, h("option", { value: "" }, "All my queues"));
    this.take = button("Take the next", { iconName: "in", kind: "primary", onclick: () => this.#take() });
    this.list = h("ol", { class: "people queue" });
    this.more = button("Show more", { hidden: true, onclick: () => this.#load(this.#next) });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Queue"), this.team, this.take),
      h("p", { class: "lead" }, "Open conversations that nobody has, the most urgent first, of equals the oldest."), this.state, h("section", { class: "panel", "aria-label": "Waiting" }, this.list, this.more));
  }

  attach() {
    this.take.hidden = !store.mayWrite;
    this.state.loading(3, "card");
    const again = settle(() => this.#load(), 400);
    this.listen(stream, "change", ({ detail }) => detail.type.startsWith("conversation.") && again());
    this.listen(stream, "reload", again);
    teams.list({ signal: this.life }).then(({ items }) => this.team.append(...items.map((one) => h("option", { value: one.id }, `Team ${plain(one.name)}`))), () => null); // Without the list all queues are shown.
    this.#load();
  }

  async #load(after = null) {
    try {
      const { items, next } = await this.inOrder(assignments.queue({ team: this.team.value || null, after }, { signal: this.life }));
      this.state.done();
      if (after) this.list.append(...items.map((one) => this.#row(one)));
      else fillRows(this.list, items, (one) => this.#row(one));
      if (!after && items.length === 0) this.list.append(h("li", {}, h("p", { class: "faint" }, "Nothing waits.")));
      this.#next = next;
      this.more.hidden = next === null;
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #row(one) {
    return h("li", {}, h("div", {}, h("a", { href: `/c/${one.id}` }, h("strong", {}, plain(one.subject) || "No subject")), h("span", { class: "faint" }, `#${one.number} · ${plain(one.customer.name || one.customer.address)} · ${plain(one.inbox.name)}`)),
      one.priority === "normal" ? null : h("span", { class: `badge ${one.priority === "urgent" ? "bad" : ""}` }, PRIORITY[one.priority]),
      h("span", { class: "faint" }, timeAgo(one.created_at)));
  }

  async #take() {
    this.take.disabled = true;
    try {
      const { conversation } = await assignments.next();
      if (conversation) router.go(`/c/${conversation.id}`);
      else notify("Nothing waits in your queues.");
    } catch (error) {
      notify(error.message, { tone: error.kind === "at-capacity" ? "warn" : "bad" });
    } finally {
      this.take.disabled = false;
    }
  }
}

customElements.define("queue-page", QueuePage);
