/**
 * `<bar-table>`: a table whose rows carry a bar, for figures by agent, team or inbox.
 */

import { fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";

export class BarTable extends RoomElement {
  /** `columns` are `[{field, name, print}]`; the bar is `bar(row)` of 1, drawn in `tone(row)`. */
  show(rows, columns, { heading, caption, bar, tone }) {
    const head = h("tr", {}, h("th", { scope: "col" }, heading), h("th", { scope: "col", class: "bar-cell" }, h("span", { class: "unseen" }, "Share")), columns.map((one) => h("th", { scope: "col", class: "number" }, one.name)));
    const body = rows.map((row) => {
      const meter = h("div", { class: "bar" }, h("i", { class: `tone-${tone(row)}` }));
      meter.firstChild.style.inlineSize = `${Math.round(Math.min(1, Math.max(0, bar(row))) * 100)}%`;
      return h("tr", {}, h("th", { scope: "row", "data-label": heading }, plain(row.name)), h("td", { class: "bar-cell", "aria-hidden": "true" }, meter), columns.map((one) => h("td", { class: "number", "data-label": one.name }, one.print(row[one.field], row))));
    });
    fill(this, h("div", { class: "table-wrap" }, h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, head), h("tbody", {}, body))));
  }
}

customElements.define("bar-table", BarTable);
