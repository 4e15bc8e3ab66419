/**
 * `<person-form>`: one person's role, capacity, seniority, skills and languages; a new link to sign in; removal.
 * Tells `person-changed`, and `invitation` ({user, link}).
 */

import { people } from "/web/js/api/people.js";
import { button, h, uid } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { phrase } from "/web/js/words.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const words = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);

export class PersonForm extends RoomElement {
  /** The person as `GET /v1/users` has them; set before it is shown. */
  user = null;

  build() {
    const { user } = this;
    const roles = ["viewer", "agent", "admin", ...(store.role === "owner" || user.role === "owner" ? ["owner"] : [])];
    this.fields = {
      name: this.#field("Name", h("input", { type: "text", value: user.name, autocomplete: "off" })),
      role: this.#field("Role", h("select", {}, roles.map((role) => h("option", { value: role, selected: role === user.role }, phrase(role))))),
      capacity: this.#field("Open conversations at most", h("input", { type: "number", min: "0", max: "1000", value: user.capacity })),
      seniority: this.#field("Seniority", h("input", { type: "number", min: "0", max: "100", value: user.seniority })),
      skills: this.#field("Skills (tags or categories)", h("input", { type: "text", value: (user.skills ?? []).join(", "), placeholder: "billing, printers" })),
      languages: this.#field("Languages", h("input", { type: "text", value: (user.languages ?? []).join(", "), placeholder: "de, en" })),
    };
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.append(h("form", { class: "grid add", novalidate: true, onsubmit: (event) => this.#save(event) }, Object.values(this.fields).map((one) => one.root),
      h("div", { class: "actions" }, button("Save", { type: "submit", kind: "primary" }), button("New link to sign in", { iconName: "key", onclick: () => this.#invite() }), button("Remove", { iconName: "trash", onclick: () => this.#remove() })), this.wrong));
  }

  #field(label, control) {
    control.id = uid("person");
    const error = h("p", { class: "field-error", role: "alert", hidden: true });
    return { control, error, root: h("div", { class: "field" }, h("label", { for: control.id }, label), control, error) };
  }

  async #save(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    for (const one of Object.values(this.fields)) one.error.hidden = true;
    const value = Object.fromEntries(Object.entries(this.fields).map(([name, one]) => [name, one.control.value]));
    try {
      const changed = await people.change(this.user.id, { ...value, capacity: Number(value.capacity), seniority: Number(value.seniority), skills: words(value.skills), languages: words(value.languages) });
      notify(`Saved for ${plain(changed.name)}.`);
      document.activeElement?.blur(); // Saved by Enter: the field is not being typed in any more.
      this.tell("person-changed");
    } catch (error) {
      const known = Object.entries(error.fields ?? {}).filter(([name]) => this.fields[name]);
      for (const [name, message] of known) Object.assign(this.fields[name].error, { textContent: message, hidden: false });
      if (known.length === 0) this.wrong.textContent = [error.message, ...Object.values(error.fields ?? {})].join(" ");
    }
  }

  async #invite() {
    const sure = this.user.invited || (await ask({ title: `A new link for ${plain(this.user.name)}?`, paragraphs: ["They set a new password by it. The present one works until then; setting the new one signs them out everywhere."], confirm: "Make a link" }));
    if (!sure) return;
    try {
      this.tell("invitation", { user: this.user, link: await people.invite(this.user.id) });
    } catch (error) {
      notifyError(error, "No link made");
    }
  }

  async #remove() {
    const sure = await ask({ title: `Remove ${plain(this.user.name)}?`, paragraphs: ["They are signed out at once and cannot come back. Their open conversations wait again; what they wrote keeps their name.", "API keys that they made are revoked, unless machines that go on need them."], option: "Keep the API keys they made", confirm: "Remove", danger: true });
    if (!sure) return;
    try {
      const gone = await people.remove(this.user.id, { keepKeys: sure.checked });
      const keys = [gone.api_keys_revoked ? ` ${plural(gone.api_keys_revoked, "API key")} revoked.` : "", gone.api_keys ? ` ${plural(gone.api_keys, "API key")} of theirs kept.` : ""].join("");
      notify(`Removed. ${plural(gone.handed_back, "conversation")} handed back.${keys}`, { tone: gone.api_keys ? "warn" : "good" });
      this.tell("person-changed");
    } catch (error) {
      notifyError(error, "Not removed");
    }
  }
}

customElements.define("person-form", PersonForm);
