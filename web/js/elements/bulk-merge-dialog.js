/**
 * `<bulk-merge-dialog>`: makes the `chosen` conversations (ids) one; asks which stays, the oldest unless said otherwise. Calls `merged` with the run.
 */

import { bulk } from "/web/js/api/shape.js";
import { conversations } from "/web/js/api/conversations.js";
import { DialogElement } from "/web/js/dialog-element.js";
import { fill, h, icon } from "/web/js/dom.js";
import { exact, fullName, plain, plural } from "/web/js/format.js";

const age = (one) => `${one.created_at ?? ""} ${String(one.number).padStart(12, "0")}`;

export class BulkMergeDialog extends DialogElement {
  chosen = [];
  merged = () => {};
  #all = [];
  #stays = null;

  get words() {
    return { title: `Merge ${plural(this.chosen.length, "conversation")}`, confirm: "Merge" };
  }

  fillIn() {
    this.#all = [];
    this.#stays = null;
    this.yes.disabled = true;
    this.list = h("ul", { class: "merge-found", role: "radiogroup", "aria-label": "Which one stays" });
    this.told = h("p", { role: "status" }, "Reading what is selected…");
    this.#load(this.chosen);
    return [h("p", {}, "Which one stays?"), this.list, this.told];
  }

  async #load(ids) {
    try {
      const list = document.querySelector("conversation-list").rows.window;
      const all = await Promise.all(ids.map((id) => list?.item(list.indexOf(id)) ?? conversations.get(id, { signal: this.life })));
      if (ids !== this.chosen) return;
      this.#all = all.sort((one, other) => (age(one) < age(other) ? -1 : 1));
      [this.#stays] = this.#all;
      fill(this.list, this.#all.map((one) => this.#row(one)));
      this.#tellWhat();
    } catch (error) {
      if (error.name !== "AbortError") this.say(error.message);
    }
  }

  #row(one) {
    const choice = h("input", { type: "radio", name: "merge-stays", value: one.id, checked: one === this.#stays, onchange: () => {
      this.#stays = one;
      this.#tellWhat();
    } });
    return h("li", {}, h("label", {}, choice, h("span", {}, h("strong", {}, `#${one.number} ${plain(one.subject) || "(no subject)"}`),
      h("span", { class: "faint" }, [fullName(one.customer), plural(one.message_count, "message"), one.created_at ? `since ${exact(one.created_at)}` : null].filter(Boolean).join(" · ")))));
  }

  #tellWhat() {
    const apart = new Set(this.#all.map((one) => one.inbox.id)).size > 1;
    const strangers = new Set(this.#all.map((one) => one.customer.address)).size > 1;
    this.yes.disabled = apart || this.#all.length < 2;
    fill(this.told, apart ? [icon("warning"), " They are of different inboxes, whose members differ. Select conversations of one inbox."]
      : [icon("merge"), ` Messages and notes of the others move to #${this.#stays.number}, which keeps its number. It can be undone for a day.`,
        strangers ? h("strong", {}, " They are with different customers.") : null]);
  }

  async carryOut() {
    this.merged(await bulk.begin({ ids: this.chosen }, { merge: { into: this.#stays.id } }), this.#stays);
  }
}

customElements.define("bulk-merge-dialog", BulkMergeDialog);
