/**
 * `<mail-app>`: the shell. Shows the room that the path names, keeps the stream running, binds the keys.
 * Leaves who may come in to session-door, the conversations to desk-room, the pages to page-room.
 */

import { fill, h } from "/web/js/dom.js";
import { bindKeys } from "/web/js/keys.js";
import { wholeDesk } from "/web/js/loading.js";
import { pageOf } from "/web/js/pages.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { shellCommands } from "/web/js/shell-commands.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class MailApp extends RoomElement {
  build() {
    this.frame = this.querySelector(".frame"); // painted by the page itself, until it is known who is here
    this.banner = document.createElement("status-banner");
    this.nav = document.createElement("side-nav");
    this.desk = document.createElement("desk-room");
    this.page = document.createElement("page-room");
    this.shade = h("div", { class: "shade", onclick: () => this.removeAttribute("nav-open") });
    this.help = document.createElement("help-dialog");
    this.palette = document.createElement("command-palette");
    this.timeline = document.createElement("timeline-dialog");
    this.door = document.createElement("session-door");
    this.room = h("div", { class: "room", hidden: true },
      h("a", { class: "skip", href: "#page", onclick: (event) => this.#skip(event) }, "Skip to the content"),
      this.nav, this.shade, h("div", { class: "stage" }, h("pane-divider", { pane: "nav" }), this.banner, this.desk, this.page));
    fill(this, this.frame, this.room, this.door, this.help, this.palette, this.timeline, document.createElement("ask-dialog"), document.createElement("toast-stack"));
  }

  attach() {
    this.listen(this, "entered", (event) => this.#enter(event.detail));
    this.listen(this, "shut-out", () => this.#shut());
    this.listen(this, "sign-out", () => this.door.leave());
    this.listen(this, "show-help", () => this.open(this.help));
    this.listen(this, "show-palette", () => this.open(this.palette));
    this.listen(this, "show-timeline", (event) => this.open(this.timeline, event.detail));
    this.listen(this, "room-settled", () => this.#complete(), { once: true });
    this.listen(this, "open-nav", () => this.toggleAttribute("nav-open", true));
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
    shellCommands(this);
    bindKeys(() => this.room.hidden, this.life);
    router.start();
    if (!["conversations", "sign-in"].includes(router.current.name)) wholeDesk().catch(() => {}); // Ahead of the room, which says what failed.
    this.door.begin();
  }

  /** Opens one of the dialogs, also when its modules are still on their way. */
  async open(dialog, ...about) {
    try {
      await wholeDesk();
      dialog.show(...about);
    } catch (error) {
      notifyError(error);
    }
  }

  /** Loads what the first room did without, once that is on screen. */
  async #complete() {
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    this.classList.remove("first");
    try {
      await wholeDesk();
      this.toggleAttribute("whole", true);
    } catch (error) {
      notifyError(error);
    }
  }

  #enter(me) {
    store.set("me", me);
    this.frame?.remove();
    this.room.hidden = false;
    stream.start();
    const complain = (error) => error.status === 403 || notifyError(error);
    store.readCounts().catch(complain);
    store.readInboxes().catch(complain);
    store.readUsers().catch(complain); // An agent may be refused the list; assignees are then those seen in the conversations.
    if (router.current.name === "sign-in") router.replace(this.door.back ?? "/");
    else this.#routed();
  }

  #shut() {
    stream.stop();
    store.set("me", null);
    this.frame?.remove();
    this.room.hidden = true;
    for (const dialog of this.querySelectorAll("dialog[open]")) dialog.close();
  }

  #routed() {
    const { name, params } = router.current;
    this.removeAttribute("nav-open");
    if (!store.get("me")) {
      if (name === "sign-in") this.door.ask();
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
      this.page.leave();
      this.desk.show(params.id ?? null);
    } else {
      this.page.show(name, params);
    }
    this.#title();
  }

  #title() {
    const { name } = router.current;
    const unread = store.get("counts")?.unread ?? 0;
    const lead = unread ? `(${unread}) ` : "";
    if (name === "conversations") document.title = `${lead}Conversations · Mailroom`;
    else if (pageOf(name)) document.title = `${pageOf(name).title} · Mailroom`;
    else if (name !== "conversation") document.title = "Mailroom"; // conversation-view names its own.
  }

  #skip(event) {
    event.preventDefault();
    const place = this.desk.hidden ? this.page.main : this.desk.list.scroller;
    place.tabIndex = -1;
    place.focus();
  }
}

customElements.define("mail-app", MailApp);
