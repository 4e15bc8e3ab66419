/**
 * Reads one conversation and keeps it fresh by the stream: at first everything, then only what events name.
 * Promises that an answer for a conversation that was left is dropped. Leaves showing to `shows`: loading, start, merge, moved, failed.
 */

import { conversations } from "/web/js/api/conversations.js";
import { messages } from "/web/js/api/messages.js";
import { settle } from "/web/js/room-element.js";
import { stream } from "/web/js/stream.js";

const CALM_MS = 150;
const PAGE = 200;

/** All messages of a conversation, oldest first. */
async function thread(id, signal) {
  const list = [];
  let after = null;
  do {
    const page = await conversations.messages(id, { limit: PAGE, after }, { signal });
    list.push(...page.items);
    after = page.next;
  } while (after);
  return list;
}

export class ConversationFeed {
  #shows;
  #signal;
  #id = null;
  #state = "empty"; // empty, loading, ready, failed
  #changed = new Set();
  #count = 0; // messages at the last reading
  #turn = 0;
  #line = Promise.resolve(); // readings one after the other, so that no older answer comes behind a newer one
  #waiting = null;
  #missed = false;

  constructor(shows, signal) {
    this.#shows = shows;
    this.#signal = signal;
    const calm = settle(() => this.catchUp(), CALM_MS);
    stream.addEventListener("reload", () => this.refresh(), { signal });
    stream.addEventListener("change", ({ detail }) => {
      if (detail.conversation_id !== this.#id) return;
      if (detail.message_id) this.#changed.add(detail.message_id);
      calm();
    }, { signal });
  }

  get id() {
    return this.#id;
  }

  open(id) {
    if (id === this.#id) return;
    this.#id = id;
    this.#load();
  }

  async #load() {
    const id = this.#id;
    const turn = (this.#turn += 1);
    this.#changed.clear();
    [this.#line, this.#waiting, this.#missed] = [Promise.resolve(), null, false];
    this.#state = "loading";
    this.#shows.loading(id);
    try {
      const [item, list] = await Promise.all([conversations.get(id, { signal: this.#signal }), thread(id, this.#signal)]);
      if (turn !== this.#turn) return;
      if (item.merged_into && item.merged_into !== item.id) {
        this.#shows.moved(item.merged_into);
        return;
      }
      this.#state = "ready";
      this.#count = item.message_count;
      this.#shows.start(item, list);
      if (this.#missed || this.#changed.size) this.refresh();
    } catch (error) {
      if (error.name === "AbortError" || turn !== this.#turn) return;
      this.#state = "failed";
      this.#shows.failed(error, () => this.#load());
    }
  }

  /** Reads what the stream said has changed: the conversation, and each named message. What is said while one waits for its turn is read with it. */
  catchUp() {
    this.#waiting ??= this.#inLine(() => {
      this.#waiting = null;
      return this.#catchUp();
    });
    return this.#waiting;
  }

  #inLine(reading) {
    this.#line = this.#line.then(reading, reading);
    return this.#line;
  }

  async #catchUp() {
    const id = this.#id;
    if (this.#state === "loading") this.#missed = true;
    if (this.#state !== "ready") return;
    const ids = [...this.#changed];
    this.#changed.clear();
    try {
      const [item, ...list] = await Promise.all([
        conversations.get(id, { signal: this.#signal }),
        ...ids.map((one) => messages.get(one, { signal: this.#signal })),
      ]);
      if (id !== this.#id) return;
      // A merge, its undoing or a split moves messages without naming them.
      const moved = item.message_count < this.#count || (item.message_count > this.#count && ids.length === 0);
      if (moved) await this.#readAll();
      else this.#merge(item, list);
    } catch (error) {
      if (error.name === "AbortError") return;
      ids.forEach((one) => this.#changed.add(one)); // Read again with the next event, or at the stream's reload.
      if (error.status === 404) await this.#readAll();
    }
  }

  /** Reads everything again and merges it, keeping cards, scroll place and the reply in work. */
  async refresh() {
    const id = this.#id;
    if (!id) return;
    if (this.#state === "loading") this.#missed = true; // What is on its way may be older than what this is about.
    else if (this.#state === "ready") await this.#inLine(() => this.#readAll());
    else this.#load();
  }

  async #readAll() {
    const id = this.#id;
    if (this.#state !== "ready") return;
    try {
      const [item, list] = await Promise.all([conversations.get(id, { signal: this.#signal }), thread(id, this.#signal)]);
      if (id === this.#id) this.#merge(item, list, true);
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 401 && id === this.#id) this.#shows.stale(error);
    }
  }

  /** `whole`: the list is all there is, so that what is not in it has left. */
  #merge(item, list, whole = false) {
    this.#count = item.message_count;
    if (item.merged_into && item.merged_into !== item.id) this.#shows.moved(item.merged_into);
    else this.#shows.merge(item, list, whole);
  }
}
