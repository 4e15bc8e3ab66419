/**
 * Single-key commands for people who do not reach for the mouse. One list, shown by the help dialog and bound here.
 * Never fires while someone types, or inside a dialog.
 */

export const KEYS = [
  { keys: ["j", "ArrowDown"], shown: ["j", "↓"], command: "next", text: "Next conversation" },
  { keys: ["k", "ArrowUp"], shown: ["k", "↑"], command: "previous", text: "Previous conversation" },
  { keys: ["Enter", "o"], shown: ["Enter"], command: "open", text: "Open the conversation" },
  { keys: ["u"], shown: ["u"], command: "back", text: "Back to the list" },
  { keys: ["r"], shown: ["r"], command: "reply", text: "Reply" },
  { keys: ["e"], shown: ["e"], command: "close", text: "Close the conversation, or open it again" },
  { keys: ["/"], shown: ["/"], command: "search", text: "Search" },
  { keys: ["?"], shown: ["?"], command: "help", text: "Show this help" },
  { keys: ["Escape"], shown: ["Esc"], command: "escape", text: "Leave the reply box, a menu or a dialog" },
];

const COMMANDS = new Map(KEYS.flatMap((entry) => entry.keys.map((key) => [key, entry.command])));

function typing(target) {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

/** Calls `run(command)` for each command key; a command that answers true swallows the key. */
export function bindKeys(run, signal) {
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const command = COMMANDS.get(event.key);
      if (!command) return;
      if (document.querySelector("dialog[open]")) return;
      if (typing(event.target) && command !== "escape") return;
      const pressable = event.target instanceof Element && event.target.closest("button, a[href], summary, [role=menuitem]");
      // Enter on a focused button or link is that button's; arrows inside a menu or a scrolling mail are theirs.
      if (pressable && event.key === "Enter") return;
      if (event.key.startsWith("Arrow") && event.target instanceof Element && event.target.closest("[data-own-arrows]")) return;
      if (run(command, event)) event.preventDefault();
    },
    { signal },
  );
}
