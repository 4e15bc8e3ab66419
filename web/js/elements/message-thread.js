/**
 * `<message-thread>`: the messages of a conversation in order of time, with what areas add to the thread (notes), and its scroll place.
 * Promises that what arrives neither moves a reader nor replaces a card. Leaves what changed to conversation-view.
 */

import { announce, button, h } from "/web/js/dom.js";
import { plural, shortName } from "/web/js/format.js";
import { messageTime } from "/web/js/message-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { ThreadExtras } from "/web/js/thread-extras.js";

const OPEN_LAST = 2;

export class MessageThread extends RoomElement {
  #id = null;
  #cards = new Map();
  #pinned = false;
  #extras = null;

  build() {
    this.state = document.createElement("load-state");
    this.hints = document.createElement("thread-hints");
    this.list = h("div", { class: "thread" });
    this.scroller = h("div", { class: "scroller conversation-scroll", tabindex: "0", role: "region", "aria-label": "Messages", "data-own-arrows": true }, this.state, this.hints, this.list);
    this.append(this.scroller);
  }

  attach() {
    this.#extras = new ThreadExtras(this.list, this.life);
    // Frames and files grow after they were scrolled to; whoever was taken to the end stays there until they move away.
    const grown = new ResizeObserver(() => this.#pinned && this.list.lastElementChild?.scrollIntoView({ block: "end" }));
    grown.observe(this.list);
    this.life.addEventListener("abort", () => grown.disconnect());
    for (const move of ["wheel", "touchmove", "keydown", "pointerdown"]) this.listen(this.scroller, move, () => (this.#pinned = false));
  }

  set conversation(item) {
    this.hints.conversation = item;
    this.#extras.give(item);
  }

  /** Empties itself for another conversation. */
  loading(id) {
    this.#id = id;
    this.#cards.clear();
    this.#pinned = false;
    this.#extras.clear();
    this.list.replaceChildren();
    this.hints.hidden = true;
    this.querySelector(".arrived")?.remove();
    this.state.loading(3, "card");
  }

  failed(error, retry) {
    if (error.status === 404) this.state.empty("No such conversation", "It does not exist, or is not yours to see.", { iconName: "search" });
    else this.state.failed(error, retry);
  }

  /** Shows the first reading: starts at the first unread message, else at the last one. */
  begin(list) {
    this.state.done();
    list.forEach((message, index) => this.upsert(message, index >= list.length - OPEN_LAST || (message.direction === "inbound" && !message.is_read)));
    const cards = [...this.#cards.values()];
    const first = cards.find((card) => card.hasAttribute("unread")) ?? cards.at(-1);
    if (first && first !== this.list.firstElementChild) first.scrollIntoView({ block: "start" });
  }

  /** Adds or refreshes one message. True when it is new here. */
  upsert(message, open = true) {
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
    this.#extras.insert(fresh, messageTime(message)); // as the server orders them: older mail may be fetched later
    return true;
  }

  /** Takes a new reading; one of everything (`whole`) takes away what has left the conversation. Answers the messages of others that came with it; they are announced, and shown when the reader is at the end. */
  merge(list, whole = false) {
    const there = new Set(list.map((message) => message.id));
    for (const [id, card] of whole ? this.#cards : []) {
      if (there.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    const near = this.#atEnd();
    const arrived = list.filter((message) => this.upsert(message));
    const mine = store.get("me")?.user.id;
    const foreign = arrived.filter((message) => message.author?.id !== mine);
    if (foreign.length) {
      announce(`New message from ${foreign.map((one) => shortName(one.author ?? one.from)).join(", ")}`);
      if (near) this.toEnd();
      else this.#offer(foreign);
    }
    return foreign;
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < 120;
  }

  toEnd() {
    this.#pinned = true;
    requestAnimationFrame(() => this.list.lastElementChild?.scrollIntoView({ block: "end" }));
  }

  #offer(arrived) {
    this.querySelector(".arrived")?.remove();
    const pill = button(`${plural(arrived.length, "new message")} below`, { iconName: "down", kind: "primary small arrived", onclick: () => {
      pill.remove();
      this.reveal(arrived[0].id);
    } });
    this.append(pill);
  }

  /** Opens a message and brings it to the top. */
  reveal(id) {
    this.#pinned = false;
    const card = this.#cards.get(id);
    if (!card) return;
    card.open = true;
    card.scrollIntoView({ block: "start" });
    card.classList.remove("flash");
    requestAnimationFrame(() => card.classList.add("flash"));
  }
}

customElements.define("message-thread", MessageThread);
