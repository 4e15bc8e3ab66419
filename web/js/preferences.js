/**
 * Small choices of the person at this browser: what is folded, how wide a pane is. Nothing that anybody else needs.
 */

const PREFIX = "mailroom.choice.";

/** The kept choice, or `otherwise`. */
export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise;
  } catch {
    return otherwise; // Forbidden or unreadable: the client works with its own choice.
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Not kept beyond this page.
  }
}
