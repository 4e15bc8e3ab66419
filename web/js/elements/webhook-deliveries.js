/**
 * `<webhook-deliveries>`: what the webhook `webhookId` was told, newest first, with how it went; any of it can be told once more.
 */

import { webhooks } from "/web/js/api/webhooks.js";
import { button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import { DELIVERY, errorWords, typeWords } from "/web/js/webhook-words.js";

export class WebhookDeliveries extends RoomElement {
  webhookId = "";

  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people" });
    this.more = h("div", { class: "form-foot" });
    this.append(h("h3", {}, "What it was told"), this.state, this.list, this.more);
  }

  attach() {
    this.state.loading(2, "row");
    this.load();
  }

  async load() {
    try {
      const page = await webhooks.deliveries(this.webhookId, {}, { signal: this.life });
      this.state.done();
      fill(this.list, page.items.length ? page.items.map((one) => this.#row(one)) : h("li", {}, h("p", { class: "faint" }, "Nothing in the last thirty days.")));
      this.#offer(page.next);
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.load());
    }
  }

  #offer(next) {
    fill(this.more, button("Look again", { iconName: "refresh", kind: "small", onclick: () => this.load() }), next ? button("Show more", { kind: "small", onclick: () => this.#grow(next) }) : null);
  }

  async #grow(after) {
    try {
      const page = await webhooks.deliveries(this.webhookId, { after }, { signal: this.life });
      this.list.append(...page.items.map((one) => this.#row(one)));
      this.#offer(page.next);
    } catch (error) {
      notifyError(error);
    }
  }

  #row(one) {
    const [word, tone] = DELIVERY[one.status] ?? [one.status, ""];
    const name = typeWords(one.event_type);
    const rule = one.payload?.rule?.name;
    const went = [one.attempts ? `${one.attempts} ${one.attempts === 1 ? "attempt" : "attempts"}` : "not tried yet", one.error ? errorWords(one.error, one.response_status) : one.response_status ? `answered ${one.response_status}` : null, one.duration_ms === null ? null : `${one.duration_ms} ms`];
    return h("li", { "data-delivery": one.id },
      h("div", {}, h("strong", {}, rule ? `${name}: ${plain(rule)}` : name), h("span", { class: "faint" }, timeAgo(one.created_at, { long: true }), `, ${went.filter(Boolean).join(", ")}`), h("code", { class: "faint" }, one.id)),
      h("span", { class: `badge ${tone}` }, word),
      one.status === "pending" ? null : button("Tell again", { kind: "small", "aria-label": `Tell again: ${name}`, onclick: () => this.#again(one) }));
  }

  async #again(one) {
    try {
      await webhooks.redeliver(this.webhookId, one.id);
      notify("It is told once more, under the same id.");
      await this.load();
    } catch (error) {
      notifyError(error, "Not told again");
    }
  }
}

customElements.define("webhook-deliveries", WebhookDeliveries);
