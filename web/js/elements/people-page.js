/**
 * `<people-page>`: who may sign in, and the keys of programs. A new key is shown once.
 */

import { keys } from "/web/js/api/keys.js";
import { people } from "/web/js/api/people.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { phrase } from "/web/js/words.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const ROLES = ["admin", "agent", "viewer"];
const SCOPES = ["read", "write", "admin"];

export class PeoplePage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.people = h("ul", { class: "people" });
    this.keys = h("ul", { class: "people" });
    this.secret = h("div", { class: "notice good", hidden: true });
    this.body = h("div", { class: "panels", hidden: true },
      h("section", { class: "panel", "aria-label": "People" }, h("div", { class: "panel-head" }, h("h2", {}, "People")), this.people, this.#userForm()),
      h("section", { class: "panel", "aria-label": "Keys" }, h("div", { class: "panel-head" }, h("h2", {}, "API keys")), this.keys, this.secret, this.#keyForm()));
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "People and keys")), this.state, this.body);
  }

  attach() {
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const [users, held] = await Promise.all([people.list({ signal: this.life }), keys.list({ signal: this.life })]);
      store.set("users", users.items);
      this.state.done();
      this.body.hidden = false;
      fill(this.people, users.items.map((user) => h("li", {}, h("div", {}, h("strong", {}, plain(user.name)), h("span", { class: "faint" }, plain(user.email))), h("span", { class: "badge" }, phrase(user.role)))));
      fill(this.keys, held.items.length ? held.items.map((key) => this.#key(key)) : h("li", {}, h("p", { class: "faint" }, "No program has a key.")));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #key(key) {
    return h("li", {}, h("div", {}, h("strong", {}, plain(key.name)), h("span", { class: "faint" }, (key.scopes ?? []).join(", "), key.last_used_at ? [" · last used ", timeAgo(key.last_used_at, { long: true })] : "")),
      button("Revoke", { kind: "small", onclick: () => this.#revoke(key) }));
  }

  #field(label, control) {
    const id = uid("person");
    control.id = id;
    const error = h("p", { class: "field-error", role: "alert", hidden: true });
    const root = h("div", { class: "field" }, h("label", { for: id }, label), control, error);
    return { root, control, error };
  }

  #form(fields, word, send) {
    const submit = button(word, { type: "submit", kind: "primary" });
    const rest = h("p", { class: "field-error", role: "alert" });
    return h("form", { class: "grid add", novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      rest.textContent = "";
      for (const field of Object.values(fields)) field.error.hidden = true;
      submit.disabled = true;
      try {
        await send(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.control.value])));
        event.target.reset();
        this.#load();
      } catch (error) {
        const unplaced = Object.entries(error.fields ?? {}).filter(([name, message]) => {
          if (!fields[name]) return true;
          fields[name].error.textContent = message;
          fields[name].error.hidden = false;
          return false;
        });
        rest.textContent = [error.message, ...unplaced.map(([name, message]) => `${name}: ${message}`)].join(" ");
      } finally {
        submit.disabled = false;
      }
    } }, Object.values(fields).map((field) => field.root), submit, rest);
  }

  #userForm() {
    return this.#form(
      {
        name: this.#field("Name", h("input", { type: "text", autocomplete: "off" })),
        email: this.#field("Email", h("input", { type: "email", autocomplete: "off" })),
        role: this.#field("Role", h("select", {}, ROLES.map((role) => h("option", { value: role, selected: role === "agent" }, phrase(role))))),
        password: this.#field("First password", h("input", { type: "password", autocomplete: "new-password" })),
      },
      "Add a person",
      async (user) => {
        await people.add(user);
        notify(`${user.name || user.email} can sign in now.`);
      },
    );
  }

  #keyForm() {
    return this.#form(
      {
        name: this.#field("Name", h("input", { type: "text", autocomplete: "off", placeholder: "Reporting" })),
        scopes: this.#field("May", h("select", {}, SCOPES.map((scope) => h("option", { value: scope }, phrase(scope))))),
      },
      "Make a key",
      async ({ name, scopes }) => {
        const made = await keys.add({ name, scopes: [scopes] });
        fill(this.secret, icon("key"), h("div", {}, h("p", {}, "Copy this key now; it is not shown again."), h("code", { class: "secret" }, made.key)));
        this.secret.hidden = false;
      },
    );
  }

  async #revoke(key) {
    const sure = await ask({ title: `Revoke the key ${plain(key.name)}?`, paragraphs: ["The program that uses it is refused from now on."], confirm: "Revoke", danger: true });
    if (!sure) return;
    try {
      await keys.remove(key.id);
      this.#load();
    } catch (error) {
      notifyError(error, "Not revoked");
    }
  }
}

customElements.define("people-page", PeoplePage);
