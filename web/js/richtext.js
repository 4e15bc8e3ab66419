/**
 * The small language of replies: lines, breaks, bold, italic, lists, links, quotes.
 * Reads an editor's DOM into plain values and writes them as DOM, HTML or text; everything else is dropped to its text.
 */

import { h, safeUrl } from "/web/js/dom.js";

const NAMES = {
  P: "div", DIV: "div", H1: "div", H2: "div", H3: "div", BR: "br", B: "strong", STRONG: "strong", I: "em", EM: "em",
  UL: "ul", OL: "ol", LI: "li", A: "a", BLOCKQUOTE: "blockquote",
};
const BLOCKS = new Set(["div", "ul", "ol", "li", "blockquote"]);

/** A tree of strings and `[tag, href|null, children]`. */
export function fromDom(root) {
  return [...root.childNodes].flatMap((node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data ? [node.data.replaceAll("\u00a0", " ")] : [];
    if (!(node instanceof Element)) return [];
    const tag = NAMES[node.tagName];
    const children = fromDom(node);
    if (!tag) return children;
    if (tag === "a") {
      const href = safeUrl(node.getAttribute("href") ?? "");
      return href ? [["a", href, children]] : children;
    }
    return [[tag, null, children]];
  });
}

export const toDom = (nodes) =>
  nodes.map((node) => (typeof node === "string" ? node : h(node[0], node[0] === "a" ? { href: node[1] } : {}, ...toDom(node[2]))));

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text) => text.replace(/[&<>"]/g, (letter) => ESCAPES[letter]);

export function toHtml(nodes) {
  return nodes
    .map((node) => {
      if (typeof node === "string") return escape(node);
      const [tag, href, children] = node;
      if (tag === "br") return "<br>";
      return `<${tag}${href ? ` href="${escape(href)}"` : ""}>${toHtml(children)}</${tag}>`;
    })
    .join("");
}

function lines(nodes, list = null) {
  let text = "";
  let item = 0;
  for (const node of nodes) {
    if (typeof node === "string") {
      text += node;
      continue;
    }
    const [tag, href, children] = node;
    if (BLOCKS.has(tag) && text && !text.endsWith("\n")) text += "\n";
    const inner = lines(children, tag);
    if (tag === "br") text += "\n";
    else if (tag === "a") text += inner === href ? inner : `${inner} <${href}>`;
    else if (tag === "li") text += `${list === "ol" ? `${(item += 1)}.` : "-"} ${inner.trimEnd()}\n`;
    else if (tag === "blockquote") text += `${inner.trimEnd().split("\n").map((line) => `> ${line}`).join("\n")}\n`;
    else if (tag === "div") text += inner.endsWith("\n") ? inner : `${inner}\n`;
    else text += inner;
  }
  return text;
}

export const toText = (nodes) => lines(nodes).replace(/\n{3,}/g, "\n\n").trim();

const LINK = /https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?]/g;

/** Plain text as nodes, with web addresses made links. Works on tokens of the text, never on markup (CVE-2026-54433 class). */
export function linkified(text) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    parts.push(text.slice(from, found.index));
    parts.push(h("a", { href: found[0], target: "_blank", rel: "noopener noreferrer" }, found[0]));
    from = found.index + found[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}
