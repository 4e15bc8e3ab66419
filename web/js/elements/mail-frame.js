/**
 * `<mail-frame>`: the HTML of one mail in a frame that may run nothing and reach nothing.
 * The walls are the browser's: `sandbox` without scripts or same-origin, and the CSP of the frame's own response. The
 * sanitiser on the server is a third one, and these hold without it. Pictures from elsewhere are off until asked for.
 */

import { messages } from "/web/js/api/messages.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plural } from "/web/js/format.js";
import { textOf } from "/web/js/mail-text.js";
import { RoomElement } from "/web/js/room-element.js";

const SANDBOX = "allow-popups allow-popups-to-escape-sandbox";
const LEAST_PX = 56;
const SLACK_PX = 24; // the document's padding and one margin
const DESIGNED_SLACK_PX = 48; // of a mail with tables or pictures
const FOLD_FROM_PX = 960; // A mail a little higher than the fold is shown whole.
const FOLD_PX = 720;
const MOST_PX = 6_000;

export class MailFrame extends RoomElement {
  #images = false;
  #quoted = false;
  #meta = null;
  #estimate = LEAST_PX;
  #grown = false;

  /** Id of the message to show. */
  set message(value) {
    this.messageId = value;
  }

  build() {
    this.blocked = h("div", { class: "blocked", hidden: true });
    this.box = h("div", { class: "mail-box" });
    this.foot = h("div", { class: "mail-foot" });
    this.append(this.blocked, this.box, this.foot);
  }

  attach() {
    if (!this.#meta) this.#load();
  }

  async #load() {
    fill(this.box, h("div", { class: "skeleton text", role: "status" }, h("b", {}), h("b", {}), h("b", {})));
    try {
      this.#meta = await messages.html(this.messageId, this.#images, { signal: this.life });
      this.#show();
    } catch (error) {
      if (error.name === "AbortError") return;
      fill(this.box, h("p", { class: "inline-error", role: "alert" }, icon("warning"), error.message, " "), button("Try again", { onclick: () => this.#load() }));
    }
  }

  #show() {
    const frame = h("iframe", {
      class: "mail", sandbox: SANDBOX, referrerpolicy: "no-referrer", loading: "lazy", title: "The message as its sender designed it",
      src: messages.frameUrl(this.messageId, { images: this.#images, part: this.#quoted || !this.#meta.quoted ? "all" : "visible" }),
    });
    fill(this.box, frame);
    this.#measure();
    this.#showBlocked();
    this.#showFoot();
  }

  /**
   * The frame's document cannot be measured from outside (it is of another origin and runs no script), so its height is
   * estimated: its bare text is laid out at the same width, and the pictures' heights are added.
   */
  #measure() {
    const { text, extra } = textOf(this.#meta.document);
    const probe = h("div", { class: "mail-probe", "aria-hidden": "true" }, text);
    this.box.append(probe);
    const high = probe.getBoundingClientRect().height;
    probe.remove();
    // Fonts of its own, and above all tables, need more room than the bare text does; too much is better than a second scroll bar.
    const body = this.#meta.document.split("</head>").at(-1);
    const tables = body.match(/<table\b/gi)?.length ?? 0;
    const loose = tables > 1 ? 1.38 : /font|size|line-height|margin|padding/i.test(body) ? 1.15 : 1.04;
    this.#estimate = Math.min(MOST_PX, Math.max(LEAST_PX, Math.ceil(high * loose + extra + (/<(?:table|img)\b/i.test(body) ? DESIGNED_SLACK_PX : SLACK_PX))));
    this.#resize();
  }

  #resize() {
    const folded = this.#estimate > FOLD_FROM_PX && !this.#grown;
    this.box.style.blockSize = `${folded ? FOLD_PX : this.#grown ? Math.ceil(this.#estimate * 1.25) : this.#estimate}px`;
    this.box.toggleAttribute("folded", folded);
  }

  #showBlocked() {
    const amount = this.#meta.remote_blocked;
    this.blocked.hidden = !amount || this.#images;
    if (this.blocked.hidden) return;
    fill(this.blocked, icon("image"), h("span", {}, `${plural(amount, "picture")} from elsewhere not loaded, so that the sender does not learn that you read this.`),
      button("Show pictures", { kind: "quiet small", onclick: () => {
        this.#images = true;
        this.#load();
      } }));
  }

  #showFoot() {
    const grow = button(this.#grown ? "Smaller" : "Show in full height", { kind: "quiet small", "aria-expanded": String(this.#grown), onclick: () => {
      this.#grown = !this.#grown;
      this.#resize();
      this.#showFoot();
    } });
    const quote = button(this.#quoted ? "Hide quoted text" : "Show quoted text", { kind: "quiet small", "aria-expanded": String(this.#quoted), onclick: () => {
      this.#quoted = !this.#quoted;
      if (this.#quoted) this.#grown = true;
      this.#show();
    } });
    fill(this.foot, this.#meta.quoted ? quote : null, this.#estimate > FOLD_FROM_PX || this.#grown ? grow : null);
  }
}

customElements.define("mail-frame", MailFrame);
