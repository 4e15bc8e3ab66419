/**
 * `<sign-in>`: the door. Says plainly what went wrong and how long to wait; leads back to where one was.
 */

import { session } from "/web/js/api/session.js";
import { brandMark, button, fill, h, icon } from "/web/js/dom.js";
import { duration } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";

export class SignIn extends RoomElement {
  build() {
    this.email = h("input", { id: "sign-in-email", type: "email", autocomplete: "username", required: true, spellcheck: "false" });
    this.password = h("input", { id: "sign-in-password", type: "password", autocomplete: "current-password", required: true });
    this.notice = h("div", { class: "notice bad", role: "alert", hidden: true });
    this.submit = button("Sign in", { kind: "primary wide", type: "submit" });
    this.why = h("p", { class: "faint" });
    this.append(
      h("main", { class: "door" },
        h("form", { onsubmit: (event) => this.#enter(event), novalidate: true, "aria-labelledby": "sign-in-title" },
          brandMark(44),
          h("h1", { id: "sign-in-title" }, "Mailroom"), this.why, this.notice,
          h("div", { class: "field" }, h("label", { for: this.email.id }, "Email"), this.email),
          h("div", { class: "field" }, h("label", { for: this.password.id }, "Password"), this.password),
          this.submit)),
    );
  }

  attach() {
    this.why.textContent = this.hasAttribute("lost")
      ? "Your session ended. Sign in to go on where you were; drafts are kept."
      : "One inbox for the whole team.";
    this.email.focus();
  }

  async #enter(event) {
    event.preventDefault();
    if (!this.email.value.trim() || !this.password.value) {
      this.#say("Give both your email address and your password.");
      (this.email.value.trim() ? this.password : this.email).focus();
      return;
    }
    this.submit.disabled = true;
    this.notice.hidden = true;
    try {
      const me = await session.open(this.email.value.trim(), this.password.value);
      this.password.value = "";
      this.tell("signed-in", me);
    } catch (error) {
      this.#say(this.#sentence(error));
      this.password.select();
    } finally {
      this.submit.disabled = false;
    }
  }

  #sentence(error) {
    if (error.status === 401) return "Email and password do not match. Check both; passwords distinguish capitals.";
    if (error.status === 429) {
      const wait = error.retryAfter ? ` Wait ${duration(error.retryAfter)}, then try again.` : " Wait a few minutes, then try again.";
      return `Too many attempts to sign in.${wait}`;
    }
    return error.message;
  }

  #say(text) {
    fill(this.notice, icon("warning"), h("p", {}, text));
    this.notice.hidden = false;
  }
}

customElements.define("sign-in", SignIn);
