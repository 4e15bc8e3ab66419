/**
 * `<analytics-page>`: the figures of a range of days, of all inboxes or one. Every figure is a panel that asks for itself.
 */

import { button, fill, h } from "/web/js/dom.js";
import { FIGURES } from "/web/js/figures.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import "/web/js/elements/figure-panel.js";

const SPANS = [[7, "Last 7 days"], [30, "Last 30 days"], [90, "Last 90 days"], [365, "Last 12 months"]];
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
/** A day of the reader's own clock, as `2025-01-31`. */
const dayBefore = (days) => new Date(Date.now() - days * 86_400_000).toLocaleDateString("sv-SE");

export class AnalyticsPage extends RoomElement {
  build() {
    this.span = h("select", { "aria-label": "Range", onchange: () => this.#preset() }, SPANS.map(([days, name]) => h("option", { value: days, selected: days === 30 }, name)), h("option", { value: "" }, "From … to …"));
    this.since = h("input", { type: "date", "aria-label": "First day", onchange: () => this.#read() });
    this.until = h("input", { type: "date", "aria-label": "Last day", onchange: () => this.#read() });
    this.days = h("span", { class: "range-days", hidden: true }, this.since, "to", this.until);
    this.inbox = h("select", { "aria-label": "Inbox", onchange: () => this.#read() });
    this.panels = h("div", { class: "panels" });
    this.append(
      h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Analytics"),
        h("div", { class: "actions range" }, this.span, this.days, this.inbox)),
      this.panels);
    fill(this.panels, FIGURES.map((figure) => {
      const panel = document.createElement("figure-panel");
      panel.figure = figure;
      panel.className = figure.wide ? "wide" : "";
      return panel;
    }));
  }

  attach() {
    this.listen(store, "change", (event) => event.detail.key === "inboxes" && this.#inboxes());
    this.#inboxes();
    this.#preset();
  }

  #inboxes() {
    const chosen = this.inbox.value;
    fill(this.inbox, h("option", { value: "" }, "All inboxes"), (store.get("inboxes") ?? []).map((one) => h("option", { value: one.id, selected: one.id === chosen }, plain(one.name))));
  }

  #preset() {
    const days = Number(this.span.value);
    this.days.hidden = days > 0;
    if (days || !this.since.value) {
      this.since.value = dayBefore((days || 30) - 1);
      this.until.value = dayBefore(0);
    }
    this.#read();
  }

  #read() {
    if (!this.since.value || !this.until.value) return;
    if (this.since.value > this.until.value) [this.since.value, this.until.value] = [this.until.value, this.since.value];
    const range = { since: this.since.value, until: this.until.value, zone: ZONE, inbox: this.inbox.value };
    for (const panel of this.panels.children) {
      panel.range = range;
      panel.read();
    }
  }
}

customElements.define("analytics-page", AnalyticsPage);
