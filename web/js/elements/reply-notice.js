/**
 * `<reply-notice>`: what stands in the way of a reply, as sentences: obstacles, refusals, and newer messages to read first.
 */

import { button, fill, h, icon } from "/web/js/dom.js";
import { fullName, plain, plural, shortName } from "/web/js/format.js";
import { differenceLine } from "/web/js/difference-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class ReplyNotice extends RoomElement {
  clear() {
    this.hidden = true;
    this.replaceChildren();
  }

  say(text, tone = "bad") {
    this.hidden = false;
    this.className = `reply-notice notice ${tone}`;
    fill(this, icon("warning"), h("p", { role: "alert" }, text));
  }

  /**
   * What came in since; `asked` when the agent has pressed Send already. `changes` is the server's list of all that is new: what
   * colleagues noted, took over or decided. Tells `newer-read` with `{send}`.
   */
  newer(messages, asked, changes = []) {
    const others = changes.filter((one) => one.kind !== "message");
    this.hidden = false;
    this.className = "reply-notice notice warn newer";
    const last = messages.at(-1);
    fill(this, icon("warning"), h("div", {},
      h("p", { role: "alert" }, h("strong", {}, asked ? "Not sent: the conversation moved on. " : ""),
        messages.length ? `${plural(messages.length, "newer message")} arrived while you were writing. Read ${messages.length === 1 ? "it" : "them"} first.` : "",
        others.length && !messages.length ? "Look at what changed while you were writing." : ""),
      others.length ? h("ul", { class: "changes", "aria-label": "What changed" }, others.map((one) => h("li", {}, differenceLine(one)))) : null,
      h("ul", {}, messages.map((one) => h("li", {}, h("strong", { title: fullName(one.from) }, shortName(one.author ?? one.from)), " ", timeAgo(one.sent_at ?? one.created_at), h("p", {}, plain(one.body_visible ?? one.body_text).slice(0, 280))))),
      h("div", { class: "actions" },
        last ? button("Show in conversation", { kind: "small", onclick: () => this.tell("show-message", last.id) }) : null,
        asked ? button("Send anyway", { iconName: "send", kind: "small primary", onclick: () => this.tell("newer-read", { send: true }) })
          : button("I have read it", { iconName: "check", kind: "small", onclick: () => this.tell("newer-read", { send: false }) }))));
  }
}

customElements.define("reply-notice", ReplyNotice);
