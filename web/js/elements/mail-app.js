/**
 * `<mail-app>`: the shell. Decides by the session and the path which room is shown, keeps the stream running, runs the keys.
 * Promises to come back to the same place after a lost session.
 */

import { health } from "/web/js/api/request.js";
import { session } from "/web/js/api/session.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { forgetAll } from "/web/js/drafts.js";
import { bindKeys } from "/web/js/keys.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

const PAGES = {
  inboxes: ["inbox-list", "Inboxes"],
  "inbox-new": ["inbox-form", "Add an inbox"],
  "inbox-edit": ["inbox-form", "Edit inbox"],
  inbox: ["inbox-page", "Inbox"],
  domains: ["domains-page", "Domains"],
  quarantine: ["quarantine-page", "Quarantine"],
  spam: ["spam-page", "Spam"],
  balance: ["balance-page", "Mailbox balance"],
  suppressed: ["suppressed-page", "Suppressed addresses"],
  people: ["people-page", "People and keys"],
  reingest: ["reingest-page", "Re-ingest"],
  "reingest-run": ["reingest-page", "Re-ingest"],
};
const NARROW = matchMedia("(max-width: 720px)");

export class MailApp extends RoomElement {
  #back = null;
  #lastUser = null;

  build() {
    this.banner = document.createElement("status-banner");
    this.nav = document.createElement("side-nav");
    this.list = document.createElement("conversation-list");
    this.view = document.createElement("conversation-view");
    this.nothing = h("div", { class: "nothing" }, icon("mail"), h("p", {}, "Choose a conversation"), h("p", { class: "faint" }, h("kbd", {}, "j"), " ", h("kbd", {}, "k"), " to move, ", h("kbd", {}, "?"), " for all keys"));
    this.detail = h("section", { class: "detail", "aria-label": "Conversation" }, this.nothing, this.view);
    this.page = h("main", { class: "page", id: "page" });
    this.desk = h("main", { class: "desk" }, this.list, this.detail);
    this.shade = h("div", { class: "shade", onclick: () => this.removeAttribute("nav-open") });
    this.help = document.createElement("help-dialog");
    this.timeline = document.createElement("timeline-dialog");
    this.room = h("div", { class: "room" }, h("a", { class: "skip", href: "#page", onclick: (event) => this.#skip(event) }, "Skip to the content"), this.nav, this.shade, h("div", { class: "stage" }, this.banner, this.desk, this.page));
    this.door = h("div", { class: "door-room", hidden: true });
    this.append(this.room, this.door, this.help, this.timeline, document.createElement("ask-dialog"), document.createElement("toast-stack"));
    this.room.hidden = true;
  }

  attach() {
    this.listen(this, "signed-in", (event) => this.#enter(event.detail));
    this.listen(this, "sign-out", () => this.#leave());
    this.listen(this, "show-help", () => this.help.show());
    this.listen(this, "show-timeline", (event) => this.timeline.show(event.detail));
    this.listen(this, "open-nav", () => this.toggleAttribute("nav-open", true));
    this.listen(health, "session-lost", () => this.#lost());
    this.listen(router, "change", () => this.#routed());
    this.listen(store, "change", (event) => event.detail.key === "counts" && this.#title());
    const counts = settle(() => store.readCounts().catch((error) => error.status || notifyError(error)), 400);
    const boxes = settle(() => store.readInboxes().catch((error) => error.status || notifyError(error)), 400);
    this.listen(stream, "change", ({ detail }) => {
      counts();
      if (detail.type.startsWith("inbox.")) boxes();
    });
    this.listen(stream, "reload", () => {
      counts();
      boxes();
    });
    // Only a page that nobody is leaving may close its stream: bfcache pages open it again.
    this.listen(window, "pagehide", () => stream.stop());
    this.listen(window, "pageshow", (event) => event.persisted && store.get("me") && stream.start());
    bindKeys((command) => this.#command(command), this.life);
    router.start();
    this.#begin();
  }

  async #begin() {
    try {
      this.#enter(await session.current());
    } catch (error) {
      if (error.status === 401) this.#lost({ first: true });
      else this.#unreachable(error);
    }
  }

  #unreachable(error) {
    const again = button("Try again", { iconName: "refresh", kind: "primary", onclick: () => this.#begin() });
    fill(this.door, h("main", { class: "door" }, h("div", { class: "blank bad", role: "alert" }, icon("warning"), h("h1", {}, "Mailroom cannot be reached"), h("p", {}, error.message), again)));
    this.door.hidden = false;
    this.room.hidden = true;
  }

  #enter(me) {
    if (this.#lastUser && this.#lastUser !== me.user.id) {
      // Somebody else signed in: nothing that the person before had on screen may stay.
      location.assign(this.#back ?? "/");
      return;
    }
    this.#lastUser = me.user.id;
    store.set("me", me);
    this.door.hidden = true;
    this.door.replaceChildren();
    this.room.hidden = false;
    stream.start();
    const complain = (error) => error.status === 403 || notifyError(error);
    store.readCounts().catch(complain);
    store.readInboxes().catch(complain);
    store.readUsers().catch(complain); // An agent may be refused the list; assignees are then those seen in the conversations.
    if (router.current.name === "sign-in") router.replace(this.#back ?? "/");
    else this.#routed();
    this.#back = null;
  }

  #lost({ first = false } = {}) {
    stream.stop();
    // Several requests may come back refused; the second must not empty the form that someone is already filling in.
    if (!this.door.hidden && this.door.querySelector("sign-in")) return;
    if (router.current.name !== "sign-in") this.#back = router.current.path;
    store.set("me", null);
    this.room.hidden = true;
    for (const dialog of this.querySelectorAll("dialog[open]")) dialog.close();
    fill(this.door, h("sign-in", { lost: !first && this.#back !== null }));
    this.door.hidden = false;
    if (router.current.name !== "sign-in") router.replace("/sign-in");
  }

  async #leave() {
    try {
      await session.close();
    } catch (error) {
      if (error.status !== 401) return notifyError(error, "Not signed out");
    }
    stream.stop();
    forgetAll();
    store.clear();
    location.assign("/sign-in");
    return undefined;
  }

  #routed() {
    const { name, params } = router.current;
    this.removeAttribute("nav-open");
    if (!store.get("me")) {
      if (name === "sign-in" && this.door.hidden) this.#lost({ first: true });
      return;
    }
    if (name === "sign-in") {
      router.replace("/");
      return;
    }
    const inDesk = name === "conversations" || name === "conversation";
    this.desk.hidden = !inDesk;
    this.page.hidden = inDesk;
    this.dataset.route = name;
    if (inDesk) {
      this.page.replaceChildren();
      this.view.hidden = name !== "conversation";
      this.nothing.hidden = name === "conversation";
      if (params.id) this.view.conversation = params.id;
    } else {
      this.#showPage(name, params);
    }
    this.#title();
  }

  #showPage(name, params) {
    const [tag] = PAGES[name] ?? [];
    if (!tag) {
      const blank = document.createElement("load-state");
      fill(this.page, blank);
      blank.empty("Nothing here", "This address belongs to no room.", { iconName: "search", action: h("a", { class: "button primary", href: "/" }, "To the conversations") });
      return;
    }
    const page = document.createElement(tag);
    if (params.id) page.inboxId = params.id;
    fill(this.page, page);
    this.page.scrollTop = 0;
  }

  #title() {
    const { name } = router.current;
    const unread = store.get("counts")?.unread ?? 0;
    const lead = unread ? `(${unread}) ` : "";
    if (name === "conversations") document.title = `${lead}Conversations · Mailroom`;
    else if (PAGES[name]) document.title = `${PAGES[name][1]} · Mailroom`;
    else if (name !== "conversation") document.title = "Mailroom"; // conversation-view names its own.
  }

  #skip(event) {
    event.preventDefault();
    const place = this.desk.hidden ? this.page : this.list.scroller;
    place.tabIndex = -1;
    place.focus();
  }

  #command(command) {
    if (this.room.hidden) return false;
    if (command === "help") this.help.show();
    else if (command === "escape") return this.#escape();
    else if (this.desk.hidden) return false;
    else if (command === "next" || command === "previous") {
      if (NARROW.matches && router.current.name === "conversation") return false;
      this.list.step(command === "next" ? 1 : -1, router.current.name === "conversation");
    } else if (command === "open") return this.list.openCursor();
    else if (command === "search") this.list.focusSearch();
    else if (router.current.name !== "conversation") return false;
    else if (command === "back") router.go(router.withList("/"));
    else if (command === "reply") return this.view.focusReply();
    else if (command === "close") return this.view.toggleClosed();
    return true;
  }

  #escape() {
    if (this.hasAttribute("nav-open")) {
      this.removeAttribute("nav-open");
      return true;
    }
    const active = document.activeElement;
    if (active?.closest("reply-box")) {
      active.blur();
      this.view.scrollMessages();
      return true;
    }
    if (active && active !== document.body) active.blur();
    return false;
  }
}

customElements.define("mail-app", MailApp);
