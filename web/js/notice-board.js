/**
 * What this person was told: how much is unread and the newest of it, kept right by the stream; the mark in the tab's title; and
 * messages of the desktop, once the person has asked for them. Leaves showing the list to the bell.
 */

import { notifications } from "/web/js/api/notifications.js";
import { sentence } from "/web/js/notice-words.js";
import { settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";

const SHOWN = 30;
const MARK = "● ";
const CHOICE = "mailroom.desktop-notices";

/** Dispatches `change` whenever `unread` or `items` are others. */
class NoticeBoard extends EventTarget {
  unread = 0;
  items = [];
  #started = false;

  /** Begins to listen; twice is once. */
  start() {
    if (this.#started) return;
    this.#started = true;
    const again = settle(() => this.read(), 300);
    stream.addEventListener("reload", again);
    stream.addEventListener("change", ({ detail }) => {
      if (!detail.type.startsWith("notification.")) return;
      if (detail.type === "notification.added") this.#fresh.add(detail.payload.notice_id);
      again();
    });
    store.addEventListener("change", ({ detail }) => {
      if (detail.key === "me") this.read();
      this.#mark();
    });
    router.addEventListener("change", () => this.#mark());
    this.read();
  }

  #fresh = new Set();

  async read() {
    if (!store.get("me")) {
      this.#take({ unread: 0, items: [] });
      return;
    }
    try {
      this.#take(await notifications.list({ limit: SHOWN }));
    } catch {
      // The banner says when the server is away; the bell keeps what it knows and the next event asks again.
    }
  }

  async markRead(which) {
    const { unread } = await notifications.read(which);
    this.unread = unread;
    await this.read();
  }

  #take({ unread, items }) {
    this.unread = unread;
    this.items = items;
    this.#mark();
    for (const notice of items) {
      if (this.#fresh.delete(notice.id) && !notice.read_at) this.#show(notice);
    }
    this.#fresh.clear();
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** After whoever else names the page. */
  #mark() {
    queueMicrotask(() => {
      const bare = document.title.startsWith(MARK) ? document.title.slice(MARK.length) : document.title;
      const title = this.unread ? MARK + bare : bare;
      if (title !== document.title) document.title = title;
    });
  }

  /** Whether the desktop shows notices: asked for by a click, and allowed by the browser. */
  get onDesktop() {
    return localStorage.getItem(CHOICE) === "on" && globalThis.Notification?.permission === "granted";
  }

  /** Switches it; the browser asks the person the first time. Answers what it is now. */
  async setDesktop(wanted) {
    const allowed = wanted && (await globalThis.Notification?.requestPermission()) === "granted";
    localStorage.setItem(CHOICE, allowed ? "on" : "off");
    return allowed;
  }

  #show(notice) {
    if (!this.onDesktop || !document.hidden) return;
    const about = notice.conversation;
    const shown = new Notification(about ? `#${about.number} ${about.subject}` : "Mailroom", { body: sentence(notice), tag: notice.id });
    shown.onclick = () => {
      window.focus();
      if (about) router.go(`/c/${about.id}`);
      shown.close();
    };
  }
}

export const noticeBoard = new NoticeBoard();
