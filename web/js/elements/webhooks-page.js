/**
 * `<webhooks-page>`: other programs that are told what happens: how each is doing, and a form for one more, whose secret is shown once.
 */

import { webhooks } from "/web/js/api/webhooks.js";
import { button, fill, h } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import "/web/js/elements/webhook-card.js";
import "/web/js/elements/webhook-form.js";

export class WebhooksPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.cards = h("div", { class: "panels" });
    this.form = document.createElement("webhook-form");
    this.form.save = (values) => this.#add(values);
    this.rest = h("section", { class: "panel", "aria-label": "New webhook", hidden: true }, h("div", { class: "panel-head" }, h("h2", {}, "New webhook")), this.form);
    this.append(
      h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Webhooks")),
      h("p", { class: "lead" }, "Other programs are told what happens, signed and in order, until they have taken it. They get ids and states, never a word of a mail."),
      this.state, this.cards, this.rest);
    this.addEventListener("webhook-changed", () => this.#load());
  }

  attach() {
    this.state.loading(2, "card");
    this.#load();
  }

  async #load() {
    try {
      const { items } = await webhooks.list({ signal: this.life });
      this.state.done();
      this.rest.hidden = false;
      fill(this.cards, items.map((one) => this.#card(one)));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #card(webhook) {
    const card = h("webhook-card", { class: "panel wide", role: "region" });
    card.webhook = webhook;
    return card;
  }

  async #add(values) {
    const { secret, ...webhook } = await webhooks.add(values);
    const card = this.#card(webhook);
    this.cards.append(card);
    card.reveal(secret);
    card.scrollIntoView({ block: "nearest" });
  }
}

customElements.define("webhooks-page", WebhooksPage);
