/**
 * `<reingest-run>`: one run: how far it is, live; what it would change, by kind; and the orders that it takes.
 */

import { reingests } from "/web/js/api/reingests.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { count, plain, plural } from "/web/js/format.js";
import { progress, reason, RUN, selected } from "/web/js/reingest-words.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/reingest-changes.js";

export class ReingestRun extends RoomElement {
  #run = null;
  #shown = "";
  runId = null;

  build() {
    this.state = document.createElement("load-state");
    this.badge = h("span", { class: "badge" });
    this.orders = h("div", { class: "actions" });
    this.words = h("p", { id: uid("run") });
    this.bar = h("progress", { max: 1, value: 0, "aria-labelledby": this.words.id });
    this.facts = h("dl", { class: "facts numbers" });
    this.lead = h("p", { class: "lead" });
    this.trouble = h("div", { class: "run-trouble" });
    this.summary = h("section", { class: "panel summary", "aria-label": "Progress", hidden: true }, this.lead, h("div", {}, this.words, this.bar), this.facts, this.trouble);
    this.found = h("reingest-changes", { hidden: true, props: { runId: this.runId } });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }),
      h("a", { class: "button quiet icon-only", href: "/reingest", "aria-label": "All runs", title: "All runs" }, icon("back")), h("h1", {}, "Re-ingest"), this.badge, this.orders), this.state, this.summary, this.found);
  }

  attach() {
    const fresh = settle(() => this.#load(), 250);
    this.listen(stream, "change", ({ detail }) => detail.type === "reingest.progress" && detail.payload?.reingest_id === this.runId && fresh());
    this.listen(stream, "reload", fresh);
    this.listen(store, "change", (event) => event.detail.key === "inboxes" && this.#run && this.#show());
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      this.#run = await reingests.get(this.runId, { signal: this.life });
      this.state.done();
      this.#show();
      const now = `${this.#run.state} ${this.#run.changed}`;
      if (this.#shown !== now && this.#run.state !== "planning") {
        this.#shown = now;
        await this.found.load();
      }
    } catch (error) {
      if (error.name !== "AbortError" && !this.#run) this.state.failed(error, () => this.#load());
    }
  }

  #show() {
    const run = this.#run;
    const [word, tone] = RUN[run.state] ?? [run.state, ""];
    this.badge.textContent = run.paused ? "Paused" : word;
    this.badge.className = `badge ${run.paused ? "warn" : tone}`;
    const far = progress(run);
    this.words.textContent = far.words;
    this.bar.max = Math.max(1, far.max);
    this.bar.value = far.max ? far.value : 1;
    const names = (id) => plain(store.get("inboxes").find((one) => one.id === id)?.name);
    fill(this.lead, selected(run.selection, names), ", asked ", timeAgo(run.created_at, { long: true }), run.asked_by ? ` by ${plain(run.asked_by.name)}` : "", run.links?.temporal ? [", ", h("a", { href: run.links.temporal, target: "_blank", rel: "noopener noreferrer" }, "workflow in Temporal")] : null);
    const fact = (name, value, alarm = false) => h("div", { class: alarm ? "alarm" : "" }, h("dt", {}, name), h("dd", {}, count(value)));
    fill(this.facts, fact("Compared", run.done), fact("Differ", run.changed), fact("Only the parser's version", run.outdated), fact("Taken over", run.applied), fact("Failed", run.failed, run.failed > 0));
    fill(this.trouble, run.error ? h("p", { class: "verdict bad" }, icon("warning"), run.error) : null,
      run.failed ? h("ul", {}, Object.entries(run.failures).map(([why, many]) => h("li", {}, `${plural(many, "mail")}: ${reason(why)}`))) : null);
    this.summary.hidden = false;
    this.found.hidden = run.state === "planning";
    this.#offerOrders();
  }

  #offerOrders() {
    const { state, paused, to_apply: waiting } = this.#run;
    const now = `${state} ${paused}`;
    if (this.orders.dataset.now === now) return; // A button that is being pressed must not be replaced under the pointer.
    this.orders.dataset.now = now;
    const busy = state === "planning" || state === "applying";
    fill(this.orders,
      state === "planned" && waiting ? button("Take over", { iconName: "check", kind: "primary", onclick: () => this.#apply() }) : null,
      busy && !paused ? button("Pause", { iconName: "pause", onclick: () => this.#order("pause", "Paused.") }) : null,
      paused ? button("Resume", { iconName: "play", kind: "primary", onclick: () => this.#order("resume", "It goes on.") }) : null,
      busy || state === "planned" ? button("Cancel", { onclick: () => this.#cancel() }) : null);
  }

  async #apply() {
    const { changed, outdated } = this.#run;
    const sure = await ask({ title: `Take over ${plural(changed, "change")}?`, confirm: "Take over", paragraphs: [
      `${plural(changed, "mail")} will be shown as the parser reads them now${outdated ? `, and ${count(outdated)} more are marked as read by it` : ""}. Messages that have changed since are left alone.`,
      "Nobody is notified, nothing becomes unread, and nothing is answered automatically. It cannot be undone.",
    ] });
    if (sure) await this.#order("apply", "It is being taken over.");
  }

  async #cancel() {
    const sure = await ask({ title: "End this run?", paragraphs: ["What was taken over stays. The rest of the plan is never written."], confirm: "End it", danger: true });
    if (sure) await this.#order("cancel", "Cancelled.");
  }

  async #order(name, done) {
    try {
      this.#run = await reingests.order(this.runId, name);
      notify(done);
      this.#show();
    } catch (error) {
      notifyError(error);
      this.#load();
    }
  }

}

customElements.define("reingest-run", ReingestRun);
