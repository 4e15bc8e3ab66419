/**
 * `<notice-bell>`: a bell with the number of unread notices in the side bar; it opens the list of what this person was told.
 */

import { announce, button, fillRows, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { noticeBoard } from "/web/js/notice-board.js";
import { KINDS, sentence } from "/web/js/notice-words.js";
import { place } from "/web/js/places.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class NoticeBell extends RoomElement {
  #said = 0;

  build() {
    const id = uid("notices");
    this.amount = h("b", { class: "amount", hidden: true });
    this.words = h("span", {}, "Notices");
    this.trigger = h("button", { type: "button", class: "button quiet notice-trigger", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-controls": id, onclick: () => this.#toggle(this.panel.hidden) }, icon("bell"), this.words, this.amount);
    this.all = button("Mark all read", { kind: "small quiet", onclick: () => this.#read({ all: true }) });
    this.list = h("ul", { class: "notices" });
    this.panel = h("div", { id, role: "dialog", "aria-label": "Notices", class: "notice-panel", popover: "manual", hidden: true, tabindex: "-1" },
      h("div", { class: "panel-head" }, h("h2", {}, "Notices"), this.all), this.list,
      h("p", { class: "notice-foot" }, h("a", { href: "/preferences", onclick: () => this.#toggle(false) }, "How I want to hear")));
    this.append(this.trigger, this.panel);
    // For good: the side bar puts this element anew into the page while it hears of the very same change.
    router.addEventListener("change", () => this.#toggle(false));
  }

  attach() {
    if (!this.panel.hidden) this.panel.showPopover(); // The side bar has moved it, which closed it.
    this.listen(noticeBoard, "change", () => this.#show());
    this.listen(document, "pointerdown", (event) => !this.contains(event.target) && this.#toggle(false));
    // Before the desk hears of the key: a button that was pressed may have lost the focus meanwhile.
    this.listen(document, "keydown", (event) => {
      if (event.key !== "Escape" || this.panel.hidden) return;
      event.stopPropagation();
      this.#toggle(false);
      this.trigger.focus();
    }, { capture: true });
    noticeBoard.start();
    this.#show();
  }

  #toggle(open) {
    if (this.panel.hidden === !open) return;
    this.panel.hidden = !open;
    if (!open && this.panel.matches(":popover-open")) this.panel.hidePopover();
    this.trigger.setAttribute("aria-expanded", String(open));
    if (open) {
      // Above everything: the side bar would cut it off.
      const box = this.trigger.getBoundingClientRect();
      this.panel.style.setProperty("--from-bottom", `${Math.max(16, innerHeight - box.top + 6)}px`);
      this.panel.style.setProperty("--from-left", `${Math.max(16, box.left)}px`);
      this.panel.showPopover();
      this.#show();
      this.panel.focus();
    }
  }

  #show() {
    const { unread, items } = noticeBoard;
    const text = unread >= 100 ? "99+" : String(unread);
    this.amount.hidden = unread === 0;
    this.amount.textContent = text;
    this.trigger.setAttribute("aria-label", unread ? `Notices, ${text} unread` : "Notices");
    if (unread > this.#said) announce(`${text} unread notices`);
    this.#said = unread;
    this.all.disabled = unread === 0;
    if (this.panel.hidden) return;
    fillRows(this.list, items, (notice) => this.#row(notice));
    if (items.length === 0) this.list.append(h("li", { class: "faint" }, "Nothing was told to you yet."));
  }

  #row(notice) {
    const about = notice.conversation;
    const inside = [icon(KINDS[notice.kind]?.iconName ?? "bell"),
      h("span", { class: "notice-words" }, h("strong", {}, about ? `#${about.number} ${plain(about.subject) || "without a subject"}` : "Mailroom"), h("span", {}, plain(sentence(notice))), timeAgo(notice.created_at))];
    const read = () => notice.read_at || this.#read({ ids: [notice.id] });
    return h("li", { "data-unread": notice.read_at ? null : "true" },
      about ? h("a", { href: `/c/${encodeURIComponent(about.id)}`, onclick: read }, inside) : h("button", { type: "button", onclick: read }, inside),
      notice.read_at ? null : h("i", { class: "notice-dot", role: "img", "aria-label": "unread" }));
  }

  async #read(which) {
    try {
      await noticeBoard.markRead(which);
    } catch (error) {
      notifyError(error);
    }
  }
}

customElements.define("notice-bell", NoticeBell);
place("shell.tools", "notice-bell", 10);
