/**
 * `<heat-map>`: how much happens at which hour of which weekday. The darker, the more.
 */

import { fill, h } from "/web/js/dom.js";
import { count } from "/web/js/format.js";
import { ChartElement } from "/web/js/chart-element.js";
import { svg } from "/web/js/svg.js";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LEFT = 40;
const HIGH = 22;
const STEPS = 5;

export class HeatMap extends ChartElement {
  /** `rows` are those of the API by `weekday_hour`; `field` is what is counted. */
  draw(width, rows, field, label) {
    const cell = (width - LEFT) / 24;
    const found = new Map(rows.map((row) => [row.key, row[field]]));
    const most = Math.max(0, ...found.values());
    const cells = DAYS.flatMap((day, d) => Array.from({ length: 24 }, (_, hour) => {
      const value = found.get(`${d + 1} ${hour}`) ?? 0;
      const heat = value ? Math.max(1, Math.ceil((value / most) * STEPS)) : 0;
      return svg("rect", { class: `heat heat-${heat}`, x: LEFT + hour * cell, y: d * HIGH, width: cell - 2, height: HIGH - 2, rx: 3 },
        svg("title", {}, `${day} ${String(hour).padStart(2, "0")}:00: ${count(value)}`));
    }));
    const days = DAYS.map((day, d) => svg("text", { class: "tick", x: LEFT - 8, y: d * HIGH + 15, "text-anchor": "end" }, day));
    const hours = (width < 500 ? [0, 6, 12, 18] : [0, 3, 6, 9, 12, 15, 18, 21]).map((hour) => svg("text", { class: "tick", x: LEFT + hour * cell, y: 7 * HIGH + 14 }, `${String(hour).padStart(2, "0")}:00`));
    fill(this, svg("svg", { width, height: 7 * HIGH + 18, viewBox: `0 0 ${width} ${7 * HIGH + 18}`, role: "img", "aria-label": label }, cells, days, hours),
      h("p", { class: "faint" }, most ? `At most ${count(most)} in an hour of the week.` : "Nothing came in."));
  }
}

customElements.define("heat-map", HeatMap);
