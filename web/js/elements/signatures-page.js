/**
 * `<signatures-page>`: one's own signature, and for admins that of each inbox and which of the two stands under its replies.
 */

import { signatures } from "/web/js/api/templates.js";
import { button, fillRows, h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import "/web/js/elements/rich-editor.js";
import { notify } from "/web/js/elements/toast-stack.js";

const CHOICES = [["both", "The agent's, then the inbox's"], ["agent", "The agent's"], ["inbox", "The inbox's"], ["none", "None"]];

export class SignaturesPage extends RoomElement {
  build() {
    this.body = h("div", { class: "panels signature-panels" });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Signatures")),
      h("p", { class: "lead" }, "They stand under replies, also those of programs. Automatic answers bear the inbox's where you choose so."), this.body);
  }

  attach() {
    this.listen(store, "change", ({ detail }) => detail.key === "inboxes" && this.#show());
    this.#show();
  }

  #show() {
    if (this.body.contains(document.activeElement)) return; // somebody writes
    // News of an inbox leave the other panels alone, and what is written in them.
    fillRows(this.body, [{ id: "own" }, ...(store.mayManage ? store.get("inboxes") : [])], (one) => (one.id === "own" ? this.#own() : this.#ofInbox(one)),
      ({ id, name, signature, signature_in_automatic: automatic }) => [id, name, signature, automatic]);
  }

  #own() {
    return this.#panel("Your own", { read: () => signatures.own({ signal: this.life }), save: (html) => signatures.saveOwn(html) });
  }

  #ofInbox(inbox) {
    const choice = h("select", { id: uid("signature") }, CHOICES.map(([value, text]) => h("option", { value, selected: value === inbox.signature }, text)));
    const automatic = h("input", { type: "checkbox", checked: inbox.signature_in_automatic });
    const read = () => signatures.ofInbox(inbox.id, { signal: this.life });
    const save = async (html) => {
      await signatures.saveOfInbox(inbox.id, { signature_html: html, signature: choice.value, signature_in_automatic: automatic.checked });
      await store.readInboxes();
    };
    return this.#panel(`Inbox ${plain(inbox.name)}`, { read, save }, h("div", { class: "field" }, h("label", { for: choice.id }, "Under its replies"), choice),
      h("label", { class: "check" }, automatic, "Under automatic answers too"));
  }

  #panel(title, { read, save }, ...more) {
    const editor = h("rich-editor", { label: `Signature: ${title}`, placeholder: "None" });
    const wrong = h("p", { class: "field-error", role: "alert" });
    const submit = button("Save", { kind: "primary", disabled: true, "aria-label": `Save ${title}`, onclick: async () => {
      wrong.textContent = "";
      try {
        await save(editor.empty ? "" : editor.html);
        notify("Saved");
      } catch (error) {
        wrong.textContent = Object.values(error.fields ?? {}).join(" ") || error.message;
      }
    } });
    // Saving before it was read would wipe what stands, and the reading what is written before it.
    editor.inert = true;
    read().then(({ nodes }) => {
      editor.nodes = nodes;
      editor.inert = false;
      submit.disabled = false;
    }, (error) => error.name !== "AbortError" && (wrong.textContent = error.message));
    return h("section", { class: "panel signature-panel", "aria-label": title }, h("h2", {}, title), editor, more, wrong, h("div", { class: "form-foot" }, submit));
  }
}

customElements.define("signatures-page", SignaturesPage);
