/**
 * `<shape-menu>`: merge, split, taking merged conversations out again, and holds. Hangs in `conversation.header`; a message's menu opens forwarding.
 */

import { shape } from "/web/js/api/shape.js";
import { command } from "/web/js/commands.js";
import { desk } from "/web/js/desk.js";
import { openDialog } from "/web/js/dialog-element.js";
import { h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { router } from "/web/js/router.js";
import { forgetShape, shapeOf } from "/web/js/shape-of.js";
import { store } from "/web/js/store.js";
import { holdChoice } from "/web/js/elements/hold-line.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/merge-dialog.js";
import "/web/js/elements/split-dialog.js";
import "/web/js/elements/forward-dialog.js";

export class ShapeMenu extends PlacedElement {
  #merged = [];

  build() {
    this.menu = h("menu-button", { label: store.mayManage ? "Merge or split, hold" : "Merge or split", icon: "merge" });
    this.append(this.menu);
    this.menu.entries = () => this.choices();
  }

  attach() {
    super.attach();
    const view = this.closest("conversation-view");
    if (view) this.listen(view, "forward-message", (event) => openDialog("forward-dialog", { conversation: this.conversation, message: event.detail }));
  }

  show(conversation, before) {
    this.hidden = !store.mayWrite;
    if (conversation.id !== before?.id || conversation.version !== before?.version) this.#read(conversation);
  }

  async #read(conversation) {
    try {
      const { merged } = await shapeOf(conversation);
      if (this.conversation?.id === conversation.id) this.#merged = merged;
    } catch (error) {
      notifyError(error);
    }
  }

  choices() {
    const conversation = this.conversation;
    return [
      { text: "Merge into another…", iconName: "merge", run: () => openDialog("merge-dialog", { conversation }) },
      conversation.message_count > 1 ? { text: "Split messages off…", iconName: "split", run: () => openDialog("split-dialog", { conversation, chosen: [] }) } : null,
      ...this.#merged.filter((one) => one.can_unmerge).map((one) => ({ text: `Take out #${one.number} ${plain(one.subject).slice(0, 40)}`, iconName: "undo", run: () => this.#takeOut(one) })),
      holdChoice(this, conversation),
    ];
  }

  async #takeOut(one) {
    try {
      const back = await shape.unmerge(one.id);
      notify(`#${one.number} has its messages again.`, { action: { text: "Look", run: () => router.go(router.withList(`/c/${encodeURIComponent(back.id)}`)) } });
      forgetShape();
      this.tell("conversation-changed");
    } catch (error) {
      notifyError(error, "Not taken out");
    }
  }
}

customElements.define("shape-menu", ShapeMenu);
place("conversation.header", "shape-menu", 60);

const here = () => router.current.name === "conversation" && desk.conversation !== null && store.mayWrite;
command({ id: "conversation.merge", title: "Merge into another conversation…", keys: ["m"], iconName: "merge", when: here, run: () => openDialog("merge-dialog", { conversation: desk.conversation }) });
command({ id: "conversation.split", title: "Split messages off…", iconName: "split", when: () => here() && desk.conversation.message_count > 1,
  run: () => openDialog("split-dialog", { conversation: desk.conversation, chosen: [] }) });
