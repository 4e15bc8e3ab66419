/**
 * The bare text of a mail's HTML and the height of its pictures, for guessing how tall its frame should be. Pure.
 * One linear pass over a hostile string: nothing is parsed as a document, and no input makes it slow.
 */

const MOST_SOURCE = 500_000;
const MOST_TEXT = 20_000;
const MOST_TAG = 2_000;
const PICTURE_PX = 240;
const UNLOADED_PX = 28; // a picture from elsewhere that is not asked for shows its words only
const ROW_PX = 16;
const HEADING_PX = 26;
const MOST_PADDING_PX = 80;
const TALLEST_PICTURE_PX = 1_200;
const SKIPPED = new Set(["head", "style", "script", "title"]);
const ONE_BREAK = new Set(["br", "/div", "/li", "/tr", "/center", "/section", "/article", "/header", "/footer"]);
const TWO_BREAKS = new Set(["/p", "/h1", "/h2", "/h3", "/h4", "/h5", "/h6", "/ul", "/ol", "/table", "/blockquote", "/pre"]);

function pictureHeight(tag) {
  if (!/\ssrc=/.test(tag)) return UNLOADED_PX;
  const asked = (name) => new RegExp(`\\b${name}["']?[=:]["']?(\\d{1,5})`).exec(tag.replaceAll(" ", ""))?.[1];
  // Without a height a picture is taken to be square: most are wider than high.
  return Math.min(Number(asked("height") ?? asked("width") ?? PICTURE_PX), TALLEST_PICTURE_PX);
}

/** Vertical padding that a tag asks for in its style, in pixels. */
function padding(tag) {
  const asked = /\bpadding(?:-top|-bottom)?:\s{0,3}(\d{1,4})px/.exec(tag)?.[1];
  return asked === undefined ? 0 : Math.min(2 * Number(asked), MOST_PADDING_PX);
}

/** `{text, extra}`: text with line breaks where blocks end; extra is the height in pixels of what is not text. */
export function textOf(document) {
  const source = document.slice(0, MOST_SOURCE);
  const lower = source.toLowerCase();
  const parts = [];
  let length = 0;
  let extra = 0;
  let at = 0;
  while (at < source.length && length < MOST_TEXT) {
    const open = source.indexOf("<", at);
    const words = source.slice(at, open === -1 ? source.length : open).replace(/\s+/g, " ");
    if (words && (words !== " " || !(parts.at(-1) ?? "\n").endsWith("\n"))) {
      parts.push(words);
      length += words.length;
    }
    if (open === -1) break;
    const comment = source.startsWith("<!--", open);
    const shut = source.indexOf(comment ? "-->" : ">", open);
    if (shut === -1) break;
    at = shut + (comment ? 3 : 1);
    if (comment) continue;
    const tag = lower.slice(open + 1, Math.min(shut, open + MOST_TAG));
    const name = /^\/?[a-z0-9]*/.exec(tag)[0];
    extra += padding(tag) + (name === "tr" ? ROW_PX : 0) + (/^h[1-6]$/.test(name) ? HEADING_PX : 0);
    if (ONE_BREAK.has(name)) parts.push("\n");
    else if (TWO_BREAKS.has(name)) parts.push("\n\n");
    else if (name === "img") extra += pictureHeight(tag);
    else if (SKIPPED.has(name)) {
      const end = lower.indexOf(`</${name}`, at);
      if (end === -1) break;
      at = end;
    }
  }
  const text = parts.join("").slice(0, MOST_TEXT).replace(/&#?\w{1,8};/g, "x").replace(/\n{3,}/g, "\n\n");
  return { text: text.trim(), extra };
}
