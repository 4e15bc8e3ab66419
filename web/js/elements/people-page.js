/**
 * `<people-page>`: who may sign in: added by a link that is shown once, changed, let in again, removed. Keys have a page of their own.
 */

import { people } from "/web/js/api/people.js";
import { loadWord } from "/web/js/assignment-words.js";
import { button, fill, fillRows, h, icon, uid } from "/web/js/dom.js";
import { hue, initials, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { phrase } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/person-form.js";

const ROLES = ["viewer", "agent", "admin", "owner"];

export class PeoplePage extends RoomElement {
  #open = null;

  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people" });
    this.link = h("div", { class: "notice good", role: "status", hidden: true });
    this.body = h("section", { class: "panel", "aria-label": "People", hidden: true }, this.link, this.list, this.#form());
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "People")),
      h("p", { class: "lead" }, "Work is given out by status, capacity, skills and languages. Whoever is removed is signed out at once; what they had waits again, keys that they made are revoked."), this.state, this.body);
  }

  attach() {
    this.listen(this, "person-changed", () => this.#load());
    this.listen(this, "invitation", ({ detail }) => this.#showLink(detail));
    this.listen(store, "change", ({ detail }) => detail.key === "users" && !this.body.hidden && this.#show());
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      store.set("users", (await this.inOrder(people.list({ signal: this.life }))).items);
      this.state.done();
      this.body.hidden = false;
      this.#show();
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #show() {
    // What somebody is typing stays until they are done.
    if (document.activeElement?.closest("person-form") && document.activeElement.matches("input, select")) return;
    fillRows(this.list, store.get("users"), (user) => this.#row(user), (user) => [user, this.#open === user.id]);
  }

  #row(user) {
    const face = h("span", { class: "face small", "aria-hidden": "true" }, initials(user));
    face.style.setProperty("--hue", hue(user.id));
    const open = this.#open === user.id;
    const form = open ? Object.assign(document.createElement("person-form"), { user }) : null;
    const edit = button(open ? "Hide" : "Edit", { kind: "small", "aria-expanded": String(open), "aria-label": `${open ? "Hide" : "Edit"} ${plain(user.name || user.email)}`, onclick: () => {
      this.#open = open ? null : user.id;
      this.#show();
      this.list.querySelector(`[data-id="${CSS.escape(user.id)}"] ${open ? "button" : "input"}`)?.focus();
    } });
    return h("li", { "data-id": user.id, class: "person" }, face,
      h("div", {}, h("strong", {}, plain(user.name)), h("span", { class: "faint" }, plain(user.email))),
      user.invited ? h("span", { class: "badge warn" }, "Invited") : null,
      h("span", { class: "presence", "data-status": user.status ?? "offline" }, h("span", { class: "dot", "aria-hidden": "true" }), loadWord(user)),
      h("span", { class: "badge" }, phrase(user.role)), store.mayManage ? edit : null, form);
  }

  #showLink({ user, link }) {
    fill(this.link, icon("key"), h("div", {}, h("p", {}, `Give ${plain(user.name || user.email)} this link; it is shown this once, works once, and ends `, timeAgo(link.expires_at, { long: true }), "."),
      h("code", { class: "secret" }, link.url), button("Copy", { kind: "small", onclick: () => navigator.clipboard.writeText(link.url).then(() => notify("Copied."), () => notify("Copy it by hand: the browser did not allow it.", { tone: "warn" })) })));
    this.link.hidden = false;
    this.link.scrollIntoView({ block: "nearest" });
  }

  #form() {
    if (!store.mayManage) return null;
    const field = (label, control) => {
      control.id = uid("person");
      const error = h("p", { class: "field-error", role: "alert", hidden: true });
      return { control, error, root: h("div", { class: "field" }, h("label", { for: control.id }, label), control, error) };
    };
    const fields = {
      name: field("Name", h("input", { type: "text", autocomplete: "off" })),
      email: field("Email", h("input", { type: "email", autocomplete: "off" })),
      role: field("Role", h("select", {}, ROLES.filter((role) => role !== "owner" || store.role === "owner").map((role) => h("option", { value: role, selected: role === "agent" }, phrase(role))))),
      password: field("First password", h("input", { type: "password", autocomplete: "new-password", placeholder: "Empty: they choose by a link" })),
    };
    const submit = button("Add a person", { type: "submit", kind: "primary" });
    const rest = h("p", { class: "field-error", role: "alert" });
    return h("form", { class: "grid add", novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      rest.textContent = "";
      for (const one of Object.values(fields)) one.error.hidden = true;
      submit.disabled = true;
      try {
        const { password, ...user } = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.control.value]));
        const made = await people.add(password ? { ...user, password } : user);
        event.target.reset();
        if (made.invitation) this.#showLink({ user: made, link: made.invitation });
        else notify(`${plain(made.name || made.email)} can sign in now.`);
        await this.#load();
      } catch (error) {
        const known = Object.entries(error.fields ?? {}).filter(([name]) => fields[name]);
        for (const [name, message] of known) Object.assign(fields[name].error, { textContent: message, hidden: false });
        if (known.length === 0) rest.textContent = error.message;
      } finally {
        submit.disabled = false;
      }
    } }, Object.values(fields).map((one) => one.root), submit, rest);
  }
}

customElements.define("people-page", PeoplePage);
