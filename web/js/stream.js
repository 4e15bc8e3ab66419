/**
 * The only EventSource: one live connection that resumes where it stopped and says how it is doing.
 * Promises each event once per cursor and a `reload` whenever a hole is possible. Leaves re-reading to the elements.
 */

import { ApiError } from "/web/js/api/request.js";
import { session } from "/web/js/api/session.js";

export const EVENT_TYPES = [
  "conversation.created", "conversation.updated", "conversation.merged", "conversation.unmerged", "bulk.updated", "contact.updated",
  "message.received", "message.updated", "message.queued", "message.sent", "message.failed", "message.unknown",
  "message.cancelled", "message.bounced",
  "inbox.health", "inbox.updated", "backfill.progress",
  "quarantine.opened", "quarantine.resolved", "reingest.progress", "gap.opened", "gap.closed", "audit.recorded",
  "user.created", "user.updated", "user.removed", "user.status", "team.created", "team.updated", "team.removed", "team.members",
  "note.added", "note.updated", "note.deleted", "followers.changed", "tags.changed",
  "conversation.deleted", "counts.changed", "view.changed", "view.filling", "notification.added", "notification.read", "erasure.progress",
  "sla.updated", "sla.warned", "sla.breached", "sla.recount", "sla.settings",
];

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const TICK_MS = 10_000;
const ASLEEP_MS = 100_000; // browsers slow the timers of hidden tabs to one a minute; what is longer was a sleep

/** Dispatches `change` and `presence` (detail: the event's data), `reload` (detail: why), `parts` (detail: names of what is away) and `state` (detail: stopped|connecting|open|lost). */
class LiveStream extends EventTarget {
  #source = null;
  #cursor = null;
  #wait = FIRST_WAIT_MS;
  #timer = 0;
  #running = false;
  #watch = 0;
  #ticked = 0;
  state = "stopped";

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#cursor = null;
    this.#ticked = Date.now();
    this.#watch = setInterval(() => this.#tick(), TICK_MS);
    this.#connect();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#source?.close();
    this.#source = null;
    this.#cursor = null;
    this.#become("stopped");
  }

  /** Tries now instead of waiting; for the browser's `online` event and the banner's button. */
  retryNow() {
    if (!this.#running || this.state === "open") return;
    clearTimeout(this.#timer);
    this.#wait = FIRST_WAIT_MS;
    this.#connect();
  }

  /** After a sleep the old connection may be dead without a word: nobody told this end. A new one resumes at the cursor. */
  #tick() {
    const asleep = Date.now() - this.#ticked > ASLEEP_MS;
    this.#ticked = Date.now();
    if (!asleep) return;
    clearTimeout(this.#timer);
    this.#wait = FIRST_WAIT_MS;
    this.#connect();
  }

  #connect() {
    this.#source?.close();
    // The first time there is no cursor; later ones are given in the address because a new EventSource
    // object has no Last-Event-ID of its own. Reconnects that the browser makes itself carry the header.
    const query = this.#cursor ? `?after=${encodeURIComponent(this.#cursor)}` : "";
    const resumed = Boolean(this.#cursor);
    const source = new EventSource(`/v1/events/stream${query}`);
    this.#source = source;
    if (this.state === "stopped") this.#become("connecting");
    source.addEventListener("open", () => {
      this.#wait = FIRST_WAIT_MS;
      this.#become("open");
    });
    source.addEventListener("ready", (event) => {
      const first = this.#cursor === null;
      this.#remember(event);
      this.#become("open");
      // Lists that were read before the snapshot cursor existed may lack what happened in between.
      if (first && !resumed) this.#say("reload", "ready");
    });
    source.addEventListener("reset", (event) => {
      this.#remember(event);
      this.#say("reload", "reset");
    });
    source.addEventListener("presence", (event) => this.#say("presence", JSON.parse(event.data)));
    source.addEventListener("parts", (event) => this.#say("parts", JSON.parse(event.data).away));
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (event) => {
        this.#remember(event);
        const data = JSON.parse(event.data);
        this.#say("change", { ...data, type: data.type ?? type });
      });
    }
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#become("lost");
      // CONNECTING: the browser retries by itself. CLOSED: it gave up (an HTTP error), so we retry.
      if (source.readyState === EventSource.CLOSED) this.#later();
    });
  }

  #remember(event) {
    if (event.lastEventId) this.#cursor = event.lastEventId;
  }

  #later() {
    clearTimeout(this.#timer);
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => this.#tryAgain(), wait);
  }

  async #tryAgain() {
    if (!this.#running) return;
    try {
      // An EventSource does not tell its status, so the session is asked: a 401 ends the stream, anything else waits.
      await session.current({ quiet: false });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return;
      this.#later();
      return;
    }
    if (this.#running) this.#connect();
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#say("state", state);
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export const stream = new LiveStream();
