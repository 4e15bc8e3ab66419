/**
 * `<column-chart>`: columns over days, stacked or one before the other. It is a picture: what it shows stands as a table beside it.
 */

import { fill, h } from "/web/js/dom.js";
import { ChartElement } from "/web/js/chart-element.js";
import { roundUp, roundUpSeconds, svg } from "/web/js/svg.js";

const HEIGHT = 200;
const LEFT = 52;
const BOTTOM = 22;
const TOP = 8;

export class ColumnChart extends ChartElement {
  /**
   * `rows` are `[{name, …}]`; `series` `[{field, name, tone}]`, the first at the bottom or behind; `print(value)` words a value.
   * `layered` puts them one before the other instead of one upon the other; `seconds` rounds the axis to hours.
   */
  draw(width, rows, series, { print, label, layered = false, seconds = false }) {
    const total = (row) => (layered ? Math.max(...series.map((one) => row[one.field])) : series.reduce((sum, one) => sum + row[one.field], 0));
    const most = Math.max(0, ...rows.map(total));
    const top = seconds ? roundUpSeconds(most) : roundUp(most);
    const room = HEIGHT - BOTTOM - TOP;
    const y = (value) => TOP + room * (1 - value / top);
    const step = (width - LEFT) / Math.max(rows.length, 1);
    const wide = Math.max(1, Math.min(step * 0.72, 34));
    const columns = rows.map((row, n) => {
      const x = LEFT + step * n + (step - wide) / 2;
      let base = 0;
      const parts = series.filter((one) => row[one.field] > 0).map((one) => {
        const from = layered ? 0 : base;
        base = from + row[one.field];
        return svg("rect", { class: `tone-${one.tone}`, x, width: wide, y: y(base), height: Math.max(y(from) - y(base), 0.5) });
      });
      const words = `${row.name}: ${series.map((one) => `${one.name} ${print(row[one.field])}`).join(", ")}`;
      return svg("g", {}, svg("title", {}, words), svg("rect", { class: "reach", x: LEFT + step * n, width: step, y: TOP, height: room }), parts);
    });
    const every = Math.max(1, Math.ceil(rows.length / (width / 90)));
    const names = rows.map((row, n) => n % every === 0 && svg("text", { class: "tick", x: LEFT + step * (n + 0.5), y: HEIGHT - 6, "text-anchor": "middle" }, row.short ?? row.name));
    const lines = [0, 0.5, 1].map((share) => [
      svg("line", { class: "rule", x1: LEFT, x2: width, y1: y(top * share), y2: y(top * share) }),
      svg("text", { class: "tick", x: LEFT - 6, y: y(top * share) + 4, "text-anchor": "end" }, share * top % 1 && !seconds ? "" : print(top * share)),
    ]);
    fill(this, svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label }, lines, columns, names),
      h("ul", { class: "legend" }, series.map((one) => h("li", {}, h("i", { class: `swatch tone-${one.tone}` }), one.name))));
  }
}

customElements.define("column-chart", ColumnChart);
