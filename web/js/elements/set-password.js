/**
 * `<set-password>`: the door of somebody who was invited. The token stands behind the `#` of the link and is sent only with the new password.
 */

import { people } from "/web/js/api/people.js";
import { brandMark, button, fill, h, icon } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";

export class SetPassword extends RoomElement {
  build() {
    this.password = h("input", { id: "new-password", type: "password", autocomplete: "new-password", minlength: "10", required: true });
    this.again = h("input", { id: "new-password-again", type: "password", autocomplete: "new-password", required: true });
    this.notice = h("div", { class: "notice bad", role: "alert", hidden: true });
    this.submit = button("Set the password", { kind: "primary wide", type: "submit" });
    this.append(h("main", { class: "door" },
      h("form", { onsubmit: (event) => this.#set(event), novalidate: true, "aria-labelledby": "set-password-title" },
        brandMark(44), h("h1", { id: "set-password-title" }, "Welcome to Mailroom"),
        h("p", { class: "faint" }, "Choose a password of at least ten characters. Nobody else gets to know it."), this.notice,
        h("div", { class: "field" }, h("label", { for: this.password.id }, "New password"), this.password),
        h("div", { class: "field" }, h("label", { for: this.again.id }, "Once more"), this.again), this.submit)));
  }

  attach() {
    this.password.focus();
  }

  async #set(event) {
    event.preventDefault();
    if (this.password.value.length < 10) return this.#say("It needs at least ten characters.");
    if (this.password.value !== this.again.value) return this.#say("The two are not the same.");
    this.submit.disabled = true;
    try {
      await people.accept(location.hash.slice(1), this.password.value);
      location.replace("/sign-in"); // The link is used up; it should not stay in the history.
    } catch (error) {
      this.#say(error.fields?.token ? "This link is not whole. Copy it again." : [error.message, ...Object.values(error.fields ?? {})].join(" "));
    } finally {
      this.submit.disabled = false;
    }
    return undefined;
  }

  #say(text) {
    fill(this.notice, icon("warning"), h("p", {}, text));
    this.notice.hidden = false;
  }
}

customElements.define("set-password", SetPassword);
