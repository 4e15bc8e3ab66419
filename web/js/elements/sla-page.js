/**
 * `<sla-page>`: the policies of service levels in their order. A change is previewed, then carried out in the background with its progress told.
 */

import { people } from "/web/js/api/people.js";
import { hours, policies } from "/web/js/api/sla.js";
import { tags } from "/web/js/api/tags.js";
import { teams } from "/web/js/api/teams.js";
import { button, fill, h } from "/web/js/dom.js";
import { count, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { TARGETS, stretch } from "/web/js/sla-words.js";
import { CHANNEL } from "/web/js/words.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/policy-form.js";
import "/web/js/elements/sla-preview.js";

export class SlaPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.list = h("ol", { class: "people policies" });
    this.panel = h("section", { class: "panel", "aria-label": "Policies", hidden: true }, this.list);
    this.progress = h("p", { class: "notice", role: "status", hidden: true });
    this.form = h("policy-form", { hidden: true });
    this.preview = document.createElement("sla-preview");
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Service levels"), store.mayManage ? button("Add a policy", { iconName: "plus", kind: "primary", onclick: () => this.#edit(null) }) : null),
      h("p", { class: "lead" }, "How fast customers are answered. Each promise is a clock from the customer's mail on; its arithmetic stands in the details of the conversation."), this.state, this.progress, this.panel, this.form, this.preview);
  }

  attach() {
    this.state.loading(2, "card");
    this.listen(stream, "change", ({ detail }) => /^sla\.(recount|settings)$/.test(detail.type) && this.#load());
    this.listen(this, "policy-preview", ({ detail }) => this.#look(detail));
    this.listen(this, "policy-save", ({ detail }) => this.#save(detail));
    this.listen(this, "policy-cancel", () => this.#close());
    this.#load();
  }

  async #load() {
    try {
      const [{ items, recount }, plans] = await Promise.all([policies.list({ signal: this.life }), hours.list({ signal: this.life })]);
      this.hours = plans.items;
      this.state.done();
      this.panel.hidden = false;
      fill(this.list, items.length ? items.map((policy) => this.#row(policy)) : h("li", {}, h("p", { class: "faint" }, "Nothing is promised yet.")));
      this.progress.hidden = recount?.state !== "running";
      this.progress.textContent = this.progress.hidden ? "" : `Conversations are worked out again: ${count(recount.done)} of ${count(Math.max(recount.total, recount.done))}.`;
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #row(policy) {
    const plan = this.hours.find((one) => one.id === policy.business_hours_id);
    const promised = Object.entries(policy.targets).filter(([, promise]) => promise).map(([target, { minutes, time }]) => `${TARGETS[target]} within ${stretch(minutes * 60)}${time === "business" && plan ? " of working time" : ""}`);
    const fits = Object.entries(policy.conditions).filter(([, value]) => value !== null && value.length !== 0).map(([name, value]) => (name === "vip" ? (value ? "VIP" : "no VIP") : name === "priority" ? value.join(" or ") : name === "channel" ? value.map((one) => CHANNEL[one] ?? one).join(" or ") : name));
    return h("li", { "data-policy": policy.id }, h("div", {}, h("strong", {}, plain(policy.name), " ", policy.enabled ? null : h("span", { class: "badge" }, "Off")),
      h("span", {}, promised.join(" · ")), h("span", { class: "faint" }, [fits.length ? `For ${fits.join(", ")}` : "For all conversations", plan ? plain(plan.name) : "round the clock", `warns at ${policy.warn_percent} %`, policy.pause_on.length ? `pauses while ${policy.pause_on.join(" or ")}` : "never pauses"].join(" · "))),
      store.mayManage ? [button("Edit", { kind: "small", "aria-label": `Edit ${plain(policy.name)}`, onclick: () => this.#edit(policy) }), button("Remove", { kind: "small", "aria-label": `Remove ${plain(policy.name)}`, onclick: () => this.#remove(policy) })] : null);
  }

  async #edit(policy) {
    try {
      const [found, users, groups] = await Promise.all([tags, people, teams].map((all) => all.list({ signal: this.life })));
      this.form.hidden = false;
      this.preview.hidden = true;
      this.form.edit(policy, { hours: this.hours, inboxes: store.get("inboxes"), tags: found.items, users: users.items, teams: groups.items });
      this.form.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (error.name !== "AbortError") notify(error.message, { tone: "bad" });
    }
  }

  #close() {
    this.form.hidden = this.preview.hidden = true;
  }

  async #look({ id, policy }) {
    try {
      return await this.preview.look((options) => policies.preview(id, policy, options));
    } catch (error) {
      this.form.refuse(error);
      return null;
    }
  }

  async #save({ id, policy }) {
    const counts = await this.#look({ id, policy });
    if (!counts) return;
    if (counts.conversations > 0 && !(await ask({ title: "Save this policy?", paragraphs: [this.preview.words.textContent, "They are worked out again in the background. No breach is forgotten: one that is none any more is marked so, with the reason."], confirm: "Save" }))) return;
    try {
      await (id ? policies.change(id, policy) : policies.add(policy));
      notify("Saved.");
      this.#close();
      this.#load();
    } catch (error) {
      this.form.refuse(error);
    }
  }

  async #remove(policy) {
    if (!(await ask({ title: `Remove ${plain(policy.name)}?`, paragraphs: ["Its running clocks end. What has warned or was late stays written."], confirm: "Remove", danger: true }))) return;
    try {
      await policies.remove(policy.id);
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
    this.#load();
  }
}

customElements.define("sla-page", SlaPage);
