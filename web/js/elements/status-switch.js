/**
 * `<status-switch>`: whether one is there, in the side bar. Keeps the list of people fresh as colleagues come and go.
 */

import { people } from "/web/js/api/people.js";
import { PRESENCE } from "/web/js/assignment-words.js";
import { command } from "/web/js/commands.js";
import { announce, h, uid } from "/web/js/dom.js";
import { place } from "/web/js/places.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class StatusSwitch extends RoomElement {
  build() {
    const id = uid("status");
    this.select = h("select", { id, onchange: () => this.choose(this.select.value) }, Object.entries(PRESENCE).map(([value, word]) => h("option", { value }, word)));
    this.append(h("span", { class: "dot", "aria-hidden": "true" }), h("label", { for: id, class: "unseen" }, "My status"), this.select);
  }

  attach() {
    const fresh = settle(() => store.readUsers().catch((error) => error.status || notifyError(error)), 500);
    this.listen(stream, "change", ({ detail }) => detail.type.startsWith("user.") && fresh());
    this.listen(store, "change", ({ detail }) => (detail.key === "me" || detail.key === "users") && this.#show());
    this.#show();
  }

  #show() {
    const me = store.get("me")?.user;
    this.hidden = !me || !store.mayWrite;
    if (this.hidden) return;
    const status = store.get("users").find((user) => user.id === me.id)?.status ?? me.status ?? "offline";
    this.select.value = status;
    this.dataset.status = status;
  }

  async choose(status) {
    try {
      const mine = await people.setStatus(status);
      store.set("users", store.get("users").map((user) => (user.id === mine.id ? mine : user)));
      this.dataset.status = mine.status;
      announce(`You are ${PRESENCE[mine.status].toLowerCase()}.`);
    } catch (error) {
      notifyError(error, "Not changed");
      this.#show();
    }
  }
}

customElements.define("status-switch", StatusSwitch);
place("shell.tools", "status-switch", 20);
command({
  id: "shell.status", title: "Set my status…", group: "Everywhere", iconName: "people", when: () => store.mayWrite && store.get("me") !== null,
  choices: () => Object.entries(PRESENCE).map(([status, title]) => ({ title, run: () => document.querySelector("status-switch").choose(status) })),
});
