/**
 * `<inbox-checks>`: tests the connection step by step and says of each failed step how to mend it.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { phrase } from "/web/js/words.js";

export class InboxChecks extends RoomElement {
  inboxId = null;

  build() {
    this.run = button("Test connection", { iconName: "refresh", onclick: () => this.#test() });
    this.result = h("div", { role: "status", "aria-live": "polite" }, h("p", { class: "faint" }, "Signs in to both servers and looks at the folders. No mail is sent."));
    this.append(h("div", { class: "panel-head" }, h("h2", {}, "Connection"), this.run), this.result);
  }

  async #test() {
    this.run.disabled = true;
    fill(this.result, h("p", { class: "faint" }, "Talking to both servers. This takes a few seconds."));
    try {
      const { ok, checks } = await inboxes.test(this.inboxId);
      fill(this.result,
        h("p", { class: ok ? "verdict good" : "verdict bad" }, icon(ok ? "check" : "cross"), ok ? "Everything works." : "Something is wrong; see below."),
        h("ul", { class: "checks" }, checks.map((check) => h("li", { class: check.ok ? "good" : "bad" }, icon(check.ok ? "check" : "cross", check.ok ? "Works" : "Fails"),
          h("div", {}, h("strong", {}, phrase(check.name)), check.detail ? h("p", {}, plain(check.detail)) : null, check.remedy ? h("p", { class: "remedy" }, plain(check.remedy)) : null)))));
    } catch (error) {
      fill(this.result, h("p", { class: "inline-error", role: "alert" }, icon("warning"), error.message));
    } finally {
      this.run.disabled = false;
    }
  }
}

customElements.define("inbox-checks", InboxChecks);
