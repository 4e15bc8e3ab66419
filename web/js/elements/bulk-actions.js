/**
 * `<bulk-actions>`: changes the selected conversations, or all that the list shows, and offers the way back. Hangs in `list.bulk`.
 */

import { bulk } from "/web/js/api/shape.js";
import { openDialog } from "/web/js/dialog-element.js";
import { button, h } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { place } from "/web/js/places.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { PRIORITY } from "/web/js/words.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import "/web/js/elements/bulk-merge-dialog.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const STATES = [["open", "Open", "undo"], ["pending", "Pending", "pause"], ["closed", "Close", "check"], ["archived", "Archive", "file"], ["trash", "Move to trash", "trash"]];
// What the list's query writes as one word and a filter takes as several.
const SEVERAL = new Set(["status", "category", "channel", "inbox", "assigned_to", "tag", "priority", "team", "contact"]);
const SILENCE_MS = 15_000;

/** The next news of a run, or nothing for a while: the stream may have missed it. */
function news(id) {
  return new Promise((resolve) => {
    const done = () => {
      stream.removeEventListener("change", heard);
      clearTimeout(timer);
      resolve();
    };
    const heard = ({ detail }) => detail.type === "bulk.updated" && detail.payload?.bulk_id === id && done();
    const timer = setTimeout(done, SILENCE_MS);
    stream.addEventListener("change", heard);
  });
}

/** Watches a run that a workflow carries out, until it ends. */
async function ended(run) {
  let now = run;
  while (now.state === "running" || now.state === "undoing") {
    const told = news(run.id);
    now = await bulk.get(run.id);
    if (now.state === "running" || now.state === "undoing") await told;
  }
  return now;
}

/** The list's query as a filter. */
function filterOf(query) {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [name, SEVERAL.has(name) ? [value].flat() : value === "true" ? true : value === "false" ? false : value]));
}

async function takeBack(run) {
  try {
    const { restored, left } = await ended(await bulk.undo(run.id));
    notify(`${plural(restored, "conversation")} ${restored === 1 ? "is" : "are"} as before.${left ? ` ${left} changed since and ${left === 1 ? "was" : "were"} left.` : ""}`);
  } catch (error) {
    notifyError(error, "Not taken back");
  }
}

export class BulkActions extends RoomElement {
  #selection = [];

  /** Filled with the first selection only: what nobody needs has no labels. */
  set selection(ids) {
    this.#selection = ids;
    this.hidden = !store.mayWrite;
    if (ids.length > 0 && this.childElementCount === 0) this.#fill();
    else if (ids.length === 0) this.replaceChildren();
    if (ids.length > 0) this.#mayMerge();
  }

  #fill() {
    this.all = button("All that match", { kind: "small", "aria-pressed": "false", title: "Everything that this list shows, not only the selected ones",
      onclick: () => {
        this.all.setAttribute("aria-pressed", String(!this.#everything));
        this.#mayMerge();
      } });
    this.merge = button("Merge…", { kind: "small", iconName: "merge", onclick: () => openDialog("bulk-merge-dialog", { chosen: this.#selection, merged: (run, stays) => this.#merged(run, stays) }) });
    const menu = (label, iconName, entries) => h("menu-button", { label, icon: iconName, text: label, props: { entries } });
    this.append(
      menu("Status", "check", STATES.map(([status, text, iconName]) => ({ text, iconName, run: () => this.#change({ status }) }))),
      menu("Assign", "people", () => [{ text: "Nobody", iconName: "cross", run: () => this.#change({ assigned_to: null }) },
        ...store.get("users").map((user) => ({ text: plain(user.name || user.email), iconName: "people", run: () => this.#change({ assigned_to: user.id }) }))]),
      menu("Priority", "warning", Object.entries(PRIORITY).map(([priority, text]) => ({ text, iconName: "warning", run: () => this.#change({ priority }) }))),
      menu("Tag", "tag", [{ text: "Add a tag…", iconName: "plus", run: () => this.#tag("add_tags", "Add a tag") }, { text: "Take a tag off…", iconName: "cross", run: () => this.#tag("remove_tags", "Take a tag off") }]), this.merge, this.all,
    );
  }

  get #everything() {
    return this.all.getAttribute("aria-pressed") === "true";
  }

  /** What is merged is looked at first: two at least, and not all that a list shows. */
  #mayMerge() {
    this.merge.hidden = this.#selection.length < 2 || this.#everything;
  }

  #merged(run, stays) {
    this.tell("bulk-done");
    notify(`${plural(run.changed, "conversation")} merged into #${stays.number}.`, { action: run.can_undo ? { text: "Undo", run: () => takeBack(run) } : null });
  }

  async #tag(field, title) {
    const name = await ask({ title, input: { label: "Tag" }, confirm: title });
    if (name) await this.#change({ [field]: [name] });
  }

  async #change(change) {
    try {
      const chosen = this.#everything ? { filter: filterOf(document.querySelector("conversation-list").filters.query) } : { ids: this.#selection };
      const begun = await bulk.begin(chosen, change);
      if (begun.state === "running") {
        notify(`${plural(begun.total, "conversation")} are being changed.`, { tone: "info", action: { text: "Stop", run: () => bulk.cancel(begun.id).catch(notifyError) } });
      }
      this.all.setAttribute("aria-pressed", "false");
      this.tell("bulk-done");
      const run = await ended(begun);
      const action = run.can_undo ? { text: "Undo", run: () => takeBack(run) } : null;
      notify(run.changed ? `${plural(run.changed, "conversation")} changed.` : "They were so already.", { action });
    } catch (error) {
      notifyError(error, "Not changed");
    }
  }
}

customElements.define("bulk-actions", BulkActions);
place("list.bulk", "bulk-actions", 10);
