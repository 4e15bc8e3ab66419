/**
 * Light, dark or as the system says. Runs before the first paint; remembers the choice in this browser only.
 */

const KEY = "mailroom.theme";
const ORDER = ["system", "light", "dark"];

function read() {
  try {
    const kept = localStorage.getItem(KEY);
    return ORDER.includes(kept) ? kept : "system";
  } catch {
    return "system"; // A browser that forbids storage still gets a theme.
  }
}

function show(choice) {
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

export const theme = () => read();

/** Moves to the next of system, light, dark and answers it. */
export function nextTheme() {
  const choice = ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length];
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Not kept beyond this page; shown all the same.
  }
  show(choice);
  return choice;
}

show(read());
