/**
 * `<api-keys-page>`: the keys of programs: what each may do, when it was last used. A new key is shown once; a revoked one is refused at once.
 */

import { keys } from "/web/js/api/keys.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const SCOPES = [
  ["read", "Read", "conversations, messages, figures"],
  ["write", "Write", "answer, assign, tag, close"],
  ["admin", "Administer", "inboxes, people, rules and all other settings"],
];

export class ApiKeysPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people" });
    this.secret = h("div", { class: "notice good", hidden: true, role: "status" });
    this.body = h("div", { class: "panels", hidden: true },
      h("section", { class: "panel wide", "aria-label": "Keys in use" }, h("div", { class: "panel-head" }, h("h2", {}, "Keys in use")), this.secret, this.list),
      h("section", { class: "panel wide", "aria-label": "New key" }, h("div", { class: "panel-head" }, h("h2", {}, "New key")), this.#form()));
    this.append(
      h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "API keys")),
      h("p", { class: "lead" }, "A program shows its key as ", h("code", {}, "Authorization: Bearer mr_…"), " and may do what its scopes say, in this organisation only."),
      this.state, this.body);
  }

  attach() {
    this.state.loading(2, "card");
    this.#load();
  }

  async #load() {
    try {
      const { items } = await keys.list({ signal: this.life });
      this.state.done();
      this.body.hidden = false;
      fill(this.list, items.length ? items.map((key) => this.#key(key)) : h("li", {}, h("p", { class: "faint" }, "No program has a key.")));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #key(key) {
    const words = (key.scopes ?? []).map((scope) => SCOPES.find(([name]) => name === scope)?.[1] ?? scope);
    return h("li", {},
      h("div", {}, h("strong", {}, plain(key.name)), h("span", { class: "faint" }, key.prefix ? h("code", {}, `${key.prefix}…`) : null,
        key.last_used_at ? [" last used ", timeAgo(key.last_used_at, { long: true })] : " never used", key.created_at ? [", made ", timeAgo(key.created_at, { long: true })] : null)),
      h("span", { class: "badges" }, words.map((word) => h("span", { class: "badge" }, word))),
      button("Revoke", { kind: "small", "aria-label": `Revoke ${plain(key.name)}`, onclick: () => this.#revoke(key) }));
  }

  #form() {
    const id = uid("key-name");
    this.name = h("input", { id, type: "text", autocomplete: "off", maxlength: "100", placeholder: "Reporting" });
    this.boxes = SCOPES.map(([name, word, text]) => ({ name, box: h("input", { type: "checkbox", checked: name === "read" }), word, text }));
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.submit = button("Make a key", { type: "submit", kind: "primary" });
    return h("form", { class: "stack", novalidate: true, onsubmit: (event) => this.#make(event) },
      h("div", { class: "field" }, h("label", { for: id }, "Name"), this.name),
      h("fieldset", { class: "checks" }, h("legend", {}, "It may"), this.boxes.map(({ box, word, text }) => h("label", {}, box, h("span", {}, word, " ", h("span", { class: "faint" }, text))))),
      this.wrong, h("div", { class: "form-foot" }, this.submit));
  }

  async #make(event) {
    event.preventDefault();
    const scopes = this.boxes.filter(({ box }) => box.checked).map(({ name }) => name);
    const name = this.name.value.trim();
    this.wrong.textContent = !name ? "Give the key a name, so that you know later whose it is." : scopes.length ? "" : "Choose at least one thing that it may do.";
    if (this.wrong.textContent) return;
    this.submit.disabled = true;
    try {
      const made = await keys.add({ name, scopes });
      event.target.reset();
      this.#show(made);
      await this.#load();
    } catch (error) {
      this.wrong.textContent = [error.message, ...Object.entries(error.fields ?? {}).map(([field, message]) => `${field}: ${message}`)].join(" ");
    } finally {
      this.submit.disabled = false;
    }
  }

  #show(made) {
    const copy = button("Copy", { kind: "small", onclick: async () => {
      try {
        await navigator.clipboard.writeText(made.key);
        notify("Copied.");
      } catch {
        notify("This browser does not let the page copy. Select the key and copy it.", { tone: "bad" });
      }
    } });
    fill(this.secret, icon("key"), h("div", {}, h("p", {}, `The key of ${plain(made.name)}. Copy it now; it is not shown again.`), h("code", { class: "secret" }, made.key), " ", copy));
    this.secret.hidden = false;
  }

  async #revoke(key) {
    const sure = await ask({ title: `Revoke the key ${plain(key.name)}?`, paragraphs: ["The program that uses it is refused from now on."], confirm: "Revoke", danger: true });
    if (!sure) return;
    try {
      await keys.remove(key.id);
      await this.#load();
    } catch (error) {
      notifyError(error, "Not revoked");
    }
  }
}

customElements.define("api-keys-page", ApiKeysPage);
