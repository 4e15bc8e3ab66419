/**
 * `<retention-page>`: after how many days what goes, how much of it that would meet now, and what the last nights removed.
 */

import { retention } from "/web/js/api/forgetting.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { count } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify } from "/web/js/elements/toast-stack.js";

const FIELDS = [
  ["archive_idle_days", "Archive conversations that nobody has touched for", (seen) => `${amount(seen.archive)} would be archived now`],
  ["spam_days", "Delete spam after", (seen) => `${amount(seen.spam)} conversations and ${amount(seen.spam_mails)} single mails would go now`],
  ["trash_days", "Delete what lies in the bin after", (seen) => `${amount(seen.trash)} conversations would go now`],
  ["closed_days", "Delete closed and archived conversations after", (seen) => `${amount(seen.closed)} conversations would go now`],
];
const WORDS = { archived: "archived", conversations: "conversations", messages: "messages", files: "files", ledger_rows: "ledger rows emptied", octets: "mails taken out of packs", objects: "stored objects", notices: "notices", digests: "digests", recipients: "recipients", search_documents: "search entries", thread_keys: "thread keys" };
const MOST = 10_000;

const amount = (number) => (number >= MOST ? `${count(MOST)} or more` : count(number));

export class RetentionPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.inputs = Object.fromEntries(FIELDS.map(([name]) => [name, h("input", { type: "number", min: "1", max: "36500", id: uid(name), placeholder: "never", "aria-describedby": `${name}-now` })]));
    this.now = Object.fromEntries(FIELDS.map(([name]) => [name, h("p", { class: "faint", id: `${name}-now`, role: "status" })]));
    this.notices = h("input", { type: "number", min: "1", max: "36500", id: uid("notice"), required: true });
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.who = h("p", { class: "faint" });
    this.form = h("form", { class: "sheet", hidden: true, onsubmit: (event) => this.#save(event) },
      h("fieldset", {}, h("legend", {}, "Policy"),
        FIELDS.map(([name, label]) => h("div", { class: "field retention-field" }, h("label", { for: this.inputs[name].id }, label), h("span", { class: "days" }, this.inputs[name], "days"), this.now[name])),
        h("div", { class: "field retention-field" }, h("label", { for: this.notices.id }, "Forget notices and digests after"), h("span", { class: "days" }, this.notices, "days"))),
      this.wrong, h("div", { class: "form-foot" }, button("Save", { kind: "primary", type: "submit" })), this.who);
    this.runs = h("section", { class: "panel", "aria-label": "Last nights", hidden: true });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Retention"), h("div", { class: "actions" }, h("a", { class: "button", href: "/erasures" }, "Erasures"))),
      h("p", { class: "lead" }, "Every night what has rested so long goes: rows, search, files and the stored mail. An empty field means never. What is under a hold stays. The mailbox at the provider keeps its mail, and it is not taken in again."), this.state, this.form, this.runs);
  }

  attach() {
    this.state.loading(3, "card");
    const look = settle(() => this.#look(), 300);
    this.listen(this.form, "input", look);
    this.#load();
  }

  async #load() {
    try {
      const policy = await retention.get({ signal: this.life });
      this.state.done();
      this.#show(policy);
      await this.#look();
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #show(policy) {
    for (const [name] of FIELDS) this.inputs[name].value = policy[name] ?? "";
    this.notices.value = policy.notice_days;
    fill(this.who, policy.changed_at ? ["Set by ", policy.changed_by ?? "a program", " ", timeAgo(policy.changed_at, { long: true })] : "Nobody has set it: no mail is ever removed.");
    this.form.hidden = false;
    this.runs.hidden = policy.runs.length === 0;
    fill(this.runs, h("h2", {}, "Last nights"), h("ul", { class: "people" }, policy.runs.map((run) => h("li", {}, h("div", {}, h("strong", {}, timeAgo(run.started_at, { long: true })),
      h("span", { class: "faint" }, Object.entries(run.counts).map(([kind, number]) => `${count(number)} ${WORDS[kind] ?? kind.replaceAll("_", " ")}`).join(", "), run.ended_at ? "" : "; goes on next night"))))));
  }

  get #policy() {
    const days = Object.fromEntries(FIELDS.map(([name]) => [name, this.inputs[name].value ? Number(this.inputs[name].value) : null]));
    return { ...days, notice_days: Number(this.notices.value) };
  }

  async #look() {
    if (!this.form.checkValidity()) return null;
    try {
      const seen = await retention.preview(this.#policy, { signal: this.life });
      for (const [name, , says] of FIELDS) this.now[name].textContent = this.inputs[name].value ? says(seen) : "";
      return seen;
    } catch (error) {
      if (error.name !== "AbortError") this.wrong.textContent = error.message;
      return null;
    }
  }

  async #save(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    const seen = await this.#look();
    if (!seen) return;
    const gone = seen.spam + seen.spam_mails + seen.trash + seen.closed;
    const sure = gone === 0 || (await ask({ title: "Save this policy?", paragraphs: [`The next night removes about ${count(gone)} conversations and mails for good. Nobody can bring them back.`], confirm: "Save", danger: true }));
    if (!sure) return;
    try {
      this.#show(await retention.save(this.#policy));
      notify("Saved. It holds from the next night on.");
    } catch (error) {
      this.wrong.textContent = Object.values(error.fields ?? {}).join(" ") || error.message;
    }
  }
}

customElements.define("retention-page", RetentionPage);
