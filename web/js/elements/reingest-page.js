/**
 * `<reingest-page>`: choose mails to be read again, see how many they are, begin, and look at earlier runs.
 * With the id of a run it shows that one instead.
 */

import { reingests } from "/web/js/api/reingests.js";
import { button, fill, fillRows, h, uid } from "/web/js/dom.js";
import { count, plain, plural, size } from "/web/js/format.js";
import { progress, RUN, selected } from "/web/js/reingest-words.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { CLASSIFICATION } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/reingest-run.js";

export class ReingestPage extends RoomElement {
  #asked = 0;
  itemId = null;

  build() {
    if (this.itemId) {
      this.append(h("reingest-run", { props: { runId: this.itemId } }));
      return;
    }
    const changed = () => this.fresh();
    const field = (word, control) => {
      control.id = uid("reingest");
      return h("div", { class: "field" }, h("label", { for: control.id }, word), control);
    };
    const check = (word, control) => h("label", { class: "check" }, control, word);
    const box = () => h("input", { type: "checkbox", onchange: changed });
    this.inbox = h("select", { onchange: changed });
    this.classification = h("select", { onchange: changed }, h("option", { value: "" }, "Any class"), Object.entries(CLASSIFICATION).map(([id, word]) => h("option", { value: id }, word)));
    this.since = h("input", { type: "date", onchange: changed });
    this.until = h("input", { type: "date", onchange: changed });
    this.quarantine = h("input", { type: "text", placeholder: "parser_error", oninput: changed, autocomplete: "off" });
    [this.older, this.defects, this.everything] = [box(), box(), box()];
    this.older.checked = true;
    this.count = h("p", { class: "reingest-count", role: "status" });
    this.begin = button("Compare", { iconName: "refresh", kind: "primary", disabled: true, onclick: () => this.#begin() });
    this.lead = h("p", { class: "lead" }, "Stored mail is read again from its raw bytes by today's parser and compared. Nothing changes until you take it over.");
    this.runs = h("ul", { class: "runs" });
    this.state = document.createElement("load-state");
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Re-ingest")), this.lead,
      h("section", { class: "panel reingest-form", "aria-label": "Which mails" },
        h("div", { class: "grid" }, field("Inbox", this.inbox), field("Class", this.classification), field("Received since", this.since), field("Received before", this.until), field("In quarantine because", this.quarantine)),
        h("div", { class: "reingest-checks" }, check("Read by an older parser", this.older), check("With defects", this.defects), check("All mail", this.everything)),
        h("div", { class: "form-foot" }, this.begin, this.count)),
      h("h2", { class: "runs-head" }, "Runs"), this.state, this.runs);
  }

  attach() {
    if (this.itemId) return;
    this.fresh = settle(() => this.#preview(), 250);
    const again = settle(() => this.#load(), 300);
    this.listen(stream, "change", ({ detail }) => detail.type === "reingest.progress" && again());
    this.listen(stream, "reload", again);
    this.listen(store, "change", (event) => {
      if (event.detail.key !== "inboxes") return;
      this.#boxes();
      again();
    });
    this.#boxes();
    this.state.loading(2, "card");
    this.#preview();
    this.#load();
  }

  #boxes() {
    const chosen = this.inbox.value;
    fill(this.inbox, h("option", { value: "" }, "All inboxes"), store.get("inboxes").map((one) => h("option", { value: one.id, selected: one.id === chosen }, plain(one.name))));
  }

  get #selection() {
    if (this.everything.checked) return { everything: true };
    const day = (input) => (input.value ? new Date(`${input.value}T00:00`).toISOString() : null);
    const given = {
      inbox: this.inbox.value ? [this.inbox.value] : null, classification: this.classification.value ? [this.classification.value] : null, since: day(this.since), until: day(this.until),
      quarantine_reason: this.quarantine.value.trim() ? [this.quarantine.value.trim()] : null, older_parser: this.older.checked || null, has_defects: this.defects.checked || null,
    };
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  }

  async #preview() {
    this.#asked += 1;
    const turn = this.#asked;
    for (const one of [this.inbox, this.classification, this.since, this.until, this.quarantine, this.older, this.defects]) one.disabled = this.everything.checked;
    const selection = this.#selection;
    try {
      const found = await reingests.preview(selection, { signal: this.life });
      if (turn !== this.#asked) return;
      const bounded = found.bounded || selection.everything;
      this.begin.disabled = !bounded || found.messages === 0;
      const much = `${plural(found.messages, "mail")}, ${size(found.size_bytes)}${found.quarantined ? `, ${count(found.quarantined)} of them in quarantine` : ""}.`;
      this.count.textContent = `${bounded ? much : "Nothing narrows this down. Choose something, or “All mail”."} ${found.older ? `${plural(found.older, "mail")} in all were read by a parser older than version ${found.parser_version}.` : `Every mail was read by parser ${found.parser_version}.`}`;
    } catch (error) {
      if (error.name === "AbortError" || turn !== this.#asked) return;
      this.begin.disabled = true;
      this.count.textContent = Object.values(error.fields ?? {}).join(" ") || error.message;
    }
  }

  async #begin() {
    this.begin.disabled = true;
    try {
      const run = await reingests.ask(this.#selection);
      router.go(`/reingest/${run.id}`);
    } catch (error) {
      notifyError(error, "Not begun");
      this.#preview();
    }
  }

  async #load() {
    try {
      const page = await this.inOrder(reingests.list({ limit: 20 }, { signal: this.life }));
      this.state.done();
      if (page.items.length === 0) this.state.empty("No run yet", "", { iconName: "history" });
      fillRows(this.runs, page.items, (one) => this.#row(one), (one) => [one, store.get("inboxes").map((box) => box.name)]);
    } catch (error) {
      if (error.name !== "AbortError" && this.runs.childElementCount === 0) this.state.failed(error, () => this.#load());
    }
  }

  #row(run) {
    const [word, tone] = RUN[run.state] ?? [run.state, ""];
    const far = progress(run);
    const name = (id) => plain(store.get("inboxes").find((one) => one.id === id)?.name);
    return h("li", {}, h("a", { class: "inbox-row", href: `/reingest/${encodeURIComponent(run.id)}` },
      h("div", {}, h("strong", {}, selected(run.selection, name)), h("span", { class: "faint" }, far.words)),
      h("span", { class: `badge ${run.paused ? "warn" : tone}` }, run.paused ? "Paused" : word), h("span", { class: "faint inbox-when" }, timeAgo(run.created_at))));
  }
}

customElements.define("reingest-page", ReingestPage);
