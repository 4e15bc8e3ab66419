/**
 * `<conversation-view>`: one conversation: its header, its messages in order, the reply box; live, without disturbing a reader.
 * Promises that a reply is bound to what was on screen (the version the agent saw).
 */

import { conversations } from "/web/js/api/conversations.js";
import { messages } from "/web/js/api/messages.js";
import { announce, button, fill, h, icon } from "/web/js/dom.js";
import { plain, plural, shortName } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { notify } from "/web/js/elements/toast-stack.js";

const PAGE = 200;
const CALM_MS = 150;
const OPEN_LAST = 2;

export class ConversationView extends RoomElement {
  #id = null;
  #item = null;
  #cards = new Map();
  #changed = new Set();
  #turn = 0;
  #pinned = false;

  build() {
    this.header = document.createElement("conversation-header");
    this.state = document.createElement("load-state");
    this.hints = h("aside", { class: "suggestions", "aria-label": "Perhaps related", hidden: true });
    this.thread = h("div", { class: "thread" });
    this.scroller = h("div", { class: "scroller conversation-scroll", tabindex: "0", role: "region", "aria-label": "Messages", "data-own-arrows": true }, this.state, this.hints, this.thread);
    this.reply = document.createElement("reply-box");
    this.header.hidden = true;
    this.reply.hidden = true;
    this.append(this.header, this.scroller, this.reply);
    this.addEventListener("message-changed", (event) => this.#upsert(event.detail));
    this.addEventListener("message-sent", (event) => {
      this.#upsert(event.detail);
      this.#toEnd();
      this.#catchUp();
    });
    this.addEventListener("message-undone", (event) => {
      if (this.reply.restore(event.detail)) notify("Undone. Your text is back in the reply box.");
      else notify("Undone; the message was not sent.");
    });
    this.addEventListener("message-stale", () => this.refresh());
    this.addEventListener("newer-messages", (event) => event.detail.forEach((one) => this.#upsert(one)));
    this.addEventListener("show-message", (event) => this.#reveal(event.detail));
    this.addEventListener("conversation-changed", (event) => this.#take(event.detail));
  }

  attach() {
    const calm = settle(() => this.#catchUp(), CALM_MS);
    this.listen(stream, "reload", () => this.refresh());
    this.listen(stream, "change", ({ detail }) => {
      if (detail.conversation_id !== this.#id) return;
      if (detail.message_id) this.#changed.add(detail.message_id);
      calm();
    });
    // Frames and files grow after they were scrolled to; whoever was taken to the end stays there until they move away.
    const grown = new ResizeObserver(() => this.#pinned && this.thread.lastElementChild?.scrollIntoView({ block: "end" }));
    grown.observe(this.thread);
    this.life.addEventListener("abort", () => grown.disconnect());
    for (const move of ["wheel", "touchmove", "keydown", "pointerdown"]) this.listen(this.scroller, move, () => (this.#pinned = false));
    this.listen(document, "visibilitychange", () => this.#markRead());
    this.listen(router, "change", () => this.#showTitle());
    this.listen(router, "change", () => this.#markRead());
  }

  /** Somebody is looking at it: the path names it and the tab is in front. Nothing else may mark it as read. */
  get watched() {
    return this.#id !== null && router.current.params.id === this.#id && document.visibilityState === "visible";
  }

  set conversation(id) {
    if (id === this.#id) return;
    this.#id = id;
    this.#load();
  }

  async #load() {
    const turn = (this.#turn += 1);
    this.header.hidden = true;
    this.reply.hidden = true;
    this.hints.hidden = true;
    this.#cards.clear();
    this.#changed.clear();
    this.#pinned = false;
    this.thread.replaceChildren();
    this.state.loading(3, "card");
    try {
      const [item, list] = await Promise.all([conversations.get(this.#id, { signal: this.life }), this.#all(this.#id)]);
      if (turn !== this.#turn) return;
      if (item.merged_into && item.merged_into !== item.id) {
        router.replace(router.withList(`/c/${encodeURIComponent(item.merged_into)}`));
        return;
      }
      this.state.done();
      this.#take(item);
      this.reply.conversation = item;
      list.forEach((message, index) => this.#upsert(message, index >= list.length - OPEN_LAST || (message.direction === "inbound" && !message.is_read)));
      this.#start();
      this.#markRead();
    } catch (error) {
      if (error.name === "AbortError" || turn !== this.#turn) return;
      if (error.status === 404) this.state.empty("No such conversation", "It does not exist, or is not yours to see.", { iconName: "search" });
      else this.state.failed(error, () => this.#load());
    }
  }

  async #all(id) {
    const list = [];
    let after = null;
    do {
      const page = await conversations.messages(id, { limit: PAGE, after }, { signal: this.life });
      list.push(...page.items);
      after = page.next;
    } while (after);
    return list;
  }

  /** Starts at the first unread message, else at the last one. */
  #start() {
    const cards = [...this.thread.children];
    const first = cards.find((card) => card.hasAttribute("unread")) ?? cards.at(-1);
    if (first && first !== cards[0]) first.scrollIntoView({ block: "start" });
  }

  #take(item) {
    if (item.id !== this.#id) return;
    this.#item = item;
    this.header.hidden = false;
    this.header.conversation = item;
    this.#showTitle();
    const hints = item.suggestions ?? [];
    this.hints.hidden = hints.length === 0;
    fill(this.hints, hints.map((hint) => h("p", {}, icon("link"), "Perhaps belongs to ",
      h("a", { href: router.withList(`/c/${encodeURIComponent(hint.conversation_id)}`) }, `#${hint.number} ${plain(hint.subject)}`), h("span", { class: "faint" }, ` ${plain(hint.why)}`))));
  }

  #showTitle() {
    if (this.#item?.id === this.#id && router.current.params.id === this.#id) document.title = `#${this.#item.number} ${plain(this.#item.subject)} · Mailroom`;
  }

  #upsert(message, open = true) {
    if (!message || (message.conversation_id && message.conversation_id !== this.#id)) return false;
    const card = this.#cards.get(message.id);
    if (card) {
      card.message = message;
      return false;
    }
    const fresh = document.createElement("message-card");
    fresh.message = message;
    fresh.open = open;
    this.#cards.set(message.id, fresh);
    this.thread.append(fresh);
    return true;
  }

  /** Reads what the stream said has changed: the conversation, and each named message. */
  async #catchUp() {
    const id = this.#id;
    if (!this.#item) return;
    const ids = [...this.#changed];
    this.#changed.clear();
    try {
      const [item, ...list] = await Promise.all([
        conversations.get(id, { signal: this.life }),
        ...ids.map((one) => messages.get(one, { signal: this.life })),
      ]);
      if (id === this.#id) this.#merge(item, list);
    } catch (error) {
      if (error.name === "AbortError") return;
      ids.forEach((one) => this.#changed.add(one)); // Read again with the next event, or at the stream's reload.
      if (error.status === 404) this.refresh();
    }
  }

  /** Reads everything again and merges it, keeping cards, scroll place and the reply in work. */
  async refresh() {
    const id = this.#id;
    if (!id) return;
    if (!this.#item || this.#item.id !== id) {
      if (this.state.dataset.state !== "loading") this.#load();
      return;
    }
    try {
      const [item, list] = await Promise.all([conversations.get(id, { signal: this.life }), this.#all(id)]);
      if (id === this.#id) this.#merge(item, list);
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 401) notify(`Not refreshed: ${error.message}`, { tone: "bad" });
    }
  }

  #merge(item, list) {
    const near = this.#atEnd();
    this.#take(item);
    const arrived = list.filter((message) => this.#upsert(message));
    const mine = store.get("me")?.user.id;
    const foreign = arrived.filter((message) => message.author?.id !== mine);
    this.reply.read(item.version, foreign);
    if (foreign.length) {
      announce(`New message from ${foreign.map((one) => shortName(one.author ?? one.from)).join(", ")}`);
      if (near) this.#toEnd();
      else this.#offer(foreign);
      this.#markRead();
    }
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < 120;
  }

  #toEnd() {
    this.#pinned = true;
    requestAnimationFrame(() => this.thread.lastElementChild?.scrollIntoView({ block: "end" }));
  }

  #offer(arrived) {
    this.querySelector(".arrived")?.remove();
    const pill = button(`${plural(arrived.length, "new message")} below`, { iconName: "down", kind: "primary small arrived", onclick: () => {
      pill.remove();
      this.#reveal(arrived[0].id);
    } });
    this.scroller.after(pill);
  }

  #reveal(id) {
    this.#pinned = false;
    const card = this.#cards.get(id);
    if (!card) return;
    card.open = true;
    card.scrollIntoView({ block: "start" });
    card.classList.remove("flash");
    requestAnimationFrame(() => card.classList.add("flash"));
  }

  async #markRead() {
    const item = this.#item;
    if (!item || item.id !== this.#id || item.unread_count === 0 || !this.watched || !store.mayWrite) return;
    try {
      const read = await conversations.read(item.id);
      if (read.id !== this.#id) return;
      this.#take(read);
      this.reply.read(read.version, []);
      store.readCounts().catch(() => {}); // The next event asks again.
    } catch (error) {
      if (error.status !== 401 && error.status !== 0 && error.status !== 503) notify(`Not marked as read: ${error.message}`, { tone: "bad" });
    }
  }

  focusReply() {
    if (this.#item && store.mayWrite) this.reply.expand();
    return Boolean(this.#item);
  }

  toggleClosed() {
    if (this.#item) this.header.toggleClosed();
    return Boolean(this.#item);
  }

  scrollMessages() {
    this.scroller.focus();
  }
}

customElements.define("conversation-view", ConversationView);
