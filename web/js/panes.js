/**
 * How wide this person wants the panes of the desk, kept in this browser only. Runs before the first paint, so that the page's frame stands where the
 * panes will. Promises that a width is within its bounds, whatever was kept. Leaves dragging to pane-divider, and narrow screens to the style sheets.
 */

const KEY = "mailroom.panes";

/** `of` is the pane's element, `side` tells on which of its sides the divider is (1: behind it), the bounds are CSS pixels. */
export const PANES = {
  nav: { of: "side-nav", title: "Width of the navigation", side: 1, least: 160, most: 320 },
  list: { of: "conversation-list", title: "Width of the list", side: 1, least: 260, most: 640 },
  details: { of: "details-panel", title: "Width of the details", side: -1, least: 220, most: 480 },
};

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return typeof kept === "object" && kept !== null ? kept : {};
  } catch {
    return {}; // Forbidden or unreadable: the panes have their usual widths.
  }
}

const within = (name, width) => Math.round(Math.min(PANES[name].most, Math.max(PANES[name].least, width)));

/** Shows the pane as wide as this; null is the usual width. */
export function widen(name, width) {
  const { style } = document.documentElement;
  if (Number.isFinite(width)) style.setProperty(`--${name}-chosen`, `${within(name, width)}px`);
  else style.removeProperty(`--${name}-chosen`);
}

/** Shows it and keeps it for the next visit. */
export function keepWidth(name, width) {
  widen(name, width);
  const kept = { ...read(), [name]: Number.isFinite(width) ? within(name, width) : undefined };
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Not kept beyond this page; shown all the same.
  }
}

for (const [name, width] of Object.entries(read())) if (Object.hasOwn(PANES, name)) widen(name, width);
