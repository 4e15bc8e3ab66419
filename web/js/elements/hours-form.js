/**
 * `<hours-form>`: one plan of business hours: zone, week, public holidays, own dates with half days. Dispatches `hours-preview` and
 * `hours-save` with `{id, plan}`; `refuse(error)` puts the server's words beside their fields.
 */

import { button, fill, h, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import "/web/js/elements/week-plan.js";

const USUAL = [...Array.from({ length: 5 }, () => [["09:00", "17:00"]]), [], []];

export class HoursForm extends RoomElement {
  #plan = null;
  #countries = [];
  #dates = [];

  build() {
    const field = (label, control) => {
      control.id = uid("hours");
      return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
    };
    this.name = h("input", { type: "text", maxlength: "200", required: true });
    this.zones = h("datalist", { id: uid("zones") }, Intl.supportedValuesOf("timeZone").map((zone) => h("option", { value: zone })));
    this.zone = h("input", { type: "text", list: this.zones.id, autocomplete: "off", required: true });
    this.country = h("select", { onchange: () => this.#subdivisions("") });
    this.subdivision = h("select", {});
    this.isDefault = h("input", { type: "checkbox" });
    this.week = document.createElement("week-plan");
    this.list = h("ul", { class: "own-dates" });
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.append(h("form", { class: "sheet", novalidate: true, onsubmit: (event) => this.#send(event, "hours-save") },
      h("fieldset", {}, h("legend", {}, "Hours"), h("div", { class: "grid" }, field("Name", this.name), field("Time zone", this.zone), this.zones), this.week),
      h("fieldset", {}, h("legend", {}, "Closed days"), h("div", { class: "grid" }, field("Public holidays of", this.country), field("Region", this.subdivision)),
        h("p", { class: "faint" }, "Own dates go before public holidays; with hours they are half days."), this.list,
        h("div", {}, button("Add a date", { iconName: "plus", kind: "small", onclick: () => this.#addDate() }))),
      h("label", { class: "check" }, this.isDefault, "Response times are measured by these hours where no policy applies"),
      this.wrong, h("div", { class: "form-foot" }, button("Preview", { onclick: (event) => this.#send(event, "hours-preview") }), button("Save", { kind: "primary", type: "submit" }), button("Cancel", { kind: "quiet", onclick: () => this.tell("hours-cancel") }))));
  }

  /** Shows a plan, or a new one for null. `countries` as the list tells them. */
  edit(plan, countries) {
    this.#plan = plan;
    this.#countries = countries;
    this.name.value = plan?.name ?? "";
    this.zone.value = plan?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.isDefault.checked = plan?.is_default ?? false;
    this.week.week = plan?.week ?? USUAL;
    const names = new Intl.DisplayNames(undefined, { type: "region" });
    const named = countries.map(({ code }) => [code, names.of(code)]).sort((one, other) => one[1].localeCompare(other[1]));
    fill(this.country, h("option", { value: "" }, "No country"), named.map(([code, word]) => h("option", { value: code, selected: code === plan?.country }, word)));
    this.#subdivisions(plan?.subdivision ?? "");
    this.#dates = (plan?.dates ?? []).map((date) => ({ ...date, intervals: date.intervals.map((pair) => [...pair]) }));
    this.#showDates();
    this.wrong.textContent = "";
    this.name.focus();
  }

  refuse(error) {
    this.wrong.textContent = [...Object.entries(error.fields ?? {}).map(([name, words]) => `${name}: ${words}`)].join(" ") || error.message;
  }

  #subdivisions(chosen) {
    const parts = this.#countries.find(({ code }) => code === this.country.value)?.subdivisions ?? [];
    fill(this.subdivision, h("option", { value: "" }, "The whole country"), parts.map((part) => h("option", { value: part, selected: part === chosen }, part)));
    this.subdivision.disabled = parts.length === 0;
  }

  #addDate() {
    this.#dates.push({ date: "", name: "", intervals: [] });
    this.#showDates();
    this.list.lastElementChild.querySelector("input").focus();
  }

  #showDates() {
    fill(this.list, this.#dates.map((date, at) => {
      const plan = h("week-plan", { props: { names: ["That day"], week: [date.intervals] } });
      plan.addEventListener("week-change", () => ([date.intervals] = plan.week));
      return h("li", {}, h("input", { type: "date", value: date.date, required: true, "aria-label": `Date ${at + 1}`, onchange: (event) => (date.date = event.target.value) }),
        h("input", { type: "text", value: date.name, maxlength: "100", placeholder: "What for", "aria-label": `Name of date ${at + 1}`, onchange: (event) => (date.name = event.target.value) }), plan,
        button("", { iconName: "cross", kind: "quiet small", label: `Take date ${at + 1} off`, onclick: () => {
          this.#dates.splice(at, 1);
          this.#showDates();
        } }));
    }));
  }

  #send(event, type) {
    event.preventDefault();
    this.wrong.textContent = "";
    const plan = { name: this.name.value, time_zone: this.zone.value.trim(), week: this.week.week, country: this.country.value, subdivision: this.subdivision.value, dates: this.#dates, is_default: this.isDefault.checked };
    if (this.#dates.some(({ date }) => !date)) this.wrong.textContent = "A date is missing its day.";
    else this.tell(type, { id: this.#plan?.id ?? null, plan });
  }
}

customElements.define("hours-form", HoursForm);
