/**
 * `<sla-bar>`: the arithmetic of one clock as a drawing: each stretch as wide as it lasted, in its kind's colour, with the instant at which it was due.
 */

import { fill } from "/web/js/dom.js";
import { exact } from "/web/js/format.js";
import { SEGMENTS, stretch } from "/web/js/sla-words.js";
import { svg } from "/web/js/svg.js";

const WIDE = 1000;
const THINNEST = 3;
const instant = (time) => new Date(time).getTime();

export class SlaBar extends HTMLElement {
  /** A clock as the API tells it. */
  set clock(clock) {
    const { segments } = clock;
    const start = instant(clock.started_at);
    const end = segments.length ? instant(segments.at(-1).end) : start;
    const all = Math.max(end - start, 1);
    const x = (time) => Math.min(Math.max(((instant(time) - start) / all) * WIDE, 0), WIDE);
    const parts = segments.map((one) => svg("rect", { x: x(one.start), y: 0, width: Math.max(x(one.end) - x(one.start), THINNEST), height: 12, class: one.kind },
      svg("title", {}, document.createTextNode(`${stretch(one.seconds)} ${one.why || SEGMENTS[one.kind]}, until ${exact(one.end)}`))));
    const due = clock.due_at && instant(clock.due_at) <= end ? svg("line", { x1: x(clock.due_at), x2: x(clock.due_at), y1: -3, y2: 15, class: "due" }, svg("title", {}, document.createTextNode(`Due ${exact(clock.due_at)}`))) : null;
    fill(this, svg("svg", { viewBox: `0 -3 ${WIDE} 18`, preserveAspectRatio: "none", role: "img", "aria-label": clock.sentence }, parts, due));
  }
}

customElements.define("sla-bar", SlaBar);
