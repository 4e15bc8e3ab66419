/**
 * `<time-ago>`: a moment in short words that keep themselves right, with the exact time as its title.
 */

import { distance, exact, shortTime } from "/web/js/format.js";

const alive = new Set();
setInterval(() => alive.forEach((one) => one.show()), 30_000);

export class TimeAgo extends HTMLElement {
  #at = null;

  /** An RFC 3339 time or null. */
  set at(value) {
    this.#at = value;
    this.show();
  }

  get at() {
    return this.#at;
  }

  connectedCallback() {
    alive.add(this);
    this.show();
  }

  disconnectedCallback() {
    alive.delete(this);
  }

  show() {
    const words = this.hasAttribute("long") ? distance : shortTime;
    this.textContent = this.#at ? words(this.#at) : (this.getAttribute("none") ?? "");
    this.title = exact(this.#at);
  }
}

customElements.define("time-ago", TimeAgo);

/** A `<time-ago>` for a moment; `long` writes "3 min. ago". */
export function timeAgo(at, { long = false, none = "never" } = {}) {
  const element = document.createElement("time-ago");
  if (long) element.setAttribute("long", "");
  element.setAttribute("none", none);
  element.at = at;
  return element;
}
