/**
 * The commands of the desk, in one registry for keys, help sheet and palette: `command({id, title, group, keys, when, run})`.
 * Promises that a command outside its `when` neither runs nor is offered. Leaves pressing keys to keys.js, choosing to command-palette.
 */

const known = new Map();

/** Dispatches `change` when a command is added. */
export const commands = new EventTarget();

/**
 * `id` "area.verb"; `title` as the palette shows it; `group` a heading of the help sheet.
 * `keys` such as "j", "?", "g i" (one after the other) or "Mod+k" (Ctrl, or ⌘ on a Mac); `shown` replaces how they are printed.
 * `when()` says whether it makes sense now. `run(event)` does it; answering false leaves the key to the browser.
 * `choices()` instead of `run`: the palette asks for one of `[{title, iconName, run}]` (or a promise of them).
 * `typing` lets its keys work while somebody types. `palette: false` keeps it out of the palette.
 */
export function command({ id, title, group = "Conversation", keys = [], shown = null, iconName = null, when = () => true, run = null, choices = null, typing = false, palette = true }) {
  known.set(id, { id, title, group, keys, shown, iconName, when, run, choices, typing, palette });
  commands.dispatchEvent(new CustomEvent("change", { detail: id }));
}

export const allCommands = () => [...known.values()];

/** The commands that make sense now. */
export const runnable = () => allCommands().filter((one) => one.when());

/** Runs a command by its id. False when it is unknown, out of place, or left the key alone. One with choices opens the palette. */
export function run(id, event = null) {
  const one = known.get(id);
  if (!one || !one.when()) return false;
  if (one.choices) commands.dispatchEvent(new CustomEvent("ask", { detail: one }));
  else if (one.run(event) === false) return false;
  return true;
}
