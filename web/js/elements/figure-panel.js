/**
 * `<figure-panel>`: one figure with its groups, its picture, its table and its file. What it asks for stands in figures.js.
 */

import { analytics } from "/web/js/api/analytics.js";
import { fill, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import "/web/js/elements/bar-table.js";
import "/web/js/elements/column-chart.js";
import "/web/js/elements/heat-map.js";

const shortDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

export class FigurePanel extends RoomElement {
  figure = null;
  range = {};
  #asked = 0;

  build() {
    const title = uid("figure");
    this.groups = h("select", { "aria-label": `${this.figure.title}: grouped`, onchange: () => this.read() }, this.figure.groups.map((one) => h("option", { value: one.by ?? "" }, one.name)));
    this.groups.hidden = this.figure.groups.length < 2;
    this.clock = h("select", { "aria-label": `${this.figure.title}: which time`, onchange: () => this.read(), hidden: !this.figure.clocks },
      h("option", { value: "calendar" }, "all time"), h("option", { value: "business" }, "business hours"));
    this.file = h("a", { class: "button quiet small", "aria-label": `${this.figure.title} as a file`, title: "As a file for spreadsheets", download: true }, icon("download"), h("span", {}, "CSV"));
    this.state = document.createElement("load-state");
    this.body = h("div", { class: "figure" });
    this.append(h("section", { class: "panel", "aria-labelledby": title },
      h("header", { class: "panel-head" }, h("h2", { id: title }, this.figure.title), h("div", { class: "actions" }, this.groups, this.clock, this.file)), this.state, this.body));
  }

  /** Asks for the figure in the range that the page has set. An answer that is overtaken by a later question is dropped. */
  async read() {
    const { figure } = this;
    const asked = ++this.#asked;
    const query = { ...this.range, ...figure.query, by: this.groups.value, ...(figure.clocks ? { clock: this.clock.value } : {}) };
    this.file.setAttribute("href", analytics.file(figure.path, query));
    if (!this.body.hasChildNodes()) this.state.loading(2, "line");
    try {
      const { rows } = await analytics.read(figure.path, query, { signal: this.life });
      if (asked !== this.#asked) return;
      this.state.done();
      this.#draw(rows);
    } catch (error) {
      if (error.name === "AbortError" || asked !== this.#asked) return;
      fill(this.body);
      this.state.failed(error, () => this.read());
    }
  }

  #draw(rows) {
    const { figure } = this;
    if (!rows.length) {
      fill(this.body);
      this.state.empty("Nothing to count yet", "Figures begin with the first mail after an inbox was connected.", { iconName: "chart" });
      return;
    }
    if (figure.heat) {
      const map = document.createElement("heat-map");
      fill(this.body, map);
      map.show(rows, figure.heat, figure.title);
      return;
    }
    const days = figure.day || this.groups.value === "day";
    const named = days ? rows.map((row) => this.#day(row)) : rows;
    const table = document.createElement("bar-table");
    const most = (row) => Math.max(...figure.columns.map((one) => row[one.field]));
    const bar = figure.bar ?? ((row) => most(row) / Math.max(1, ...named.map(most)));
    const caption = `${figure.title} ${days ? "by day" : this.groups.selectedOptions[0]?.textContent ?? ""}`;
    const heading = days ? "Day" : "Name";
    if (!days) {
      fill(this.body, table);
      table.show(named, figure.columns, { heading, caption, bar: (row) => bar(row, named), tone: figure.tone });
      return;
    }
    const chart = document.createElement("column-chart");
    const whole = h("details", {}, h("summary", {}, "As a table"), table);
    fill(this.body, chart, whole);
    chart.show(named, figure.series, { print: figure.print, label: caption, layered: figure.layered, seconds: figure.seconds });
    table.show(named, figure.columns, { heading, caption, bar: (row) => bar(row, named), tone: figure.tone ?? (() => "main") });
  }

  #day(row) {
    const at = new Date(`${row.day ?? row.key}T00:00:00Z`);
    return { ...row, name: plain(longDay.format(at)), short: shortDay.format(at) };
  }
}

customElements.define("figure-panel", FigurePanel);
