/**
 * A tag as it is shown everywhere: its name on its colour. Promises that only a colour reaches the style.
 */

import { h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";

const COLOR = /^#[0-9a-f]{6}$/i;

/** Gives an element the colour of a tag; without one it has the usual colour of badges. */
export function tinted(element, color) {
  if (COLOR.test(color ?? "")) element.style.setProperty("--tag", color);
  else element.style.removeProperty("--tag");
  return element;
}

export const tagBadge = (tag, ...inside) => tinted(h("span", { class: "badge tag" }, plain(tag.name), ...inside), tag.color);
