/**
 * `<session-door>`: who may come in. Asks the server at the start, shows the sign-in when a session is missing or lost,
 * and remembers the place to come back to. Tells `entered` (the session) and `shut-out`. Leaves the rooms to mail-app.
 */

import { health } from "/web/js/api/request.js";
import { session } from "/web/js/api/session.js";
import { whoIsHere } from "/web/js/arrival.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { forgetAll } from "/web/js/drafts.js";
import { loadElement } from "/web/js/loading.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class SessionDoor extends RoomElement {
  #lastUser = null;

  /** The path to come back to after signing in, or null. */
  back = null;

  build() {
    this.className = "door-room";
    this.hidden = true;
  }

  attach() {
    this.listen(this, "signed-in", (event) => this.#enter(event.detail));
    this.listen(health, "session-lost", () => this.ask({ lost: true }));
  }

  async begin() {
    if (location.pathname === "/join") {
      this.#hang(document.createElement("set-password"));
      this.hidden = false;
      this.tell("shut-out");
      return;
    }
    try {
      this.#enter(await whoIsHere());
    } catch (error) {
      if (error.status === 401) this.ask();
      else this.#unreachable(error);
    }
  }

  /** Puts a form into the door; it comes alive when its module is there. */
  #hang(form) {
    fill(this, form);
    loadElement(form.localName).catch((error) => this.contains(form) && this.#unreachable(error));
  }

  #unreachable(error) {
    const again = button("Try again", { iconName: "refresh", kind: "primary", onclick: () => this.begin() });
    fill(this, h("main", { class: "door" }, h("div", { class: "blank bad", role: "alert" }, icon("warning"), h("h1", {}, "Mailroom cannot be reached"), h("p", {}, error.message), again)));
    this.hidden = false;
    this.tell("shut-out");
  }

  #enter(me) {
    if (this.#lastUser && this.#lastUser !== me.user.id) {
      // Somebody else signed in: nothing that the person before had on screen may stay.
      location.assign(this.back ?? "/");
      return;
    }
    this.#lastUser = me.user.id;
    this.hidden = true;
    this.replaceChildren();
    this.tell("entered", me);
    this.back = null;
  }

  /** Shows the sign-in. `lost` says that there was a session before. */
  ask({ lost = false } = {}) {
    // Several requests may come back refused; the second must not empty the form that someone is already filling in.
    if (!this.hidden && this.querySelector("sign-in")) return;
    if (router.current.name !== "sign-in") this.back = router.current.path;
    this.tell("shut-out");
    this.#hang(h("sign-in", { lost: lost && this.back !== null }));
    this.hidden = false;
    if (router.current.name !== "sign-in") router.replace("/sign-in");
  }

  async leave() {
    try {
      await session.close();
    } catch (error) {
      if (error.status !== 401) {
        notifyError(error, "Not signed out");
        return;
      }
    }
    stream.stop();
    forgetAll();
    store.clear();
    location.assign("/sign-in");
  }
}

customElements.define("session-door", SessionDoor);
