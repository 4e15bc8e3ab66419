/**
 * `<merge-dialog>`: finds the conversation that this one is merged into, by number, subject or customer, and says what will happen.
 */

import { conversations } from "/web/js/api/conversations.js";
import { shape } from "/web/js/api/shape.js";
import { DialogElement } from "/web/js/dialog-element.js";
import { fill, h, icon, uid } from "/web/js/dom.js";
import { fullName, plain, plural } from "/web/js/format.js";
import { settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

export class MergeDialog extends DialogElement {
  conversation = null;
  #chosen = null;
  #search = settle(() => this.#find(), 200);
  #asked = 0;

  get words() {
    return { title: `Merge #${this.conversation?.number ?? ""} into…`, confirm: "Merge" };
  }

  fillIn() {
    this.#chosen = null;
    this.input = h("input", { type: "search", id: uid("merge"), autocomplete: "off", placeholder: "#1042, a subject or a customer", oninput: () => this.#search() });
    this.found = h("ul", { class: "merge-found", role: "radiogroup", "aria-label": "Conversations" });
    this.told = h("p", { role: "status" });
    this.#tellWhat();
    this.input.value = plain(this.conversation.customer?.address ?? "");
    this.#find();
    return [h("div", { class: "field" }, h("label", { for: this.input.id }, "Which conversation?"), this.input), this.found, this.told];
  }

  async #find() {
    const words = this.input.value.trim();
    const serial = (this.#asked += 1);
    let items = [];
    try {
      if (words) ({ items } = await conversations.list({ search: words.replace(/^#/, ""), limit: 8, inbox: this.conversation.inbox.id }, { signal: this.life }));
    } catch (error) {
      if (error.name !== "AbortError") this.say(error.message);
    }
    if (serial !== this.#asked) return;
    const others = items.filter((one) => one.id !== this.conversation.id);
    if (!others.some((one) => one.id === this.#chosen?.id)) this.#chosen = null;
    fill(this.found, others.map((one) => this.#row(one)));
    if (words && others.length === 0) fill(this.found, h("li", { class: "faint" }, "No other conversation of this inbox is found."));
    this.#tellWhat();
  }

  #row(one) {
    const choice = h("input", { type: "radio", name: "merge-into", value: one.id, onchange: () => {
      this.#chosen = one;
      this.#tellWhat();
    } });
    return h("li", {}, h("label", {}, choice, h("span", {}, h("strong", {}, `#${one.number} ${plain(one.subject) || "(no subject)"}`),
      h("span", { class: "faint" }, `${fullName(one.customer)} · ${plural(one.message_count, "message")}`))));
  }

  #tellWhat() {
    const one = this.#chosen;
    this.yes.disabled = one === null;
    const stranger = one && one.customer.address !== this.conversation.customer.address;
    fill(this.told, one === null ? "Its messages and notes move there; answers to it arrive there too. It can be taken out again."
      : [icon("merge"), ` ${plural(this.conversation.message_count, "message")} of #${this.conversation.number} move to #${one.number}, which keeps its number.`,
        stranger ? h("strong", {}, " The two are with different customers.") : null]);
  }

  async confirm() {
    if (this.#chosen !== null) await super.confirm();
  }

  async carryOut() {
    const { id, number } = this.conversation;
    const survivor = await shape.merge(id, this.#chosen.id);
    router.go(router.withList(`/c/${encodeURIComponent(survivor.id)}`));
    const undo = () => shape.unmerge(id).then((back) => router.go(router.withList(`/c/${encodeURIComponent(back.id)}`)), notifyError);
    notify(`#${number} was merged into #${survivor.number}.`, { action: { text: "Undo", run: undo } });
  }
}

customElements.define("merge-dialog", MergeDialog);
