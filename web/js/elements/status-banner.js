/**
 * `<status-banner>`: one line across the top while something is away: the network, the live connection, a part of the server,
 * the mail server of an inbox; and, for administrators, a sign-in that is refused. Waits a moment before it speaks, and goes away by itself.
 */

import { health, partsAway } from "/web/js/api/request.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { partsWord, refusedWord, serversWord } from "/web/js/words.js";

const PATIENCE_MS = 2_500;
const LOOK_MS = 3_000;

export class StatusBanner extends RoomElement {
  #said = null; // what a refused request told
  #parts = []; // what the stream or a look at the server told
  #lost = false;
  #words = "";
  #timer = 0;
  #looking = 0;

  build() {
    this.setAttribute("role", "status");
    this.setAttribute("aria-live", "polite");
    this.hidden = true;
  }

  attach() {
    this.listen(window, "online", () => {
      stream.retryNow();
      this.#show();
    });
    this.listen(window, "offline", () => this.#show());
    this.listen(stream, "state", () => this.#stateChanged());
    this.listen(stream, "parts", ({ detail }) => this.#know(detail));
    this.listen(store, "change", ({ detail }) => detail.key === "inboxes" && this.#show());
    this.listen(health, "part-away", (event) => {
      this.#said = event.detail;
      this.#show();
    });
    this.listen(health, "part-back", () => {
      this.#said = null;
      this.#show();
    });
    this.#stateChanged();
  }

  detach() {
    clearTimeout(this.#timer);
    clearTimeout(this.#looking);
    this.#looking = 0;
  }

  #stateChanged() {
    clearTimeout(this.#timer);
    if (stream.state === "lost") {
      this.#timer = setTimeout(() => {
        this.#lost = true;
        this.#show();
      }, PATIENCE_MS);
    } else {
      this.#lost = false;
      this.#show();
    }
  }

  #know(away) {
    this.#parts = away;
    if (away.length === 0) this.#said = null;
    this.#show();
  }

  /** While a part is away nobody may ask for anything, so nothing else would tell that it is back. */
  #lookLater() {
    if (this.#looking || (!this.#said && this.#parts.length === 0)) return;
    this.#looking = setTimeout(async () => {
      const away = await partsAway();
      this.#looking = 0;
      if (this.life.aborted) return;
      if (away) this.#know(away);
      else this.#lookLater();
    }, LOOK_MS);
  }

  #show() {
    const message = this.#message();
    this.hidden = message === null;
    // The same words stay as they are: they are read aloud when they change, and their button may be under a finger.
    if (message && message.text !== this.#words) fill(this, icon("warning"), h("p", {}, message.text), message.action);
    this.#words = message ? message.text : this.#words;
    this.#lookLater();
  }

  #message() {
    if (!navigator.onLine) return { text: "You are offline. Drafts are kept in this browser; the list updates when you are back." };
    if (this.#parts.length) return { text: partsWord(this.#parts) };
    if (this.#said) return { text: this.#said };
    if (this.#lost) {
      return {
        text: "Live updates are interrupted. Reconnecting; what you see may be old.",
        action: button("Reconnect now", { kind: "quiet", onclick: () => stream.retryNow() }),
      };
    }
    const refused = store.mayManage ? store.get("inboxes").filter((one) => one.health === "auth_failed" && !one.paused) : [];
    if (refused.length) return { text: refusedWord(refused), action: h("a", { class: "button quiet", href: refused.length === 1 ? `/inboxes/${refused[0].id}` : "/inboxes" }, "Reconnect") };
    const silent = store.get("inboxes").filter((one) => one.health === "degraded" && !one.paused);
    if (silent.length === 0) return null;
    return { text: serversWord(silent), action: h("a", { class: "button quiet", href: silent.length === 1 ? `/inboxes/${silent[0].id}` : "/inboxes" }, "See why") };
  }
}

customElements.define("status-banner", StatusBanner);
