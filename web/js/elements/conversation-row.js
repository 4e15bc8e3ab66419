/**
 * `<conversation-row>`: one conversation in the list, of one height. Shows only what the item says; a link, so that it opens in a tab too.
 * A row whose item is not read yet shows grey bars. Rows are used again for other items.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { hasDraft } from "/web/js/drafts.js";
import { fullName, hue, initials, plain, plural, shortName } from "/web/js/format.js";
import { marked } from "/web/js/marked.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { PRIORITY, STATUS } from "/web/js/words.js";
import { tagBadge } from "/web/js/tag-badge.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class ConversationRow extends HTMLElement {
  #item = null;
  #pick = null;
  #places = null;

  set item(value) {
    this.#item = value;
    this.#show();
  }

  get item() {
    return this.#item;
  }

  /** Marks the row as one of those that a bulk action would take. */
  set selected(on) {
    this.toggleAttribute("selected", on);
    if (this.#pick) this.#pick.checked = on;
  }

  /** Points the link at the present list query, so that going back finds the same list. */
  link() {
    const anchor = this.querySelector("a");
    if (anchor) anchor.href = router.withList(`/c/${encodeURIComponent(this.#item.id)}`);
  }

  #show() {
    const item = this.#item;
    this.toggleAttribute("waiting", item === null);
    this.setAttribute("aria-busy", String(item === null));
    if (item === null) {
      delete this.dataset.id;
      for (const mark of ["unread", "current", "selected"]) this.removeAttribute(mark);
      fill(this, h("div", { class: "skeleton row" }, h("i", {}), h("div", {}, h("b", {}), h("b", {}), h("b", {}))));
      return;
    }
    const unread = item.unread_count > 0;
    this.dataset.id = item.id;
    this.toggleAttribute("unread", unread);
    this.#places ??= h("place-slot", { name: "list.row", class: "row-places" });
    const link = this.querySelector("a") ?? h("a", { draggable: "false" });
    link.href = router.withList(`/c/${encodeURIComponent(item.id)}`);
    fill(link, this.#face(item), h("div", { class: "row-body" }, this.#top(item), this.#subject(item, unread), this.#last(item)), unread ? h("i", { class: "unread-dot", "aria-hidden": "true" }) : null);
    const pick = this.#picker(item);
    if (link.parentElement !== this) fill(this, link, pick);
    this.#places.give({ conversation: item });
  }

  #picker(item) {
    this.#pick ??= h("input", { type: "checkbox", class: "row-pick", onclick: (event) => {
      this.dispatchEvent(new CustomEvent("pick-row", { detail: { id: this.#item.id, range: event.shiftKey }, bubbles: true }));
    } });
    this.#pick.setAttribute("aria-label", `Select ${plain(item.subject) || "the conversation without a subject"}`);
    return store.mayWrite ? this.#pick : null;
  }

  #face(item) {
    const face = h("span", { class: "face", "aria-hidden": "true" }, initials(item.customer));
    face.style.setProperty("--hue", hue(item.customer?.address));
    return face;
  }

  #top(item) {
    return h("div", { class: "row-top" },
      h("span", { class: "row-who", title: fullName(item.customer) }, shortName(item.customer)),
      item.message_count > 1 ? h("span", { class: "row-many", title: plural(item.message_count, "message") }, item.message_count) : null,
      this.#owner(item), timeAgo(item.last_message_at));
  }

  #owner(item) {
    if (!item.assigned_to) return null;
    return h("span", { class: "row-owner", title: `Assigned to ${plain(item.assigned_to.name)}` }, item.assigned_to.id === store.get("me")?.user.id ? "You" : plain(item.assigned_to.name));
  }

  #subject(item, unread) {
    return h("div", { class: "row-subject" }, unread ? h("span", { class: "unseen" }, `${plural(item.unread_count, "unread message")}: `) : null, item.match ? marked(item.subject, item.match.subject_marks) : plain(item.subject) || "(no subject)");
  }

  #last(item) {
    const where = [item.category, store.get("inboxes").length > 1 && !router.current.query.get("inbox") ? item.inbox?.name : null].filter(Boolean).map(plain).join(" · ");
    return h("div", { class: "row-last" }, h("div", { class: "row-marks" }, this.#marks(item), this.#places),
      h("div", { class: "row-snippet" }, item.match?.field === "note" ? icon("note", "In an internal note") : item.last_message_direction === "outbound" ? icon("reply", "Answered") : null, item.match?.snippet ? marked(item.match.snippet, item.match.marks) : plain(item.snippet)),
      where ? h("span", { class: "row-inbox", title: "Category and inbox" }, where) : null);
  }

  #marks(item) {
    const draft = hasDraft(store.get("me")?.user.id, item.id);
    return [
      item.has_failed_send ? h("span", { class: "badge bad" }, icon("cross"), "Not sent") : null,
      item.has_unknown_send ? h("span", { class: "badge warn" }, icon("question"), "Send unknown") : null,
      draft ? h("span", { class: "badge info" }, icon("pen"), "Draft") : null,
      item.priority === "urgent" || item.priority === "high" ? h("span", { class: `badge ${item.priority === "urgent" ? "bad" : "warn"}` }, PRIORITY[item.priority]) : null,
      item.status !== "open" ? h("span", { class: "badge" }, STATUS[item.status] ?? item.status) : null,
      (item.tags ?? []).map((tag) => tagBadge(tag)),
    ].flat().filter(Boolean);
  }
}

customElements.define("conversation-row", ConversationRow);
