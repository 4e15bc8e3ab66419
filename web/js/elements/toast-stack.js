/**
 * `<toast-stack>`: short notices in a corner. Good ones leave by themselves, bad ones stay until they are dismissed.
 */

import { button, h, icon } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

const STAY_MS = 5_000;
const MOST = 4;

export class ToastStack extends RoomElement {
  build() {
    this.setAttribute("aria-live", "polite");
    this.setAttribute("role", "status");
  }

  /** `tone` is good, info or bad; `action` is `{text, run}`. */
  show(text, { tone = "good", action = null } = {}) {
    const close = () => toast.remove();
    const toast = h(
      "div",
      { class: `toast ${tone}` },
      icon(tone === "bad" ? "warning" : "check"),
      h("p", {}, text),
      action ? button(action.text, { kind: "quiet", onclick: () => (close(), action.run()) }) : null,
      button("", { iconName: "cross", label: "Dismiss", kind: "quiet small", onclick: close }),
    );
    this.append(toast);
    while (this.children.length > MOST) this.firstElementChild.remove();
    if (tone !== "bad") setTimeout(close, action ? STAY_MS * 2 : STAY_MS);
  }
}

customElements.define("toast-stack", ToastStack);

/** Shows a notice in the page's stack. */
export function notify(text, options) {
  document.querySelector("toast-stack")?.show(text, options);
}

/** Shows what an action failed with. An aborted request is no failure; a lost session has its own page. */
export function notifyError(error, doing = "") {
  if (error.name === "AbortError" || error.status === 401) return;
  notify(doing ? `${doing}: ${error.message}` : error.message, { tone: "bad" });
}
