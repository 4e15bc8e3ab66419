/**
 * `<status-banner>`: one line across the top while something is away: the network, the live connection, a part of the server.
 * Waits a moment before it speaks, so that a quick reconnect disturbs nobody.
 */

import { health } from "/web/js/api.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { stream } from "/web/js/stream.js";

const PATIENCE_MS = 2_500;

export class StatusBanner extends RoomElement {
  #part = null;
  #lost = false;
  #timer = 0;

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
    this.listen(health, "part-away", (event) => {
      this.#part = event.detail;
      this.#show();
    });
    this.listen(health, "part-back", () => {
      this.#part = null;
      this.#show();
    });
    this.#stateChanged();
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

  #show() {
    const message = this.#message();
    this.hidden = message === null;
    if (message) fill(this, icon("warning"), h("p", {}, message.text), message.action);
  }

  #message() {
    if (!navigator.onLine) return { text: "You are offline. Drafts are kept in this browser; the list updates when you are back." };
    if (this.#part) return { text: this.#part };
    if (!this.#lost) return null;
    return {
      text: "Live updates are interrupted. Reconnecting; what you see may be old.",
      action: button("Reconnect now", { kind: "quiet", onclick: () => stream.retryNow() }),
    };
  }
}

customElements.define("status-banner", StatusBanner);
