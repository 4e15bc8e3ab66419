/**
 * Builds DOM nodes without ever parsing a string as HTML, so that hostile text stays text.
 * Promises: no inline style, no inline handler, no srcdoc, no unknown URL scheme. Leaves meaning to the elements.
 */

const SVG = "http://www.w3.org/2000/svg";
const ICONS = new URL("../icons/", import.meta.url).pathname; // of the same release as this module, so that browsers keep them
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "textContent", "readOnly", "open"]);
const REFUSED = new Set(["style", "srcdoc", "innerHTML", "outerHTML"]);
const SCHEMES = new Set(["http:", "https:", "mailto:", "blob:"]);

/** The address if its scheme is one that cannot run script, else null. Relative addresses are taken as ours. */
export function safeUrl(address) {
  try {
    const url = new URL(address, location.origin);
    return SCHEMES.has(url.protocol) ? String(address) : null;
  } catch {
    return null;
  }
}

function assign(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (PROPERTIES.has(name)) element[name] = name === "value" || name === "textContent" ? "" : false;
    return;
  }
  if (typeof value === "function" && name.startsWith("on")) {
    element.addEventListener(name.slice(2), value);
  } else if (REFUSED.has(name) || name.startsWith("on")) {
    throw new TypeError(`The attribute ${name} cannot be set from script here; use a class, CSSOM or a listener.`);
  } else if (name === "dataset") {
    Object.assign(element.dataset, value);
  } else if (name === "href" || name === "src") {
    const address = safeUrl(value);
    if (address !== null) element.setAttribute(name, address);
  } else if (PROPERTIES.has(name)) {
    element[name] = value;
  } else if (name === "props") {
    Object.assign(element, value);
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** An element: `h("p", {class: "note", onclick: f}, "text", child)`. Null, false and undefined children vanish. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) assign(element, name, value);
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Replaces everything inside an element. A child that stays keeps the focus that it, or something in it, has. */
export function fill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  element.replaceChildren(...nodes(children));
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  return element;
}

const rows = new WeakMap();

/**
 * Fills a list with the elements that `make` builds of `items`. An item of the same `id` that looks as it did keeps its element, and so its focus,
 * its open menus and a press that has begun: news come while people work. `shown` answers what an element is made of, by default the item.
 */
export function fillRows(list, items, make, shown = (item) => item) {
  const before = rows.get(list) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const look = JSON.stringify(shown(item));
    const known = before.get(item.id);
    now.set(item.id, known?.look === look ? known : { look, element: make(item) });
  }
  rows.set(list, now);
  const wanted = [...now.values()].map((row) => row.element);
  const stays = new Set(wanted);
  for (const child of [...list.childNodes]) if (!stays.has(child)) child.remove();
  let place = list.firstChild;
  for (const element of wanted) {
    if (element === place) place = place.nextSibling;
    else list.insertBefore(element, place);
  }
  return list;
}

/** A picture from the icon sheet. Without a label it is decoration and hidden from assistive technology. */
export function icon(name, label = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 20 20");
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${ICONS}sheet.svg#${name}`);
  svg.append(use);
  return svg;
}

/** The product's mark, for places that name it in words as well. */
export const brandMark = (size) => h("img", { src: `${ICONS}mark.svg`, alt: "", width: String(size), height: String(size) });

/** A push button with an optional icon; `label` names icon-only buttons. */
export function button(text, { iconName, label, kind = "", onclick, ...rest } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: `button ${kind}${text ? "" : " icon-only"}`.trim(),
      "aria-label": text ? null : label,
      title: rest.title ?? (text ? null : label),
      onclick,
      ...rest,
    },
    iconName ? icon(iconName) : null,
    text ? h("span", {}, text) : null,
  );
}

let serial = 0;
/** A document-unique id, for labels and descriptions. */
export function uid(prefix) {
  serial += 1;
  return `${prefix}-${serial}`;
}

/** Says something to assistive technology without moving focus. */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}
