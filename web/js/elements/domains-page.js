/**
 * `<domains-page>`: the domains, for each the records to set and how they stand, its inboxes and what its mail is sent as.
 */

import { domains } from "/web/js/api/domains.js";
import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, fillRows, h } from "/web/js/dom.js";
import { domainFlags, domainNotices } from "/web/js/domain-words.js";
import { plain, plural } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { smallForm } from "/web/js/small-form.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { stateBadge } from "/web/js/elements/domain-record.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const DEFAULTS = [["from_name", "Sender's name", "text"], ["reply_to_address", "Reply-To", "email"], ["bounce_address", "Bounces go to", "email"]];

export class DomainsPage extends RoomElement {
  #open = new Set();

  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "domains" });
    this.adding = h("section", { class: "panel", hidden: true, "aria-label": "Add a domain" });
    this.append(
      h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Domains")),
      h("p", { class: "lead" }, "Inboxes are addresses in your domains. Set these records at your DNS provider; they are looked up daily and whenever you ask."),
      this.state, this.list, this.adding,
    );
  }

  attach() {
    const fresh = settle(() => this.#load(), 300);
    this.listen(stream, "change", ({ detail }) => ["domain.updated", "inbox.updated"].includes(detail.type) && fresh());
    this.listen(stream, "reload", fresh);
    this.adding.hidden = !store.mayManage;
    fill(this.adding, smallForm([["name", "Domain", "text"]], {}, { word: "Add domain", iconName: "plus", empties: true, send: async ({ name }) => {
      const made = await domains.add({ name });
      this.#open.add(made.id);
      await this.#load();
    } }));
    this.state.loading(2, "card");
    this.#load();
  }

  async #load() {
    // What somebody is typing stays: the next change, or leaving the field, shows the rest.
    if (this.list.querySelector("form input:focus")) return;
    try {
      const [page, boxes] = await this.inOrder(Promise.all([domains.list({ signal: this.life }), inboxes.list({ signal: this.life })]));
      store.set("inboxes", boxes.items);
      this.state.done();
      if (page.items.length === 0) this.state.empty("No domains yet", store.mayManage ? "Add the domain that your team's addresses are in." : "", { iconName: "link" });
      fillRows(this.list, page.items, (one) => this.#card(one, page.items.length === 1), (one) => [one, page.items.length, this.#open.has(one.id), boxes.items.map((box) => [box.id, box.name, box.email_address])]);
    } catch (error) {
      if (error.name !== "AbortError" && this.list.childElementCount === 0) this.state.failed(error, () => this.#load());
    }
  }

  #card(domain, only) {
    const body = h("div", { class: "domain-body", hidden: !only && !this.#open.has(domain.id) });
    const more = button(body.hidden ? "Records" : "Hide", { iconName: "down", kind: "small", "aria-expanded": String(!body.hidden), onclick: () => {
      body.hidden = !body.hidden;
      this.#open[body.hidden ? "delete" : "add"](domain.id);
      more.setAttribute("aria-expanded", String(!body.hidden));
      more.querySelector("span").textContent = body.hidden ? "Records" : "Hide";
    } });
    fill(body, domain.records.map((record) => Object.assign(document.createElement("domain-record"), { record })), this.#inboxes(domain), this.#sending(domain));
    return h("li", { class: "panel domain", "data-id": domain.id },
      h("div", { class: "panel-head" }, h("h2", {}, plain(domain.name)), stateBadge(domain.verified ? "ok" : "waiting", domain.verified ? "Yours" : "Not proven yet"),
        h("div", { class: "actions" },
          store.mayManage ? button("Check now", { iconName: "refresh", kind: "small primary", onclick: (event) => this.#check(event.currentTarget, domain) }) : null,
          more,
          store.mayManage ? button("", { iconName: "trash", kind: "quiet small", label: `Remove ${domain.name}`, onclick: () => this.#remove(domain) }) : null)),
      domainFlags(domain),
      domainNotices(domain),
      body);
  }

  #inboxes(domain) {
    const inside = new Set(domain.inboxes.map((one) => one.id));
    const near = store.mayManage ? store.get("inboxes").filter((one) => !inside.has(one.id) && one.email_address.toLowerCase().endsWith(`@${domain.name}`)) : [];
    const act = (word, run) => (store.mayManage ? button(word, { kind: "small", onclick: () => this.#act(run) }) : null);
    const line = (one, ...more) => h("li", {}, h("a", { href: `/inboxes/${one.id}` }, plain(one.email_address)), h("span", { class: "faint" }, plain(one.name)), more);
    return h("div", { class: "domain-part" }, h("h3", {}, "Inboxes"),
      inside.size + near.length === 0 ? h("p", { class: "faint" }, "No inbox has its address here yet.") : null,
      h("ul", { class: "domain-inboxes" },
        domain.inboxes.map((one) => line(one, one.is_catchall ? h("span", { class: "badge" }, "Catches the rest") : null,
          act(one.is_catchall ? "Only its address" : "Catch the rest", () => domains.join(domain.id, one.id, !one.is_catchall)), act("Take out", () => domains.leave(domain.id, one.id)))),
        near.map((one) => line(one, act("Put in this domain", () => domains.join(domain.id, one.id, false))))),
      this.#make(domain));
  }

  /** An inbox that sends and receives through Amazon SES, where SES sends as the domain. */
  #make(domain) {
    if (!store.mayManage || !domain.verified || !domain.ses_verified) return null;
    return smallForm([["local_part", `Address before @${plain(domain.name)}`, "text"], ["name", "Inbox name", "text"]], {}, { word: "Make an inbox through Amazon SES", iconName: "plus", send: async (values) => {
      const made = await domains.makeInbox(domain.id, { name: values.name.trim(), local_part: values.local_part.trim() });
      await this.#load();
      notify(`${plain(made.email_address)} is being connected.`);
    } });
  }

  async #act(run) {
    try {
      await run();
      await this.#load();
    } catch (error) {
      notifyError(error, "Not changed");
    }
  }

  #sending(domain) {
    if (!store.mayManage) return null;
    return h("div", { class: "domain-part" }, h("h3", {}, "Mail is sent as"), smallForm(DEFAULTS, domain, { word: "Save", iconName: "check", send: async (values) => {
      await domains.change(domain.id, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim() || null])));
      notify(`Saved for ${plain(domain.name)}.`);
    } }));
  }

  async #check(pressed, domain) {
    pressed.disabled = true;
    this.#open.add(domain.id);
    try {
      const seen = await domains.verify(domain.id);
      const open = seen.records.filter((one) => one.status !== "ok").length;
      notify(open === 0 ? `Every record of ${plain(domain.name)} is right.` : `${plural(open, "record")} of ${plain(domain.name)} ${open === 1 ? "is" : "are"} not right yet.`);
      await this.#load();
    } catch (error) {
      notifyError(error, "Not checked");
    } finally {
      pressed.disabled = false;
    }
  }

  async #remove(domain) {
    const sure = await ask({ title: `Remove ${plain(domain.name)}?`, paragraphs: ["The domain is free for others at once. Adding it again needs a new record."], confirm: "Remove", danger: true });
    if (!sure) return;
    try {
      await domains.remove(domain.id);
      await this.#load();
    } catch (error) {
      notifyError(error, "Not removed");
    }
  }
}

customElements.define("domains-page", DomainsPage);
