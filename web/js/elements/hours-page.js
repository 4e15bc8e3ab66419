/**
 * `<hours-page>`: the business hours of the organisation. A change is previewed: which conversations move. Everybody sees them, admins keep them.
 */

import { hours } from "/web/js/api/sla.js";
import { button, fill, h } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify } from "/web/js/elements/toast-stack.js";
import { DAYS } from "/web/js/elements/week-plan.js";
import "/web/js/elements/hours-form.js";
import "/web/js/elements/sla-preview.js";

/** `Monday–Friday 09:00–17:00`: days with the same hours are told together. */
export function weekWords(week) {
  const found = [];
  week.forEach((day, at) => {
    const words = day.map(([from, to]) => `${from}–${to}`).join(", ") || "closed";
    if (found.at(-1)?.words === words) found.at(-1).last = at;
    else found.push({ first: at, last: at, words });
  });
  const short = (at) => DAYS[at].slice(0, 3);
  return found.map(({ first, last, words }) => `${first === last ? short(first) : `${short(first)}–${short(last)}`} ${words}`).join(" · ");
}

export class HoursPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people" });
    this.panel = h("section", { class: "panel", "aria-label": "Business hours", hidden: true }, this.list);
    this.form = h("hours-form", { hidden: true });
    this.preview = document.createElement("sla-preview");
    this.add = button("Add hours", { iconName: "plus", kind: "primary", onclick: () => this.#edit(null) });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Business hours"), store.mayManage ? this.add : null),
      h("p", { class: "lead" }, "When somebody is at work. Clocks of service levels that count working time stand outside these hours and on holidays; changes to summer time are counted as the clock on the wall shows them."), this.state, this.panel, this.form, this.preview);
  }

  attach() {
    this.state.loading(2, "card");
    this.listen(this, "hours-preview", ({ detail }) => this.#look(detail));
    this.listen(this, "hours-save", ({ detail }) => this.#save(detail));
    this.listen(this, "hours-cancel", () => this.#close());
    this.#load();
  }

  async #load() {
    try {
      const { items, countries } = await hours.list({ signal: this.life });
      this.countries = countries;
      this.state.done();
      this.panel.hidden = false;
      fill(this.list, items.length ? items.map((one) => this.#row(one)) : h("li", {}, h("p", { class: "faint" }, "There are none yet: every hour counts.")));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #row(one) {
    const closed = [one.country ? `public holidays of ${plain(one.country)}${one.subdivision ? `-${plain(one.subdivision)}` : ""}` : null, one.dates.length ? plural(one.dates.length, "own date") : null].filter(Boolean).join(", ");
    return h("li", { "data-hours": one.id }, h("div", {}, h("strong", {}, plain(one.name), " ", one.is_default ? h("span", { class: "badge" }, "Default") : null),
      h("span", {}, `${weekWords(one.week)} (${plain(one.time_zone)})`), closed ? h("span", { class: "faint" }, `Closed on ${closed}`) : null, one.policies.length ? h("span", { class: "faint" }, `Used by ${one.policies.map(plain).join(", ")}`) : null),
      store.mayManage ? [button("Edit", { kind: "small", "aria-label": `Edit ${plain(one.name)}`, onclick: () => this.#edit(one) }), button("Remove", { kind: "small", "aria-label": `Remove ${plain(one.name)}`, onclick: () => this.#remove(one) })] : null);
  }

  #edit(one) {
    this.form.hidden = false;
    this.preview.hidden = true;
    this.form.edit(one, this.countries);
    this.form.scrollIntoView({ block: "nearest" });
  }

  #close() {
    this.form.hidden = this.preview.hidden = true;
  }

  async #look({ id, plan }) {
    if (!id) return notify("Nothing counts by new hours yet, so nothing moves.");
    try {
      return await this.preview.look((options) => hours.preview(id, plan, options));
    } catch (error) {
      this.form.refuse(error);
      return null;
    }
  }

  async #save({ id, plan }) {
    try {
      if (id) {
        const counts = await this.#look({ id, plan });
        if (!counts) return;
        const moves = counts.conversations > 0;
        if (moves && !(await ask({ title: "Save these hours?", paragraphs: [this.preview.words.textContent, "They are worked out again in the background."], confirm: "Save" }))) return;
      }
      await (id ? hours.change(id, plan) : hours.add(plan));
      notify("Saved.");
      this.#close();
      this.#load();
    } catch (error) {
      this.form.refuse(error);
    }
  }

  async #remove(one) {
    if (!(await ask({ title: `Remove ${plain(one.name)}?`, paragraphs: ["Clocks that ended keep what they counted."], confirm: "Remove", danger: true }))) return;
    try {
      await hours.remove(one.id);
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
    this.#load();
  }
}

customElements.define("hours-page", HoursPage);
