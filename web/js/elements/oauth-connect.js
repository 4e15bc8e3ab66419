/**
 * `<oauth-connect>`: connects a mailbox at Google or Microsoft by signing in there, with a shared mailbox by another account, or, where the
 * operator allows it, by the application itself. Shows nothing while this installation has no application.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { PROVIDERS } from "/web/js/oauth-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";

export class OAuthConnect extends RoomElement {
  #choices = null;

  build() {
    this.notice = h("div", { class: "notice bad", role: "alert", hidden: true });
    this.form = h("form", { class: "sheet oauth", novalidate: true, onsubmit: (event) => event.preventDefault() });
    this.append(this.form);
  }

  attach() {
    if (!this.#choices) this.#load();
  }

  async #load() {
    try {
      this.#choices = await inboxes.choices({ signal: this.life });
    } catch {
      return; // the form for passwords below still works, and tells if the server is away
    }
    if (this.#choices.providers.length) this.#draw();
  }

  #draw() {
    const { providers, application, redirect_uri: redirect } = this.#choices;
    const field = (label, attributes) => {
      const input = h("input", { id: uid("oauth"), spellcheck: "false", ...attributes });
      return [input, h("div", { class: "field" }, h("label", { for: input.id }, label), input)];
    };
    const [address, addressField] = field("Address of the mailbox", { type: "email", name: "oauth_address", placeholder: "support@example.com", required: true, autocomplete: "off" });
    const [name, nameField] = field("Name", { name: "oauth_name", placeholder: "Support" });
    this.address = address;
    this.name = name;
    this.shared = h("input", { type: "checkbox", name: "oauth_shared" });
    const microsoft = providers.includes("graph");
    fill(this.form,
      h("fieldset", {}, h("legend", {}, "Sign in at the provider"),
        this.notice,
        h("p", { class: "hint" }, "No password is entered here. You agree on the provider's own page and come back."),
        h("div", { class: "grid" }, addressField, nameField),
        microsoft ? h("label", { class: "check" }, this.shared, "Another account opens this mailbox (shared or delegated, Microsoft only)") : null,
        h("div", { class: "form-foot" }, providers.map((one) => button(`Connect ${PROVIDERS[one]}`, { kind: "primary", iconName: "key", onclick: (event) => this.#go(event, () => this.#start(one)) })),
          application ? button("Connect Microsoft without a person", { iconName: "shield", onclick: (event) => this.#go(event, () => this.#byApplication()) }) : null),
        h("details", {}, h("summary", {}, "For the operator"), h("p", { class: "hint" }, "Registered in the provider's console, to the letter: ", h("code", {}, redirect)))),
    );
  }

  async #start(provider) {
    const { url } = await inboxes.connect({ provider, email_address: this.address.value.trim(), ...this.#named(), ...(provider === "graph" && this.shared.checked ? { shared: true } : {}) });
    location.assign(url);
  }

  async #byApplication() {
    const inbox = await inboxes.byApplication({ email_address: this.address.value.trim(), ...this.#named() });
    router.go(`/inboxes/${encodeURIComponent(inbox.id)}`);
  }

  #named() {
    const name = this.name.value.trim();
    return name ? { name } : {};
  }

  async #go(event, work) {
    if (!this.address.value.trim()) {
      this.#refuse("The address of the mailbox is needed.");
      this.address.focus();
      return;
    }
    const pressed = event.currentTarget;
    pressed.disabled = true;
    this.notice.hidden = true;
    try {
      await work();
    } catch (error) {
      if (error.status !== 401) this.#refuse([error.message, ...Object.values(error.fields ?? {})].join(" "));
    } finally {
      pressed.disabled = false;
    }
  }

  #refuse(text) {
    fill(this.notice, icon("warning"), h("p", {}, text));
    this.notice.hidden = false;
  }
}

customElements.define("oauth-connect", OAuthConnect);
