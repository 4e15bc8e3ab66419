/**
 * `<split-dialog>`: chooses the messages that become a conversation of their own. `chosen` are ids that are ticked at first.
 */

import { conversations } from "/web/js/api/conversations.js";
import { shape } from "/web/js/api/shape.js";
import { DialogElement } from "/web/js/dialog-element.js";
import { fill, h, icon } from "/web/js/dom.js";
import { exact, plain, plural, shortName } from "/web/js/format.js";
import { messageTime } from "/web/js/message-words.js";
import { router } from "/web/js/router.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

/** Splits, goes there, and offers the way back. */
export async function splitOff(conversation, ids) {
  const made = await shape.split(conversation.id, ids);
  router.go(router.withList(`/c/${encodeURIComponent(made.id)}`));
  const undo = () => shape.merge(made.id, conversation.id).then((one) => router.go(router.withList(`/c/${encodeURIComponent(one.id)}`)), notifyError);
  notify(`${plural(ids.length, "message")} became #${made.number}.`, { action: { text: "Undo", run: undo } });
}

export class SplitDialog extends DialogElement {
  conversation = null;
  chosen = [];

  get words() {
    return { title: `Split messages off #${this.conversation?.number ?? ""}`, confirm: "Split" };
  }

  fillIn() {
    this.list = h("ul", { class: "split-list", "aria-label": "Messages" });
    this.told = h("p", { role: "status" });
    this.list.addEventListener("change", () => this.#count());
    this.yes.disabled = true;
    this.#load();
    return [this.list, this.told];
  }

  async #load() {
    const { id } = this.conversation;
    try {
      const items = [];
      for (let after = null; ; ) {
        const page = await conversations.messages(id, { after, limit: 200 }, { signal: this.life });
        items.push(...page.items);
        after = page.next;
        if (!after) break;
      }
      if (this.conversation.id === id) fill(this.list, items.map((one) => this.#row(one)));
      this.#count();
    } catch (error) {
      if (error.name !== "AbortError") this.say(error.message);
    }
  }

  #row(one) {
    return h("li", {}, h("label", {}, h("input", { type: "checkbox", value: one.id, checked: this.chosen.includes(one.id) }),
      h("span", {}, h("strong", {}, shortName(one.from)), h("span", { class: "faint" }, ` ${exact(messageTime(one))}`),
        h("span", { class: "row-snippet" }, `${plain(one.subject)} — ${plain(one.body_visible ?? "").slice(0, 120)}`))));
  }

  get #ids() {
    return [...this.list.querySelectorAll("input:checked")].map((box) => box.value);
  }

  #count() {
    const all = this.list.childElementCount;
    const ids = this.#ids;
    this.yes.disabled = ids.length === 0 || ids.length === all;
    fill(this.told, ids.length === all && all > 0 ? "Leave at least one message where it is."
      : [icon("split"), ` ${plural(ids.length, "message")} of ${all} become a conversation of their own; answers to them arrive there.`]);
  }

  async carryOut() {
    await splitOff(this.conversation, this.#ids);
  }
}

customElements.define("split-dialog", SplitDialog);
