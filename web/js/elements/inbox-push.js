/**
 * `<inbox-push>`: whether the provider announces new mail of an inbox, until when, how much of it got lost, and how often is looked instead.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { count, duration, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const STATES = {
  on: ["On", "good", "The provider announces new mail, so it is here within seconds."],
  asking: ["Asked for", "info", "Announcements are being asked for. Until they come, the mailbox is looked at every so often."],
  refused: ["Refused", "warn", "The provider does not announce new mail. The mailbox is looked at every so often, and the provider is asked again."],
  lapsed: ["Ended", "bad", "The announcements have ended. They are asked for again; until then the mailbox is looked at every so often."],
  off: ["Off", "", "No announcements are asked for here. The mailbox is looked at every so often."],
};

export class InboxPush extends RoomElement {
  build() {
    this.badge = h("span", { class: "badge" });
    this.rest = h("div", { class: "summary" });
    this.append(h("div", { class: "panel-head" }, h("h2", {}, "Announcements"), this.badge), this.rest);
  }

  set push(value) {
    const [word, tone, text] = STATES[value.state] ?? [value.state, "", ""];
    this.badge.textContent = word;
    this.badge.className = `badge ${tone}`;
    const fact = (name, shown) => h("div", {}, h("dt", {}, name), h("dd", {}, shown));
    const when = (time) => timeAgo(time, { long: true });
    fill(this.rest,
      h("p", { class: "lead" }, text),
      value.refusal ? h("div", { class: "notice warn" }, icon("warning"), h("p", {}, plain(value.refusal))) : null,
      value.found && value.missed ? h("div", { class: "notice warn" }, icon("warning"), h("p", {}, `Of ${count(value.found)} mails within a day ${count(value.missed)} (${Math.round((100 * value.missed) / value.found)} %) were not announced in time. They were found by looking; nothing is missing.`)) : null,
      h("dl", { class: "facts" },
        fact("Announced, last day", value.found ? `${count(value.found - value.missed)} of ${count(value.found)}` : "no mail came"),
        fact("Looks by itself every", value.poll_seconds ? duration(value.poll_seconds) : "not yet known"),
        value.last_notice_at ? fact("Last announcement", when(value.last_notice_at)) : null,
        value.expires_at ? fact(value.state === "on" ? "Granted until" : "Was granted until", when(value.expires_at)) : null,
        value.renewed_at ? fact("Last renewed", when(value.renewed_at)) : null,
        value.state !== "off" && value.due_at ? fact("Asked for again", when(value.due_at)) : null));
  }
}

customElements.define("inbox-push", InboxPush);
