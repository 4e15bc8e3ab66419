/**
 * `<template-form>`: writes a canned reply: name, shortcut, for whom, text with placeholders. Tells `template-saved` or `template-left`.
 */

import { ruleNames } from "/web/js/api/rules.js";
import { templates } from "/web/js/api/templates.js";
import { upload } from "/web/js/api/uploads.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PLACEHOLDERS } from "/web/js/placeholders.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";

export class TemplateForm extends RoomElement {
  #template = null;
  #teams = [];
  #files = null; // what was chosen anew: all of the template's files from then on

  build() {
    this.name = h("input", { type: "text", id: uid("template"), maxlength: "200", required: true });
    this.shortcut = h("input", { type: "text", id: uid("template"), maxlength: "40", placeholder: "thanks", autocomplete: "off" });
    this.scope = h("select", { id: uid("template") });
    this.editor = h("rich-editor", { label: "Text of the template", placeholder: "Hi {{customer.first_name|there}}, …" });
    this.subject = h("input", { type: "text", id: uid("template"), maxlength: "998", placeholder: "As the conversation's" });
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.fileNames = h("span", { class: "faint" });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files of the template", onchange: () => this.#attach([...this.picker.files]) });
    this.holders = h("menu-button", { label: "Insert a placeholder", icon: "plus", text: "Placeholder" });
    const field = (label, input, hint = null) => h("div", { class: "field" }, h("label", { for: input.id }, label), input, hint ? h("span", { class: "hint" }, hint) : null);
    this.append(h("form", { class: "panel template-form", novalidate: true, onsubmit: (event) => this.#save(event) },
      h("div", { class: "grid" }, field("Name", this.name), field("Shortcut", this.shortcut, "Type / and this word in a reply."), field("For", this.scope)),
      h("div", { class: "template-text" }, this.editor, h("div", { class: "actions" }, this.holders, button("Files", { iconName: "clip", kind: "small", onclick: () => this.picker.click() }), this.picker, this.fileNames)),
      field("Subject", this.subject), this.wrong,
      h("div", { class: "form-foot" }, button("Save", { type: "submit", kind: "primary" }), button("Cancel", { onclick: () => this.tell("template-left") }))));
    this.holders.entries = PLACEHOLDERS.map(([name, meaning]) => ({ text: `{{${name}}} – ${meaning}`, iconName: "pen", run: () => this.editor.insertText(`{{${name}}}`) }));
  }

  attach() {
    this.#show();
    if (store.mayManage) ruleNames({ signal: this.life }).then(({ teams }) => (this.#teams = teams), () => null);
  }

  /** The template to change, or null for a new one. */
  set template(value) {
    this.#template = value;
    this.#files = null;
    if (this.isConnected) this.#show();
  }

  #show() {
    const one = this.#template;
    const choices = [["personal", "Only me"], ...(store.mayManage ? [["all", "Everybody"], ...store.get("inboxes").map((inbox) => [`inbox ${inbox.id}`, `Inbox ${plain(inbox.name)}`]), ...this.#teams.map((team) => [`team ${team.id}`, `Team ${plain(team.name)}`])] : [])];
    fill(this.scope, choices.map(([value, text]) => h("option", { value }, text)));
    this.scope.value = one ? (one.personal ? "personal" : one.inbox ? `inbox ${one.inbox.id}` : one.team ? `team ${one.team.id}` : "all") : store.mayManage ? "all" : "personal";
    this.scope.disabled = one !== null; // whose it is stays; make another one instead
    this.name.value = one?.name ?? "";
    this.shortcut.value = one?.shortcut ?? "";
    this.subject.value = one?.subject ?? "";
    this.editor.nodes = one?.nodes ?? [];
    this.#names(one?.attachments ?? []);
    this.wrong.textContent = "";
    this.name.focus();
  }

  #names(files) {
    fill(this.fileNames, files.map((file) => [icon("clip"), " ", plain(file.filename), " "]), files.length ? button("Without files", { kind: "small quiet", onclick: () => {
      this.#files = [];
      this.#names([]);
    } }) : null);
  }

  async #attach(chosen) {
    this.picker.value = "";
    try {
      const made = [];
      for (const file of chosen) made.push(await upload(file, { signal: this.life }));
      this.#files = [...(this.#files ?? []), ...made];
      this.#names(this.#files);
    } catch (error) {
      this.wrong.textContent = error.message;
    }
  }

  async #save(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    const scope = this.scope.value;
    const said = { name: this.name.value, shortcut: this.shortcut.value.trim(), subject: this.subject.value, html: this.editor.html, text: this.editor.text };
    if (this.#files) said.attachments = this.#files.map((file) => file.id);
    try {
      if (this.#template) {
        await templates.change(this.#template.id, said);
      } else {
        const [kind, id = null] = scope.split(" ");
        await templates.add({ ...said, shortcut: said.shortcut || null, personal: kind === "personal", inbox_id: kind === "inbox" ? id : null, team_id: kind === "team" ? id : null });
      }
      this.tell("template-saved");
    } catch (error) {
      this.wrong.textContent = Object.entries(error.fields ?? {}).map(([field, message]) => `${field}: ${message}.`).join(" ") || error.message;
    }
  }
}

customElements.define("template-form", TemplateForm);
