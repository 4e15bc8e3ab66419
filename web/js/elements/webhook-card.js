/**
 * `<webhook-card>`: one webhook in `webhook`: how it is doing, what it is told, and its levers. Tells `webhook-changed` when it changed.
 */

import { webhooks } from "/web/js/api/webhooks.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/webhook-deliveries.js";
import "/web/js/elements/webhook-form.js";
import { errorWords, EVENTS, REASONS, STATUS } from "/web/js/webhook-words.js";

export class WebhookCard extends RoomElement {
  #webhook = null;

  build() {
    this.badge = h("span", { class: "badge" });
    this.name = h("h2", {});
    this.facts = h("div", { class: "summary" });
    this.secret = h("div", { class: "notice good", hidden: true, role: "status" });
    this.levers = h("div", { class: "form-foot webhook-levers" });
    this.below = h("div", { class: "webhook-below" });
    this.append(h("div", { class: "panel-head" }, this.name, this.badge), this.facts, this.secret, this.levers, this.below);
    if (this.#webhook) this.#show();
  }

  set webhook(value) {
    this.#webhook = value;
    if (this.name) this.#show();
  }

  #show() {
    const one = this.#webhook;
    const [word, tone] = STATUS[one.status] ?? [one.status, ""];
    const when = (time) => (time ? timeAgo(time, { long: true }) : "never");
    const fact = (name, shown) => h("div", {}, h("dt", {}, name), h("dd", {}, shown));
    const trouble = one.status === "disabled" ? REASONS[one.disabled_reason] : one.failing_since ? `At its last attempt: ${errorWords(one.last_error)}. What waits is tried again by itself.` : null;
    this.setAttribute("aria-label", plain(one.name));
    this.name.textContent = plain(one.name);
    this.badge.textContent = word;
    this.badge.className = `badge ${tone}`;
    fill(this.facts, h("p", {}, h("code", {}, plain(one.url))),
      trouble ? h("div", { class: "notice warn" }, icon("warning"), h("p", {}, trouble)) : null,
      h("dl", { class: "facts" }, fact("Last taken", when(one.last_success_at)), fact("Last failed", when(one.last_failure_at)), fact("Waiting", one.waiting >= 1000 ? "1,000 or more" : String(one.waiting)),
        one.next_attempt_at ? fact("Tried again", when(one.next_attempt_at)) : null, one.previous_until ? fact("Old secret signs until", when(one.previous_until)) : null),
      h("p", { class: "faint" }, `Told by rules${one.events.length ? `, and when: ${one.events.map((type) => (EVENTS[type] ?? type).toLowerCase()).join(", ")}` : " only"}${one.inbox_ids ? `, of ${one.inbox_ids.length} ${one.inbox_ids.length === 1 ? "inbox" : "inboxes"}` : ""}.`));
    const off = one.status === "disabled";
    const lever = (text, onclick) => button(text, { kind: "small", "aria-label": `${text}: ${plain(one.name)}`, onclick });
    fill(this.levers, off ? null : lever("Test", () => this.#test()), lever("Deliveries", () => this.#open("webhook-deliveries")), lever("Change", () => this.#open("webhook-form")),
      lever("New secret", () => this.#rotate()), lever(off ? "Switch on" : "Switch off", () => this.#change({ status: off ? "active" : "disabled" })), lever("Remove", () => this.#remove()));
  }

  /** A secret that was just made, shown until the page is left. */
  reveal(secret) {
    const copy = button("Copy", { kind: "small", onclick: async () => {
      try {
        await navigator.clipboard.writeText(secret);
        notify("Copied.");
      } catch {
        notify("This browser does not let the page copy. Select the secret and copy it.", { tone: "bad" });
      }
    } });
    fill(this.secret, icon("key"), h("div", {}, h("p", {}, "The secret that signs. Copy it now; it is not shown again."), h("code", { class: "secret" }, secret), " ", copy));
    this.secret.hidden = false;
  }

  #open(tag) {
    const open = this.below.firstElementChild?.localName;
    fill(this.below, null);
    if (open === tag) return;
    const made = document.createElement(tag);
    made.webhookId = this.#webhook.id;
    made.webhook = this.#webhook;
    made.save = async (values) => {
      this.webhook = await webhooks.change(this.#webhook.id, values);
      fill(this.below, null);
    };
    fill(this.below, made);
  }

  async #test() {
    try {
      await webhooks.test(this.#webhook.id);
      if (this.below.firstElementChild?.localName === "webhook-deliveries") await this.below.firstElementChild.load();
      else this.#open("webhook-deliveries");
    } catch (error) {
      notifyError(error, "Not tested");
    }
  }

  async #rotate() {
    const sure = await ask({ title: `A new secret for ${plain(this.#webhook.name)}?`, paragraphs: ["For 24 hours the old one signs as well, so that the receiver can change over."], confirm: "Make it" });
    if (!sure) return;
    try {
      const { secret, ...webhook } = await webhooks.rotate(this.#webhook.id);
      this.webhook = webhook;
      this.reveal(secret);
    } catch (error) {
      notifyError(error, "No new secret");
    }
  }

  async #change(changes) {
    try {
      this.webhook = await webhooks.change(this.#webhook.id, changes);
    } catch (error) {
      notifyError(error, "Not changed");
    }
  }

  async #remove() {
    const sure = await ask({ title: `Remove ${plain(this.#webhook.name)}?`, paragraphs: ["What waits for it is not told any more, and rules that name it tell nobody."], confirm: "Remove", danger: true });
    if (!sure) return;
    try {
      await webhooks.remove(this.#webhook.id);
      this.tell("webhook-changed");
    } catch (error) {
      notifyError(error, "Not removed");
    }
  }
}

customElements.define("webhook-card", WebhookCard);
