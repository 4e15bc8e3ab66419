/**
 * `<conversation-header>`: number, subject, customer and the controls of a conversation. Each change is one PATCH, shown at
 * once and taken back with a reason when the server refuses.
 */

import { conversations } from "/web/js/api/conversations.js";
import { announce, button, fill, h, icon, uid } from "/web/js/dom.js";
import { fullName, plain, shortName } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { notifyError } from "/web/js/elements/toast-stack.js";
import { PRIORITY, STATUS, STATUS_CHOICES } from "/web/js/words.js";

const CATEGORIES = ["support", "sales", "billing", "general", "feedback"];

export class ConversationHeader extends RoomElement {
  #item = null;

  set conversation(value) {
    this.#item = value;
    if (this.isConnected) this.#show();
  }

  build() {
    this.back = h("a", { class: "button quiet icon-only back", "aria-label": "Back to the list (u)", title: "Back to the list (u)" }, icon("back"));
    this.number = h("span", { class: "number" });
    this.subject = h("h1", { class: "subject" });
    this.edit = button("", { iconName: "pen", label: "Change the subject", kind: "quiet small", onclick: () => this.#editSubject() });
    this.closer = button("Close", { iconName: "check", kind: "closer", onclick: () => this.toggleClosed() });
    this.customer = h("p", { class: "customer" });
    this.status = this.#select("Status", "status");
    this.priority = this.#select("Priority", "priority");
    this.owner = this.#select("Assignee", "assigned_to");
    const choices = uid("categories");
    this.category = h("input", { type: "text", list: choices, placeholder: "Category", maxlength: "100", "aria-label": "Category", onchange: () => this.#change({ category: this.category.value.trim() || null }) });
    this.tags = h("input", { type: "text", placeholder: "Tags", maxlength: "2600", "aria-label": "Tags, separated by commas", onchange: () => this.#change({ tags: this.#tagNames() }) });
    const titled = (word, control) => h("div", { class: "control", title: word }, control);
    this.append(
      h("div", { class: "head-line" }, this.back, h("div", { class: "head-title" }, this.number, this.subject, this.edit), this.closer),
      this.customer,
      h("div", { class: "controls" }, titled("Status", this.status), titled("Assignee", this.owner), titled("Priority", this.priority), titled("Category", this.category), titled("Tags, separated by commas", this.tags),
        h("datalist", { id: choices }, CATEGORIES.map((one) => h("option", { value: one })))),
    );
  }

  attach() {
    this.listen(router, "change", () => this.#showBack());
    this.listen(store, "change", (event) => {
      if (event.detail.key === "users" && this.#item) this.#show();
    });
    this.#showBack();
    if (this.#item) this.#show();
  }

  #select(label, field) {
    return h("select", { "aria-label": label, onchange: (event) => this.#change({ [field]: event.target.value || null }) });
  }

  #showBack() {
    this.back.href = router.withList("/");
  }

  #show() {
    const item = this.#item;
    const locked = !store.mayWrite;
    this.number.textContent = `#${item.number}`;
    if (!this.subject.querySelector("input")) this.subject.textContent = plain(item.subject) || "(no subject)";
    fill(this.customer, h("strong", {}, shortName(item.customer)), " ", h("span", { class: "faint" }, plain(item.customer?.address)), h("span", { class: "faint", title: "Inbox" }, " · ", plain(item.inbox?.name)),
      this.#others(item));
    this.#options(this.status, [...new Set([...STATUS_CHOICES, item.status])].map((one) => [one, STATUS[one] ?? one]), item.status);
    this.#options(this.priority, Object.entries(PRIORITY).map(([id, word]) => [id, `${word} priority`]), item.priority);
    const people = store.get("users").map((user) => [user.id, user.name || user.email]);
    const owner = item.assigned_to;
    if (owner && !people.some(([id]) => id === owner.id)) people.push([owner.id, owner.name]);
    this.#options(this.owner, [["", "Unassigned"], ...people], owner?.id ?? "");
    if (document.activeElement !== this.category) this.category.value = item.category ?? "";
    if (document.activeElement !== this.tags) this.tags.value = (item.tags ?? []).map((tag) => plain(tag.name)).join(", ");
    const closed = item.status === "closed";
    fill(this.closer, icon(closed ? "undo" : "check"), h("span", {}, closed ? "Open again" : "Close"));
    this.closer.setAttribute("aria-label", closed ? "Open again" : "Close");
    this.closer.title = closed ? "Open the conversation again (e)" : "Close the conversation (e)";
    for (const control of [this.status, this.priority, this.owner, this.category, this.tags, this.closer, this.edit]) control.disabled = locked;
  }

  #others(item) {
    const own = [item.customer?.address, item.reply?.from?.address].map((one) => one?.toLowerCase());
    const others = (item.participants ?? []).filter((one) => !own.includes(one.address?.toLowerCase()));
    if (others.length === 0) return null;
    return h("span", { class: "faint", title: others.map(fullName).join("\n") }, ` · with ${others.slice(0, 2).map(shortName).join(", ")}${others.length > 2 ? ` and ${others.length - 2} more` : ""}`);
  }

  #options(select, pairs, value) {
    const key = JSON.stringify(pairs);
    if (select.dataset.pairs !== key) {
      fill(select, pairs.map(([id, word]) => h("option", { value: id }, plain(word))));
      select.dataset.pairs = key;
    }
    select.value = value ?? "";
  }

  #editSubject() {
    const input = h("input", { type: "text", value: this.#item.subject ?? "", maxlength: "500", "aria-label": "Subject" });
    let done = false;
    const finish = (keep) => {
      if (done) return;
      done = true;
      const text = input.value.trim();
      this.subject.replaceChildren();
      if (keep && text && text !== this.#item.subject) this.#change({ subject: text });
      this.#show();
      this.edit.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
      if (event.key === "Enter" || event.key === "Escape") event.preventDefault();
    });
    input.addEventListener("blur", () => finish(true));
    fill(this.subject, input);
    input.select();
  }

  #tagNames() {
    return [...new Set(this.tags.value.split(",").map((one) => one.trim()).filter(Boolean))];
  }

  toggleClosed() {
    if (!store.mayWrite) return;
    this.#change({ status: this.#item.status === "closed" ? "open" : "closed" });
  }

  async #change(changes) {
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
