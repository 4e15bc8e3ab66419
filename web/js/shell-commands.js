/**
 * The commands of the shell: moving in the list, opening, going to views, inboxes and pages, help, palette, theme.
 * Leaves those on a conversation to conversation-commands.js.
 */

import { command } from "/web/js/commands.js";
import { desk } from "/web/js/desk.js";
import { plain } from "/web/js/format.js";
import { PAGES } from "/web/js/pages.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { nextTheme } from "/web/js/theme.js";
import { VIEWS } from "/web/js/words.js";

const LETTERS = { open: "o", pending: "p", mine: "m", unassigned: "u", closed: "c" };

/** Registers them for the shell `app`. */
export function shellCommands(app) {
  const inDesk = () => !app.desk.hidden;
  const inConversation = () => inDesk() && app.desk.inConversation;
  const list = (id, title, keys, run, more = {}) => command({ id: `list.${id}`, title, group: "List", keys, when: inDesk, run, ...more });
  list("next", "Next conversation", ["j", "ArrowDown"], () => app.desk.step(1), { palette: false });
  list("previous", "Previous conversation", ["k", "ArrowUp"], () => app.desk.step(-1), { palette: false });
  list("open", "Open the conversation", ["Enter", "o"], () => app.desk.list.openCursor(), { palette: false });
  list("back", "Back to the list", ["u"], () => router.go(router.withList("/")), { when: inConversation });
  list("search", "Search conversations", ["/"], () => app.desk.list.filters.focusSearch(), { iconName: "search" });
  list("select", "Select the conversation", ["x"], () => app.desk.list.toggleSelected(), { iconName: "check", when: () => inDesk() && store.mayWrite });
  list("select-all", "Select all rows that were read", ["* a"], () => app.desk.list.picking.all(), { iconName: "check", when: () => inDesk() && store.mayWrite });
  list("select-none", "Select nothing", [], () => desk.clearSelection(), { when: () => desk.selection.length > 0 });
  for (const [key, { word }] of Object.entries(VIEWS)) {
    command({ id: `go.${key}`, title: `Go to ${word}`, group: "Go", keys: LETTERS[key] ? [`g ${LETTERS[key]}`] : [], iconName: "list", run: () => router.go(key === "open" ? "/" : `/?view=${key}`) });
  }
  for (const page of PAGES.filter((one) => !one.path.includes(":"))) {
    command({ id: `go.page.${page.name}`, title: `Go to ${page.title}`, group: "Go", keys: page.name === "settings" ? ["g s"] : [], iconName: page.iconName ?? "gear", when: () => page.when?.() ?? true, run: () => router.go(page.path) });
  }
  command({ id: "go.inbox", title: "Go to an inbox…", group: "Go", iconName: "inbox", when: () => store.get("inboxes").length > 1, choices: () =>
    store.get("inboxes").map((one) => ({ title: plain(one.name), iconName: "inbox", run: () => router.go(`/?inbox=${encodeURIComponent(one.id)}`) })) });
  command({ id: "shell.palette", title: "Find a command or a conversation", group: "Everywhere", keys: ["Mod+k", "Mod+Alt+k"], typing: true, palette: false, run: (event) => {
    // While writing, Ctrl+K makes a link, as in every mail program; Ctrl+Alt+K is the palette there and everywhere.
    if (!event?.altKey && document.activeElement?.isContentEditable) return false;
    app.open(app.palette);
    return true;
  } });
  command({ id: "shell.help", title: "Show all keys", group: "Everywhere", keys: ["?"], iconName: "question", run: () => void app.open(app.help) });
  command({ id: "shell.theme", title: "Change between light, dark and the system's theme", group: "Everywhere", iconName: "theme", run: () => void nextTheme() });
  command({ id: "shell.sign-out", title: "Sign out", group: "Everywhere", iconName: "out", run: () => app.door.leave() });
  command({ id: "shell.escape", title: "Leave the reply box, a menu or a dialog", group: "Everywhere", keys: ["Escape"], typing: true, palette: false, run: () => {
    if (!app.hasAttribute("nav-open")) return inDesk() && app.desk.escape();
    app.removeAttribute("nav-open");
    return true;
  } });
}
