/**
 * `<audit-page>`: who changed what in the settings, newest first. For administrators.
 */

import { people } from "/web/js/api/people.js";
import { button, fill, h } from "/web/js/dom.js";
import { exact, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { phrase } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const KINDS = { "": "Everything", user: "People", team: "Teams", inbox: "Inboxes", assignment_policy: "Assignment", rule: "Rules", tag: "Tags", webhook: "Webhooks", api_key: "API keys" };
const SKIPPED = new Set(["user_id", "team_id", "version"]);

/** `changed: capacity, role · role: admin` of ids, statuses and counts. */
const details = (payload) => Object.entries(payload).filter(([key]) => !SKIPPED.has(key)).map(([key, value]) => `${phrase(key)}: ${Array.isArray(value) ? value.length > 3 ? value.length : value.map(String).join(", ") || "none" : String(value)}`).join(" · ");

export class AuditPage extends RoomElement {
  #next = null;

  build() {
    this.state = document.createElement("load-state");
    this.kind = h("select", { "aria-label": "Kind of change", onchange: () => this.#load() }, Object.entries(KINDS).map(([value, word]) => h("option", { value }, word)));
    this.rows = h("tbody", {});
    this.more = button("Earlier changes", { hidden: true, onclick: () => this.#load(this.#next) });
    this.table = h("section", { class: "panel", "aria-label": "Changes", hidden: true },
      h("div", { class: "table-wrap" }, h("table", {}, h("thead", {}, h("tr", {}, ["When", "Who", "What", "About", "Details"].map((word) => h("th", { scope: "col" }, word)))), this.rows)), this.more);
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Audit"), this.kind),
      h("p", { class: "lead" }, "Every change of people, teams, inboxes and policies, as it was written with the change itself."), this.state, this.table);
  }

  attach() {
    this.state.loading(4, "card");
    this.#load();
  }

  async #load(after = null) {
    try {
      const { items, next } = await people.audit({ kind: this.kind.value || null, after }, { signal: this.life });
      this.state.done();
      this.table.hidden = false;
      const rows = items.map((one) => this.#row(one));
      if (after) this.rows.append(...rows);
      else fill(this.rows, rows.length ? rows : h("tr", {}, h("td", { colspan: "5", class: "faint" }, "Nothing was changed yet.")));
      this.#next = next;
      this.more.hidden = next === null;
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #row(one) {
    return h("tr", {}, h("td", { "data-label": "When", title: exact(one.at) }, timeAgo(one.at, { long: true })), h("td", { "data-label": "Who" }, plain(one.actor_name ?? (one.actor === "api" ? "A key" : one.actor))),
      h("td", { "data-label": "What" }, phrase(one.type.replace(".", " "))), h("td", { "data-label": "About" }, plain(one.about ?? "")), h("td", { "data-label": "Details", class: "faint" }, plain(details(one.payload))));
  }
}

customElements.define("audit-page", AuditPage);
