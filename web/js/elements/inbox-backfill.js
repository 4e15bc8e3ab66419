/**
 * `<inbox-backfill>`: the fetching of history, folder by folder: how far, how long still, with pause, resume and cancel.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { count, duration, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const STATES = { running: ["Running", "info"], paused: ["Paused", "warn"], done: ["Done", "good"], cancelled: ["Cancelled", ""], waiting: ["Waiting", ""] };

export class InboxBackfill extends RoomElement {
  #lines = new Map();
  inboxId = null;

  build() {
    this.list = h("ul", { class: "backfills" });
    this.none = h("p", { class: "faint" }, "No history has been asked for yet.");
    this.begin = button("Fetch history", { iconName: "play", onclick: () => this.#act("start") });
    this.append(h("div", { class: "panel-head" }, h("h2", {}, "History"), this.begin), this.none, this.list);
  }

  set backfills(value) {
    this.none.hidden = value.length > 0;
    this.begin.hidden = !store.mayManage || value.some((one) => ["running", "paused", "waiting"].includes(one.state));
    const wanted = new Set(value.map((one) => one.folder_id));
    for (const [id, line] of this.#lines) {
      if (!wanted.has(id)) {
        line.root.remove();
        this.#lines.delete(id);
      }
    }
    for (const one of value) this.#update(one);
  }

  #update(one) {
    let line = this.#lines.get(one.folder_id);
    if (!line) {
      const id = uid("backfill");
      line = {
        state: h("span", { class: "badge" }), words: h("p", { class: "words" }), actions: h("span", { class: "actions" }),
        bar: h("progress", { max: 1, value: 0, "aria-labelledby": id }), shown: null,
      };
      line.root = h("li", {}, h("div", { class: "backfill-line" }, h("strong", { id }, plain(one.folder)), line.state, line.actions), line.bar, line.words);
      this.#lines.set(one.folder_id, line);
      this.list.append(line.root);
    }
    const [word, tone] = STATES[one.state] ?? [one.state, ""];
    line.state.textContent = word;
    line.state.className = `badge ${tone}`;
    line.words.textContent = this.#words(one);
    line.bar.max = Math.max(1, one.total ?? 0);
    line.bar.value = one.state === "done" ? line.bar.max : (one.done ?? 0);
    if (line.shown !== one.state) {
      line.shown = one.state;
      fill(line.actions, store.mayManage ? this.#actions(one) : null);
    }
  }

  #words({ done, total, eta_seconds: eta, state }) {
    if (total === null || total === undefined) return "counting";
    const percent = total ? Math.floor((100 * done) / total) : 100;
    const rest = state === "running" && eta !== null && eta !== undefined ? `, about ${duration(eta)} left` : "";
    return `${count(done)} of ${count(total)} (${percent} %)${rest}`;
  }

  #actions({ state, folder_id: folder }) {
    const pause = button("Pause", { iconName: "pause", kind: "small", onclick: () => this.#act("pause", folder) });
    const resume = button("Resume", { iconName: "play", kind: "small", onclick: () => this.#act("resume", folder) });
    const cancel = button("Cancel", { kind: "small", onclick: () => this.#cancel(folder) });
    if (state === "running" || state === "waiting") return [pause, cancel];
    if (state === "paused") return [resume, cancel];
    return [];
  }

  async #cancel(folder) {
    const sure = await ask({ title: "Stop fetching history?", paragraphs: ["What is already here stays. New mail keeps arriving. You can fetch the rest later."], confirm: "Stop", danger: true });
    if (sure) await this.#act("cancel", folder);
  }

  async #act(action, folder = undefined) {
    try {
      await inboxes.backfill(this.inboxId, folder ? { action, folder_id: folder } : { action });
      this.tell("inbox-stale");
    } catch (error) {
      notifyError(error, "History");
    }
  }
}

customElements.define("inbox-backfill", InboxBackfill);
