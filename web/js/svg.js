/**
 * Builds SVG nodes for charts. Colours and fonts come from classes; nothing here names one.
 */

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A round number at or above `value`, for the top of an axis: with a half that is round as well. */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 3, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

/** The same for seconds: a number of minutes, hours or days. */
export function roundUpSeconds(value) {
  const steps = [60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 345_600, 604_800];
  return steps.find((step) => step >= value) ?? roundUp(value / 604_800) * 604_800;
}
