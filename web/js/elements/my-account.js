/**
 * `<my-account>`: one's own name and password. A new password needs the present one and signs out everywhere else.
 */

import { people } from "/web/js/api/people.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { notify } from "/web/js/elements/toast-stack.js";

const LEAST = 10;

export class MyAccount extends RoomElement {
  build() {
    this.fields = {
      name: this.#field("Name", { type: "text", maxlength: "200", autocomplete: "name", required: true }),
      current_password: this.#field("Present password", { type: "password", autocomplete: "current-password", required: true }),
      password: this.#field("New password", { type: "password", autocomplete: "new-password", minlength: String(LEAST), required: true }),
      again: this.#field("New password once more", { type: "password", autocomplete: "new-password", required: true }),
    };
    this.address = h("input", { type: "email", autocomplete: "username", readonly: true, id: uid("account") });
    const { name, current_password, password, again } = this.fields;
    this.append(h("section", { class: "sheet", "aria-label": "My account" },
      h("form", { novalidate: true, onsubmit: (event) => this.#rename(event) },
        h("fieldset", {}, h("legend", {}, "Who I am"), h("div", { class: "grid" }, name.root, h("div", { class: "field" }, h("label", { for: this.address.id }, "Address to sign in with"), this.address)),
          h("div", { class: "form-foot" }, button("Change the name", { type: "submit" })))),
      h("form", { novalidate: true, onsubmit: (event) => this.#change(event) },
        h("fieldset", {}, h("legend", {}, "Password"), h("p", { class: "faint" }, "At least ten characters. The change signs you out everywhere else; here you stay."),
          h("div", { class: "grid" }, current_password.root, password.root, again.root), h("div", { class: "form-foot" }, button("Change the password", { type: "submit" }))))));
  }

  attach() {
    const { user } = store.get("me");
    this.fields.name.control.value = user.name;
    this.address.value = user.email;
  }

  #field(label, more) {
    const control = h("input", { ...more, id: uid("account") });
    const error = h("p", { class: "field-error", role: "alert", id: uid("wrong") });
    control.setAttribute("aria-describedby", error.id);
    return { control, error, root: h("div", { class: "field" }, h("label", { for: control.id }, label), control, error) };
  }

  #say(wrong) {
    for (const [name, field] of Object.entries(this.fields)) {
      fill(field.error, wrong[name] ?? "");
      field.control.setAttribute("aria-invalid", String(name in wrong));
    }
    this.fields[Object.keys(wrong)[0]]?.control.focus();
  }

  async #rename(event) {
    event.preventDefault();
    const name = this.fields.name.control.value.trim();
    if (name === "") return this.#say({ name: "Say what colleagues and customers call you." });
    return this.#send("name", { name }, () => notify("The name is changed."));
  }

  async #change(event) {
    event.preventDefault();
    const { current_password: present, password, again } = this.fields;
    if (present.control.value === "") return this.#say({ current_password: "Type your present password." });
    if (password.control.value.length < LEAST) return this.#say({ password: "It needs at least ten characters." });
    if (password.control.value !== again.control.value) return this.#say({ again: "The two are not the same." });
    return this.#send("password", { current_password: present.control.value, password: password.control.value }, () => {
      for (const field of [present, password, again]) field.control.value = "";
      notify("The password is changed. Everywhere else you are signed out.");
    });
  }

  /** `field` shows what no field of the form is to blame for, such as too many attempts or no answer. */
  async #send(field, changes, done) {
    this.#say({});
    try {
      const me = await people.changeMe(changes);
      store.set("me", me);
      if ("name" in changes) await store.readUsers();
      done();
    } catch (error) {
      const known = Object.fromEntries(Object.entries(error.fields ?? {}).filter(([name]) => name in this.fields));
      this.#say(Object.keys(known).length ? known : { [field]: error.message });
    }
  }
}

customElements.define("my-account", MyAccount);
