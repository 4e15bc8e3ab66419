/**
 * `<balance-page>`: for each inbox and folder what lies at the provider, what the ledger has, and what neither explains; gaps with
 * their counts; the lever to look now. For admins and owners.
 */

import { balances } from "/web/js/api/balances.js";
import { bar } from "/web/js/balance-bar.js";
import { causeWord, shares } from "/web/js/balance-words.js";
import { button, fill, fillRows, h, icon } from "/web/js/dom.js";
import { count, exact, plain, plural } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { stream } from "/web/js/stream.js";
import { phrase } from "/web/js/words.js";
import { healthBadge } from "/web/js/elements/inbox-list.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const NEWS = new Set(["audit.recorded", "gap.opened", "gap.closed", "inbox.health", "inbox.updated"]);

export class BalancePage extends RoomElement {
  #histories = new Map();
  #shown = false;

  build() {
    this.state = document.createElement("load-state");
    this.verdict = h("p", { class: "lead", role: "status" });
    this.list = h("div", { class: "balances" });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Mailbox balance")),
      this.verdict, this.state, this.list);
  }

  attach() {
    const fresh = settle(() => this.#load(), 300);
    this.listen(stream, "change", ({ detail }) => NEWS.has(detail.type) && fresh());
    this.listen(stream, "reload", fresh);
    if (!this.#shown) this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const { items, histories } = await this.inOrder(this.#read());
      this.#histories = histories;
      this.#shown = true;
      this.state.done();
      if (items.length === 0) this.state.empty("No inbox yet", "Connect one, and its balance appears here.", { action: h("a", { class: "button primary", href: "/inboxes/new" }, "Add an inbox") });
      fill(this.verdict, this.#sum(items));
      fillRows(this.list, items.map((one) => ({ ...one, id: one.inbox.id })), (one) => this.#inbox(one), (one) => [one, this.#histories.get(one.id)]);
    } catch (error) {
      if (error.name !== "AbortError" && !this.#shown) this.state.failed(error, () => this.#load());
    }
  }

  async #read() {
    const { items } = await balances.all({ signal: this.life });
    const open = [...this.#histories.keys()].filter((id) => items.some((one) => one.inbox.id === id));
    const pages = await Promise.all(open.map((id) => balances.gaps(id, { signal: this.life })));
    return { items, histories: new Map(open.map((id, at) => [id, pages[at].items])) };
  }

  /** One sentence for all: what an admin came to hear. */
  #sum(items) {
    const sheets = items.flatMap((one) => one.folders.map((folder) => folder.audit)).filter(Boolean);
    const missing = items.reduce((sum, one) => sum + one.missing, 0);
    const there = sheets.reduce((sum, sheet) => sum + sheet.at_provider, 0);
    if (sheets.length === 0) return "Each night every folder is compared with its mail server. No folder has been compared yet.";
    if (missing > 0) return `${plural(missing, "mail")} of ${count(there)} ${missing === 1 ? "is" : "are"} missing and being fetched.`;
    return `All ${count(there)} mails at the mail servers are accounted for. Each night every folder is compared again.`;
  }

  #inbox(one) {
    const able = one.connected && one.health !== "paused";
    const look = button(one.audit_asked ? "Looking …" : "Audit now", { iconName: "refresh", onclick: (event) => this.#ask(event, one) });
    look.disabled = one.audit_asked || !able;
    if (!able) look.title = "This inbox does not sync now.";
    const closed = one.folders.reduce((sum, folder) => sum + folder.gaps_closed, 0);
    return h("section", { class: "panel balance", "data-id": one.inbox.id, "aria-label": plain(one.inbox.name) },
      h("div", { class: "panel-head" }, h("div", { class: "balance-name" }, h("h2", {}, h("a", { href: `/inboxes/${encodeURIComponent(one.inbox.id)}` }, plain(one.inbox.name))), h("p", { class: "faint" }, plain(one.email_address))), healthBadge(one), h("div", { class: "actions" }, look)),
      one.open_gaps.map((gap) => this.#open(gap)),
      one.folders.length ? h("div", { class: "balance-folders" }, one.folders.map((folder) => this.#folder(folder))) : h("p", { class: "faint" }, "Its folders are compared once it is connected."),
      h("div", { class: "balance-foot" }, h("p", { class: "faint" }, one.audit_due_at && able ? h("span", { title: exact(one.audit_due_at) }, "Next by itself ", timeAgo(one.audit_due_at, { long: true })) : "Not compared while it does not sync"),
        button(this.#histories.has(one.inbox.id) ? "Hide gaps" : closed ? `${plural(closed, "gap")} closed in 30 days` : "Earlier gaps", { iconName: "history", kind: "quiet small", "aria-expanded": String(this.#histories.has(one.inbox.id)), onclick: () => this.#history(one.inbox.id) })),
      this.#histories.has(one.inbox.id) ? this.#gaps(this.#histories.get(one.inbox.id)) : null);
  }

  #open(gap) {
    const left = Math.max(0, gap.missing - gap.refilled - gap.quarantined);
    const words = gap.missing ? `${count(gap.refilled + gap.quarantined)} of ${plural(gap.missing, "missing mail")} found so far${left ? `, ${count(left)} to go` : ""}.` : "The folder is being compared with the ledger.";
    return h("div", { class: "notice warn" }, icon("warning"), h("p", {}, h("strong", {}, `Gap in ${plain(gap.folder) || "every folder"}. `), `${causeWord(gap.cause)}. ${words} `, h("span", { class: "faint" }, "Opened ", timeAgo(gap.opened_at, { long: true }))));
  }

  #folder(folder) {
    const sheet = folder.audit;
    const name = h("h3", {}, plain(folder.name), folder.state !== "active" ? h("span", { class: "badge warn" }, phrase(folder.state)) : null);
    if (!sheet) return h("div", { class: "balance-folder" }, name, h("p", { class: "faint" }, "Not compared yet."));
    const parts = shares(sheet);
    const figure = (word, value, tone = "") => h("div", { class: tone }, h("dd", {}, count(value)), h("dt", {}, word));
    return h("div", { class: "balance-folder", "data-folder": folder.id }, name,
      h("p", { class: "faint when" }, sheet.reason === "refilled" ? "Proven after a refill " : "Compared ", timeAgo(sheet.at, { long: true })),
      h("dl", { class: "balance-figures" }, figure("at provider", sheet.at_provider), figure("in ledger", sheet.in_ledger), figure("missing", sheet.missing, sheet.missing ? "alarm" : "good"), figure("extra", sheet.extra, sheet.extra ? "odd" : "")),
      h("div", { class: "balance-chart" }, bar(parts, sheet.at_provider),
        h("ul", { class: "legend" }, parts.map((part) => h("li", { title: part.text }, h("i", { class: `mark ${part.kind} ${part.key}`, "aria-hidden": "true" }), h("b", {}, count(part.amount)), ` ${part.word}`)),
          sheet.extra ? h("li", { title: "Rows of mails that are not at the provider any more and of which nobody said that they went. They are let go." }, h("i", { class: "mark extra", "aria-hidden": "true" }), h("b", {}, count(sheet.extra)), " without a mail") : null,
          sheet.gone ? h("li", { class: "faint", title: "Deleted or moved at the provider; their messages stay here." }, `${count(sheet.gone)} gone from there`) : null)));
  }

  #gaps(gaps) {
    if (gaps.length === 0) return h("p", { class: "faint" }, "There was never a gap in this inbox.");
    const cell = (name, ...inside) => h("td", { "data-label": name }, h("div", {}, inside));
    return h("div", { class: "table-wrap" }, h("table", { class: "gaps" }, h("caption", { class: "unseen" }, "Gaps"),
      h("thead", {}, h("tr", {}, ["Gap", "Folder", "When", "Found"].map((word) => h("th", { scope: "col" }, word)))),
      h("tbody", {}, gaps.map((gap) => h("tr", {},
        cell("Gap", h("strong", {}, causeWord(gap.cause)), gap.since ? h("p", { class: "faint" }, "Since ", timeAgo(gap.since, { long: true })) : null),
        cell("Folder", plain(gap.folder) || "every folder"),
        cell("When", gap.closed_at ? h("p", {}, "Closed ", timeAgo(gap.closed_at, { long: true })) : h("span", { class: "badge warn" }, "Open"), h("p", { class: "faint" }, "Opened ", timeAgo(gap.opened_at, { long: true }))),
        cell("Found", h("p", {}, `${plural(gap.missing, "mail")} missing`, gap.missing ? `, ${count(gap.refilled)} fetched` : "", gap.quarantined ? `, ${count(gap.quarantined)} to quarantine` : ""), gap.listed ? h("p", { class: "faint" }, `${count(gap.listed)} listed`) : null))))));
  }

  async #ask(event, one) {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    try {
      await balances.ask(one.inbox.id);
      notify("The folders are being compared.");
      await this.#load();
    } catch (error) {
      pressed.disabled = false;
      notifyError(error, "Audit");
    }
  }

  async #history(id) {
    if (!this.#histories.delete(id)) this.#histories.set(id, []);
    await this.#load();
  }
}

customElements.define("balance-page", BalancePage);
