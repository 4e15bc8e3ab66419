/**
 * Presses of keys to commands: single keys, sequences such as "g i", and combinations with Ctrl or ⌘ ("Mod+k").
 * Never fires while someone types, unless the command says so, or inside a dialog.
 */

import { allCommands, run } from "/web/js/commands.js";

const SEQUENCE_MS = 1_200;
const MAC = /Mac|iP(hone|ad)/.test(navigator.platform);
const PRINTED = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc", Mod: MAC ? "⌘" : "Ctrl", Alt: MAC ? "⌥" : "Alt", " ": "Space" };

/** The keys of a command as they are printed on a keyboard, one list per way: `[["g", "i"]]`, `[["Ctrl", "K"]]`. */
export const printed = (entry) => (entry.shown ?? entry.keys).map((keys) =>
  keys.split(/(?<=.)[+ ](?=.)/).map((key, place, all) => PRINTED[key] ?? (all.length > 1 && keys.includes("+") ? key.toUpperCase() : key)));

function typing(target) {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.tagName === "TEXTAREA" || target.tagName === "SELECT" || (target.tagName === "INPUT" && !["checkbox", "radio", "button"].includes(target.type));
}

function pressed(event) {
  const parts = [event.ctrlKey || event.metaKey ? "Mod" : null, event.altKey ? "Alt" : null].filter(Boolean);
  const key = parts.length && event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return [...parts, key].join("+");
}

/** Runs commands by their keys until `signal` aborts. `blocked()` says that no command may run now. */
export function bindKeys(blocked, signal) {
  let before = "";
  let at = 0;
  const pick = (keys) => allCommands().filter((entry) => entry.keys.includes(keys));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || blocked() || document.querySelector("dialog[open]")) return;
    const key = pressed(event);
    const sequence = before && event.timeStamp - at < SEQUENCE_MS ? `${before} ${key}` : "";
    before = key;
    at = event.timeStamp;
    const found = (sequence ? pick(sequence) : []).concat(pick(key)).filter((entry) => entry.typing || !typing(event.target));
    const target = event.target instanceof Element ? event.target : null;
    // Enter on a focused button or link is that button's; arrows inside a menu or a scrolling mail are theirs.
    if (key === "Enter" && target?.closest("button, a[href], summary, [role=menuitem]")) return;
    if (key.startsWith("Arrow") && target?.closest("[data-own-arrows]")) return;
    if (found.some((entry) => run(entry.id, event))) {
      event.preventDefault();
      before = sequence ? "" : before;
    }
  }, { signal });
}
