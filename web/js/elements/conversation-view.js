/**
 * `<conversation-view>`: one conversation: its header, its thread, the reply box and the details beside it; live, without disturbing a reader.
 * Promises that a reply is bound to what was on screen (the version the agent saw). Leaves reading to conversation-feed, cards to message-thread.
 */

import { conversations } from "/web/js/api/conversations.js";
import { conversationCommands } from "/web/js/conversation-commands.js";
import { ConversationFeed } from "/web/js/conversation-feed.js";
import { desk } from "/web/js/desk.js";
import { h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { notify } from "/web/js/elements/toast-stack.js";

export class ConversationView extends RoomElement {
  #feed = null;
  #item = null;

  build() {
    this.header = h("conversation-header", { hidden: true });
    this.banner = h("place-slot", { name: "conversation.banner", class: "banners" });
    this.thread = document.createElement("message-thread");
    this.reply = h("reply-box", { hidden: true });
    this.panel = h("details-panel", { hidden: true });
    this.append(h("div", { class: "conversation-main" }, this.header, this.banner, this.thread, this.reply), this.panel);
    this.addEventListener("message-changed", (event) => this.thread.upsert(event.detail));
    this.addEventListener("message-sent", (event) => {
      this.thread.upsert(event.detail);
      this.thread.toEnd();
      this.#feed.catchUp();
    });
    this.addEventListener("message-undone", (event) => {
      if (this.reply.restore(event.detail)) notify("Undone. Your text is back in the reply box.");
      else notify("Undone; the message was not sent.");
    });
    this.addEventListener("message-stale", () => this.#feed.refresh());
    this.addEventListener("toggle-details", () => this.togglePanel());
    this.addEventListener("newer-messages", (event) => event.detail.forEach((one) => this.thread.upsert(one)));
    this.addEventListener("show-message", (event) => this.thread.reveal(event.detail));
    // A placed element that changed the conversation says so: with the new item, or without to have it read again.
    this.addEventListener("conversation-changed", (event) => (event.detail ? this.#take(event.detail) : this.#feed.catchUp()));
    conversationCommands(this);
  }

  attach() {
    const shows = {
      loading: (id) => this.#loading(id),
      start: (item, list) => this.#start(item, list),
      merge: (item, list, whole) => this.#merge(item, list, whole),
      moved: (id) => router.replace(router.withList(`/c/${encodeURIComponent(id)}`)),
      failed: (error, retry) => this.thread.failed(error, retry),
      stale: (error) => notify(`Not refreshed: ${error.message}`, { tone: "bad" }),
    };
    this.#feed = new ConversationFeed(shows, this.life);
    this.listen(document, "visibilitychange", () => this.#markRead());
    this.listen(router, "change", () => {
      this.#showTitle();
      this.#markRead();
      if (this.#here && desk.conversation?.id !== this.#item.id) desk.conversation = this.#item;
    });
  }

  set conversation(id) {
    this.#feed.open(id);
  }

  /** The path names the conversation that is shown. */
  get #here() {
    return this.#item !== null && this.#item.id === this.#feed.id && router.current.params.id === this.#feed.id;
  }

  #loading(id) {
    for (const part of [this.header, this.banner, this.reply, this.panel]) part.hidden = true;
    desk.conversation = null;
    this.thread.loading(id);
  }

  #start(item, list) {
    this.#take(item);
    this.reply.conversation = item;
    this.thread.begin(list);
    this.#markRead();
  }

  #take(item) {
    if (item.id !== this.#feed.id) return;
    this.#item = item;
    this.header.hidden = false;
    this.banner.hidden = false;
    this.header.conversation = item;
    this.banner.give({ conversation: item });
    this.thread.conversation = item;
    this.panel.conversation = item;
    this.reply.give(item);
    if (this.#here) desk.conversation = item;
    this.#showTitle();
  }

  #showTitle() {
    if (this.#here) document.title = `#${this.#item.number} ${plain(this.#item.subject)} · Mailroom`;
  }

  #merge(item, list, whole) {
    this.#take(item);
    const foreign = this.thread.merge(list, whole);
    this.reply.read(item.version, foreign);
    if (foreign.length) this.#markRead();
  }

  /** Only what is on screen in the front tab is marked as read. */
  async #markRead() {
    const item = this.#item;
    if (!this.#here || item.unread_count === 0 || document.visibilityState !== "visible" || !store.mayWrite) return;
    try {
      const read = await conversations.read(item.id);
      if (read.id !== this.#feed.id) return;
      this.#take(read);
      this.reply.read(read.version, []);
      store.readCounts().catch(() => {}); // The next event asks again.
    } catch (error) {
      if (error.status !== 401 && error.status !== 0 && error.status !== 503) notify(`Not marked as read: ${error.message}`, { tone: "bad" });
    }
  }

  /** Opens the reply box; `kind` is reply, reply-all or forward. */
  focusReply(kind = null) {
    if (this.#item && store.mayWrite) this.reply.expand({ kind });
    return Boolean(this.#item);
  }

  togglePanel() {
    this.panel.toggle();
  }

  scrollMessages() {
    this.thread.scroller.focus();
  }
}

customElements.define("conversation-view", ConversationView);
