/**
 * Reads HTML of the small language of replies back into its values (see richtext.js), as the server gives a kept draft.
 * Promises that no string becomes markup: it walks over the text itself; what it does not know is dropped to its words.
 */

import { safeUrl } from "/web/js/dom.js";

const NAMES = { p: "div", div: "div", br: "br", b: "strong", strong: "strong", i: "em", em: "em", ul: "ul", ol: "ol", li: "li", a: "a", blockquote: "blockquote" };
const PIECES = /<(\/?)([a-z][a-z0-9]*)\b([^<>]*)>|<!--.*?-->|([^<]+|<)/gis;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

const unescape = (text) => text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));/gi, (whole, decimal, hex, name) => {
  const point = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : null;
  if (point !== null) return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  return ENTITIES[name.toLowerCase()] ?? whole;
});

/** The values that `toDom` and `toHtml` take. */
export function fromHtml(html) {
  const root = [];
  const open = [{ tag: null, inside: root }];
  for (const [, closing, name, rest, text] of String(html ?? "").matchAll(PIECES)) {
    const { inside } = open.at(-1);
    if (text !== undefined) {
      inside.push(unescape(text));
      continue;
    }
    const tag = NAMES[name?.toLowerCase()];
    if (!tag) continue;
    if (closing) {
      const at = open.findLastIndex((one) => one.tag === tag);
      if (at > 0) open.length = at;
    } else if (tag === "br") {
      inside.push(["br", null, []]);
    } else {
      const href = tag === "a" ? safeUrl(unescape(/\bhref\s*=\s*"([^"]*)"/i.exec(rest)?.[1] ?? "")) : null;
      const node = [tag, href, []];
      if (tag !== "a" || href) inside.push(node);
      open.push({ tag, inside: tag !== "a" || href ? node[2] : inside });
    }
  }
  return root;
}
