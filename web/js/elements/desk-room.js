/**
 * `<desk-room>`: the list and the conversation beside each other; on a narrow screen one at a time.
 * Leaves what they show to conversation-list and conversation-view.
 */

import { h, icon } from "/web/js/dom.js";
import { wholeDesk } from "/web/js/loading.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { desk } from "/web/js/desk.js";

const NARROW = matchMedia("(max-width: 720px)");

export class DeskRoom extends RoomElement {
  #shown = null;

  build() {
    this.list = document.createElement("conversation-list");
    this.view = document.createElement("conversation-view");
    this.state = document.createElement("load-state");
    this.state.hidden = true;
    this.nothing = h("div", { class: "nothing" }, icon("mail"), h("p", {}, "Choose a conversation"),
      h("p", { class: "faint" }, h("kbd", {}, "j"), " ", h("kbd", {}, "k"), " to move, ", h("kbd", {}, "?"), " for all keys"));
    this.append(h("main", { class: "desk" }, this.list, h("section", { class: "detail", "aria-label": "Conversation" }, h("pane-divider", { pane: "list" }), this.nothing, this.state, this.view)));
  }

  /** Shows a conversation by its id, or none. */
  show(id) {
    this.#shown = id;
    const ready = customElements.get("conversation-view") !== undefined;
    this.nothing.hidden = id !== null;
    this.state.hidden = true;
    this.view.hidden = id === null || !ready;
    if (id === null) desk.conversation = null;
    else if (ready) this.view.conversation = id;
    else this.#load(id);
  }

  /** The first conversation waits for its modules; one that was chosen meanwhile takes its place. */
  async #load(id) {
    this.state.loading(3, "card");
    try {
      await wholeDesk();
    } catch (error) {
      if (this.#shown === id) this.state.failed(error, () => location.reload());
      return;
    }
    if (this.#shown === id) this.show(id);
  }

  get inConversation() {
    return router.current.name === "conversation";
  }

  /** Moves the cursor of the list; on a wide screen the open conversation follows. False where the list is not on screen. */
  step(by) {
    if (NARROW.matches && this.inConversation) return false;
    this.list.step(by, this.inConversation);
    return true;
  }

  /** Leaves the reply box or the focused control. */
  escape() {
    const active = document.activeElement;
    if (active?.closest("reply-box")) {
      active.blur();
      this.view.scrollMessages();
      return true;
    }
    if (desk.selection.length) {
      desk.clearSelection();
      return true;
    }
    if (active && active !== document.body) active.blur();
    return false;
  }
}

customElements.define("desk-room", DeskRoom);
