/**
 * `<conversation-header>`: number, subject, customer and the controls of a conversation. Each change is one PATCH, shown at
 * once and taken back with a reason when the server refuses. Areas hang their controls into `conversation.header`.
 */

import { conversations } from "/web/js/api/conversations.js";
import { announce, button, fill, h, icon } from "/web/js/dom.js";
import { fullName, plain, shortName } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { notifyError } from "/web/js/elements/toast-stack.js";
import { STATUS } from "/web/js/words.js";

export class ConversationHeader extends RoomElement {
  #item = null;

  set conversation(value) {
    this.#item = value;
    if (this.isConnected) this.#show();
  }

  build() {
    this.back = h("a", { class: "button quiet icon-only back", "aria-label": "Back to the list (u)", title: "Back to the list (u)" }, icon("back"));
    this.number = h("span", { class: "number" });
    this.subject = document.createElement("subject-line");
    this.closer = button("Close", { iconName: "check", kind: "closer", onclick: () => this.toggleClosed() });
    this.details = button("", { iconName: "panel", label: "Details (d)", kind: "quiet", onclick: () => this.tell("toggle-details") });
    this.customer = h("p", { class: "customer" });
    this.fields = document.createElement("conversation-fields");
    this.slot_ = h("place-slot", { name: "conversation.header", class: "header-place" });
    this.append(
      h("div", { class: "head-line" }, this.back, h("div", { class: "head-title" }, this.number, this.subject), this.closer, this.details),
      this.customer, h("div", { class: "controls" }, this.fields, this.slot_),
    );
    this.addEventListener("field-change", (event) => this.change(event.detail));
  }

  attach() {
    this.listen(router, "change", () => this.#showBack());
    this.listen(store, "change", (event) => {
      if (event.detail.key === "users" && this.#item) this.#show();
    });
    this.#showBack();
    if (this.#item) this.#show();
  }

  #showBack() {
    this.back.href = router.withList("/");
  }

  #show() {
    const item = this.#item;
    const locked = !store.mayWrite;
    this.number.textContent = `#${item.number}`;
    this.subject.conversation = item;
    fill(this.customer, h("strong", {}, shortName(item.customer)), " ", h("span", { class: "faint" }, plain(item.customer?.address)), h("span", { class: "faint", title: "Inbox" }, " · ", plain(item.inbox?.name)),
      this.#others(item));
    this.fields.conversation = item;
    this.slot_.give({ conversation: item });
    const closed = item.status === "closed";
    fill(this.closer, icon(closed ? "undo" : "check"), h("span", {}, closed ? "Open again" : "Close"));
    this.closer.setAttribute("aria-label", closed ? "Open again" : "Close");
    this.closer.title = closed ? "Open the conversation again (e)" : "Close the conversation (e)";
    this.closer.disabled = locked;
  }

  #others(item) {
    const own = [item.customer?.address, item.reply?.from?.address].map((one) => one?.toLowerCase());
    const others = (item.participants ?? []).filter((one) => !own.includes(one.address?.toLowerCase()));
    if (others.length === 0) return null;
    return h("span", { class: "faint", title: others.map(fullName).join("\n") }, ` · with ${others.slice(0, 2).map(shortName).join(", ")}${others.length > 2 ? ` and ${others.length - 2} more` : ""}`);
  }

  editSubject() {
    this.subject.edit();
  }

  focusTags() {
    this.fields.tags.focus();
  }

  toggleClosed() {
    if (!store.mayWrite) return false;
    this.change({ status: this.#item.status === "closed" ? "open" : "closed" });
    return true;
  }

  async change(changes) {
    const before = this.#item;
    const owner = store.get("users").find((user) => user.id === changes.assigned_to);
    const shown = "assigned_to" in changes ? { assigned_to: owner ? { id: owner.id, name: owner.name } : null } : {};
    if (changes.tags) shown.tags = changes.tags.map((name) => (before.tags ?? []).find((tag) => tag.name === name) ?? { name, color: "" });
    this.conversation = { ...before, ...changes, ...shown };
    try {
      // Without a version: the last choice of a person wins; only replies are guarded against an old view.
      const after = await conversations.change(before.id, changes);
      if (this.#item.id === after.id) this.conversation = after;
      if (changes.status) announce(`Status: ${STATUS[after.status] ?? after.status}`);
      this.tell("conversation-changed", after);
    } catch (error) {
      if (this.#item.id === before.id) this.conversation = before;
      notifyError(error, "Not changed");
    }
  }
}

customElements.define("conversation-header", ConversationHeader);
