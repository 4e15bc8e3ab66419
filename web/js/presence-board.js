/**
 * Says to the server that this window looks at a conversation, or writes in it, and keeps who else does.
 * Promises that whoever says nothing for as long as the server told is taken for gone. Leaves showing to `changed`.
 */

import { presence } from "/web/js/api/presence.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";

const AGAIN_MS = 15_000;
const WRITING_MS = 20_000;
const LASTS_MS = 40_000;
const TAB = crypto.randomUUID();

export class PresenceBoard {
  #changed;
  #signal;
  #id = null;
  #here = false;
  #said = null;
  #wroteAt = 0;
  #people = new Map();

  constructor(changed, signal) {
    this.#changed = changed;
    this.#signal = signal;
    stream.addEventListener("presence", ({ detail }) => this.#hear(detail), { signal });
    const again = setInterval(() => this.#beat(), AGAIN_MS);
    signal.addEventListener("abort", () => {
      clearInterval(again);
      this.look(this.#id, false);
    });
  }

  /** This window shows conversation `id`, and somebody can see it. */
  look(id, here) {
    if (id !== this.#id) {
      if (this.#here) this.#say("gone");
      this.#id = id;
      this.#people.clear();
      this.#wroteAt = 0;
      this.#changed([]);
    } else if (here === this.#here) {
      return;
    }
    this.#here = here;
    if (id) this.#say(here ? this.#state : "gone");
  }

  /** Something was typed; `still` is false when the text is empty again or was sent. */
  wrote(still) {
    this.#wroteAt = still ? performance.now() : 0;
    if (this.#here && this.#state !== this.#said) this.#say(this.#state);
  }

  get #state() {
    return this.#wroteAt > 0 && performance.now() - this.#wroteAt < WRITING_MS ? "writing" : "viewing";
  }

  #beat() {
    this.#forget();
    if (this.#here && this.#id) this.#say(this.#state);
  }

  async #say(state) {
    const id = this.#id;
    this.#said = state;
    try {
      const { items } = await presence.show(id, state, TAB);
      if (id !== this.#id || state === "gone") return;
      for (const { id: person, name, state: does } of items) this.#people.set(`${person} `, { id: person, name, state: does, until: performance.now() + LASTS_MS });
      this.#tell();
    } catch (error) {
      this.#said = null; // Said again with the next beat; that somebody looks on is never worth a message of its own.
      if (!error.status && error.name !== "ApiError") reportError(error);
    }
  }

  #hear({ conversation_id: id, user, state, tab, seconds }) {
    if (id !== this.#id || user.id === store.get("me")?.user.id) return;
    this.#people.delete(`${user.id} `); // What the first answer told is superseded by the window's own word.
    const key = `${user.id} ${tab}`;
    if (state === "gone") this.#people.delete(key);
    else this.#people.set(key, { ...user, state, until: performance.now() + seconds * 1000 });
    this.#tell();
  }

  #forget() {
    const now = performance.now();
    for (const [key, one] of this.#people) if (one.until <= now) this.#people.delete(key);
    this.#tell();
  }

  #tell() {
    const shown = new Map();
    for (const one of this.#people.values()) if (shown.get(one.id)?.state !== "writing") shown.set(one.id, one);
    if (!this.#signal.aborted) this.#changed([...shown.values()].sort((one, other) => one.name.localeCompare(other.name)));
  }
}
