/**
 * The balance of a folder as a picture: one bar, each part as wide as its share. Leaves the words to balance-words.js.
 */

import { count } from "/web/js/format.js";

const SVG = "http://www.w3.org/2000/svg";
const THINNEST = 0.012; // a single mail of a hundred thousand is still to be seen

/** The folder as one bar, each part as wide as its share; the words stand in the legend beside it. */
export function bar(parts, all) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ class: "bar", viewBox: "0 0 1 1", preserveAspectRatio: "none", role: "img", "aria-label": all ? parts.map((part) => `${count(part.amount)} ${part.word}`).join(", ") : "The folder is empty" })) svg.setAttribute(name, value);
  const widths = parts.map((part) => Math.max(part.share, THINNEST));
  const whole = widths.reduce((sum, width) => sum + width, 0);
  let x = 0;
  parts.forEach((part, at) => {
    const rect = document.createElementNS(SVG, "rect");
    const width = widths[at] / whole;
    for (const [name, value] of Object.entries({ x, y: 0, width, height: 1, class: `${part.kind} ${part.key}` })) rect.setAttribute(name, value);
    svg.append(rect);
    x += width;
  });
  return svg;
}
