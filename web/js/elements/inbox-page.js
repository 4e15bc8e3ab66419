/**
 * `<inbox-page>`: one inbox: health, numbers, folders, history, connection, ledger, and the levers pause, resume and resync.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { inboxAnswer, inboxFolders, inboxSummary } from "/web/js/inbox-parts.js";
import { PROVIDERS } from "/web/js/oauth-words.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { healthBadge } from "/web/js/elements/inbox-list.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/inbox-access.js";
import "/web/js/elements/inbox-backfill.js";
import "/web/js/elements/inbox-checks.js";
import "/web/js/elements/inbox-ledger.js";
import "/web/js/elements/inbox-push.js";

export class InboxPage extends RoomElement {
  itemId = null;
  #inbox = null;

  build() {
    this.head = h("header", { class: "page-head" });
    this.state = document.createElement("load-state");
    this.summary = h("section", { class: "panel summary", "aria-label": "Health" });
    this.folders = h("section", { class: "panel", "aria-label": "Folders" });
    const part = (tag) => {
      const element = document.createElement(tag);
      element.inboxId = this.itemId;
      return element;
    };
    this.access = part("inbox-access");
    this.permission = h("section", { class: "panel", "aria-label": "Permission", hidden: true }, this.access);
    this.backfill = part("inbox-backfill");
    this.ledger = part("inbox-ledger");
    this.push = document.createElement("inbox-push");
    this.announced = h("section", { class: "panel", "aria-label": "Announcements", hidden: true }, this.push);
    this.answer = h("section", { class: "panel", "aria-label": "Automatic response" });
    this.body = h("div", { class: "panels", hidden: true }, this.summary, store.mayManage ? this.permission : null, h("section", { class: "panel", "aria-label": "History" }, this.backfill), this.folders,
      store.mayManage ? h("section", { class: "panel", "aria-label": "Connection" }, part("inbox-checks")) : null, this.announced, this.answer, h("section", { class: "panel wide", "aria-label": "Ledger" }, this.ledger));
    this.append(this.head, this.state, this.body);
    this.addEventListener("inbox-stale", () => this.#load());
  }

  attach() {
    const fresh = settle(() => this.#load(), 250);
    this.listen(stream, "change", ({ detail }) => detail.inbox_id === this.itemId && fresh());
    this.listen(stream, "reload", fresh);
    if (!this.#inbox) this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      this.#inbox = await inboxes.status(this.itemId, { signal: this.life });
      this.state.done();
      this.body.hidden = false;
      this.#show();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404) this.state.empty("No such inbox", "It does not exist, or is not yours to see.", { action: h("a", { class: "button", href: "/inboxes" }, "All inboxes") });
      else if (!this.#inbox) this.state.failed(error, () => this.#load());
      // With numbers on screen the banner tells that the server is away; the next event reads again.
    }
  }

  #show() {
    const inbox = this.#inbox;
    document.title = `${plain(inbox.name)} · Mailroom`;
    this.#showHead(inbox);
    fill(this.summary, inboxSummary(inbox));
    fill(this.folders, inboxFolders(inbox));
    fill(this.answer, inboxAnswer(inbox));
    this.announced.hidden = !inbox.push;
    if (inbox.push) this.push.push = inbox.push;
    this.backfill.backfills = inbox.backfills ?? [];
    this.permission.hidden = !(inbox.provider in PROVIDERS);
    if (store.mayManage && !this.permission.hidden) this.access.inbox = inbox;
  }

  /** Drawn anew only when it would look different: news must not close a menu that somebody has open. */
  #showHead(inbox) {
    const now = JSON.stringify([inbox.name, inbox.email_address, inbox.health, inbox.paused, (inbox.folders ?? []).map((one) => [one.id, one.name, one.synced])]);
    if (this.head.dataset.now === now) return;
    this.head.dataset.now = now;
    fill(this.head, h("a", { class: "button quiet icon-only", href: "/inboxes", "aria-label": "All inboxes" }, icon("back")),
      h("div", { class: "page-title" }, h("h1", {}, plain(inbox.name)), h("p", { class: "faint" }, plain(inbox.email_address))), healthBadge(inbox), h("div", { class: "actions" }, store.mayManage ? this.#levers(inbox) : null));
  }

  #levers(inbox) {
    const toggle = inbox.paused
      ? button("Resume", { iconName: "play", kind: "primary", onclick: (event) => this.#act(event, () => inboxes.resume(this.itemId), "Syncing resumes.") })
      : button("Pause", { iconName: "pause", onclick: (event) => this.#act(event, () => inboxes.pause(this.itemId), "Paused. No mail is fetched until you resume.") });
    const menu = h("menu-button", { label: "Resync", icon: "refresh", text: "Resync" });
    menu.entries = [
      { text: "Look for new mail now", iconName: "mail", run: () => this.#resync({ scope: "new" }) },
      ...(inbox.folders ?? []).filter((folder) => folder.synced).map((folder) => ({ text: `Check all of ${plain(folder.name)}`, iconName: "list", run: () => this.#resync({ scope: "folder", folder_id: folder.id }) })),
      { text: "Check every folder", iconName: "refresh", run: () => this.#resyncAll() },
    ];
    return [toggle, menu, h("a", { class: "button", href: `/inboxes/${encodeURIComponent(this.itemId)}/edit` }, icon("pen"), h("span", {}, "Edit"))];
  }

  async #resyncAll() {
    const sure = await ask({ title: "Check every folder against the server?", paragraphs: ["Mailroom lists all mails on the server and fetches what is missing. Nothing is stored twice, and no automatic response is sent for old mail. On large mailboxes this takes a while."], confirm: "Check everything" });
    if (sure) await this.#resync({ scope: "all" });
  }

  async #resync(scope) {
    try {
      await inboxes.resync(this.itemId, scope);
      notify("Resync started. New mail appears as it is found.");
      this.#load();
    } catch (error) {
      notifyError(error, "Resync");
    }
  }

  async #act(event, call, done) {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    try {
      await call();
      notify(done);
    } catch (error) {
      notifyError(error);
    } finally {
      pressed.disabled = false;
    }
    this.#load();
  }
}

customElements.define("inbox-page", InboxPage);
