/**
 * `<conversation-row>`: one conversation in the list. Shows only what the item says; a link, so that it opens in a tab too.
 */

import { fill, h, icon } from "/web/js/dom.js";
import { hasDraft } from "/web/js/drafts.js";
import { fullName, hue, initials, plain, plural, shortName } from "/web/js/format.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { PRIORITY, STATUS } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

export class ConversationRow extends HTMLElement {
  #item = null;

  set item(value) {
    this.#item = value;
    this.#show();
  }

  get item() {
    return this.#item;
  }

  /** Points the link at the present list query, so that going back finds the same list. */
  link() {
    const anchor = this.querySelector("a");
    if (anchor) anchor.href = router.withList(`/c/${encodeURIComponent(this.#item.id)}`);
  }

  #show() {
    const item = this.#item;
    const unread = item.unread_count > 0;
    const where = [item.category, store.get("inboxes").length > 1 ? item.inbox?.name : null].filter(Boolean).map(plain).join(" · ");
    this.dataset.id = item.id;
    this.toggleAttribute("unread", unread);
    const face = h("span", { class: "face", "aria-hidden": "true" }, initials(item.customer));
    face.style.setProperty("--hue", hue(item.customer?.address));
    this.places ??= h("place-slot", { name: "list.row", class: "row-places" });
    this.places.give({ conversation: item });
    fill(
      this,
      h("a", { href: router.withList(`/c/${encodeURIComponent(item.id)}`), draggable: "false" },
        face,
        h("div", { class: "row-body" },
          h("div", { class: "row-top" },
            h("span", { class: "row-who", title: fullName(item.customer) }, shortName(item.customer)),
            item.message_count > 1 ? h("span", { class: "row-many", title: plural(item.message_count, "message") }, item.message_count) : null,
            timeAgo(item.last_message_at)),
          h("div", { class: "row-subject" }, unread ? h("span", { class: "unseen" }, `${plural(item.unread_count, "unread message")}: `) : null,
            plain(item.subject) || "(no subject)"),
          h("div", { class: "row-last" }, h("div", { class: "row-snippet" }, item.last_message_direction === "outbound" ? icon("reply", "Answered") : null, plain(item.snippet)),
            where ? h("span", { class: "row-inbox", title: "Category and inbox" }, where) : null),
          h("div", { class: "row-marks" }, this.#marks(item), this.places)),
        unread ? h("i", { class: "unread-dot", "aria-hidden": "true" }) : null),
    );
  }

  #marks(item) {
    const me = store.get("me")?.user.id;
    const marks = [
      item.has_failed_send ? h("span", { class: "badge bad" }, icon("cross"), "Not sent") : null,
      item.has_unknown_send ? h("span", { class: "badge warn" }, icon("question"), "Send unknown") : null,
      hasDraft(me, item.id) ? h("span", { class: "badge info" }, icon("pen"), "Draft") : null,
      item.priority === "urgent" || item.priority === "high" ? h("span", { class: `badge ${item.priority === "urgent" ? "bad" : "warn"}` }, PRIORITY[item.priority]) : null,
      item.status !== "open" ? h("span", { class: "badge" }, STATUS[item.status] ?? item.status) : null,
      (item.tags ?? []).map((tag) => h("span", { class: "badge" }, plain(tag.name))),
      item.assigned_to ? h("span", { class: "row-owner", title: `Assigned to ${plain(item.assigned_to.name)}` }, item.assigned_to.id === me ? "You" : plain(item.assigned_to.name)) : null,
    ].flat().filter(Boolean);
    return marks;
  }
}

customElements.define("conversation-row", ConversationRow);
