/**
 * `<inbox-form>`: adds an inbox, or edits one. Complaints stand at their fields. Passwords go in and never come out; a
 * changed host, port or user name asks for the password again.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { FormFields } from "/web/js/form-fields.js";
import { inboxBody, WRITE_BACK } from "/web/js/inbox-body.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { notify } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/oauth-connect.js";

const SECURITY = { tls: "TLS", starttls: "STARTTLS", plain: "None (not encrypted)" };
const PORTS = { imap: { tls: 993, starttls: 143, plain: 143 }, smtp: { tls: 465, starttls: 587, plain: 25 } };
const AUTH = { password: "Password", xoauth2: "OAuth 2 token" };

export class InboxForm extends RoomElement {
  #fields = new FormFields();
  #was = null;
  itemId = null;

  build() {
    this.state = document.createElement("load-state");
    this.notice = h("div", { class: "notice bad", role: "alert", hidden: true });
    this.form = h("form", { class: "sheet", novalidate: true, onsubmit: (event) => this.#submit(event) });
    this.append(h("header", { class: "page-head" }, h("a", { class: "button quiet icon-only", href: this.#exit, "aria-label": "Back" }, icon("back")), h("h1", {}, this.itemId ? "Edit inbox" : "Add an inbox")), this.itemId ? null : document.createElement("oauth-connect"), this.state, this.form);
    if (this.itemId) this.#load();
    else this.#draw(null);
  }

  get #exit() {
    return this.itemId ? `/inboxes/${encodeURIComponent(this.itemId)}` : "/inboxes";
  }

  async #load() {
    this.state.loading(2, "card");
    try {
      this.#was = await inboxes.get(this.itemId, { signal: this.life });
      this.state.done();
      this.#draw(this.#was);
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #draw(inbox) {
    const field = (name, label, options = {}) => this.#fields.field(name, label, options);
    const server = (name, title) => {
      const kept = inbox?.settings?.[name] ?? {};
      const security = kept.security ?? (name === "imap" ? "tls" : "starttls");
      return h("fieldset", {}, h("legend", {}, title),
        h("div", { class: "grid server" },
          field(`${name}.host`, "Host", { value: kept.host, placeholder: `${name}.example.com`, required: true }),
          field(`${name}.security`, "Security", { options: SECURITY, value: security, onchange: () => this.#port(name) }),
          field(`${name}.port`, "Port", { type: "number", value: kept.port ?? PORTS[name][security], required: true, min: 1, max: 65_535 })),
        h("div", { class: "grid" },
          field(`${name}.username`, "User name", { value: kept.username, autocomplete: "off", required: true }),
          field(`${name}.auth`, "Sign in with", { options: AUTH, value: kept.auth ?? "password" }),
          field(`${name}.password`, kept.auth === "xoauth2" ? "Token" : "Password or token", { type: "password", autocomplete: "new-password", required: !inbox, hint: inbox ? "Leave empty to keep the present one. Needed again when host, port or user name change." : null })));
    };
    this.save = button(inbox ? "Save" : "Connect", { kind: "primary", type: "submit" });
    fill(
      this.form,
      this.notice,
      h("fieldset", {}, h("legend", {}, "The inbox"),
        h("div", { class: "grid" },
          field("name", "Name", { value: inbox?.name, placeholder: "Support", required: true }),
          field("email_address", "Address", { type: "email", value: inbox?.email_address, placeholder: "support@example.com", required: true, readonly: Boolean(inbox) }),
          field("display_name", "Sender name", { value: inbox?.display_name, placeholder: "Example Support", hint: "What customers see beside the address." }))),
      inbox && inbox.provider !== "imap" ? null : [server("imap", "Receiving (IMAP)"), server("smtp", "Sending (SMTP)")],
      h("fieldset", {}, h("legend", {}, "Behaviour"),
        h("div", { class: "grid" },
          field("backfill_days", "Days of history to fetch", { type: "number", value: inbox?.backfill_days ?? 90, min: 0, max: 36_500, hint: "0 fetches none. Newest first; live mail always goes before." }),
          field("undo_send_seconds", "Seconds to undo a send", { type: "number", value: inbox?.undo_send_seconds ?? 5, min: 0, max: 600 }),
          inbox ? field("send_policy", "If it is unknown what became of a reply", { value: inbox.send_policy ?? "ask", options: { ask: "Ask a person", at_least_once: "Send again (may arrive twice)" }, hint: "The mail server took the whole mail and its answer was lost. Automatic mails are never sent again." }) : null),
        inbox && inbox.provider !== "ses" ? this.#writeBack(inbox.write_back ?? []) : null,
        inbox ? this.#autoResponse(inbox.auto_response ?? {}) : null),
      h("div", { class: "form-foot" }, this.save, h("a", { class: "button", href: this.#exit }, "Cancel")),
    );
    if (!inbox) this.#follow();
  }

  #writeBack(chosen) {
    return h("fieldset", { class: "checks", "aria-label": "What the mail server is told" }, h("legend", {}, "What the mail server is told"),
      Object.entries(WRITE_BACK).map(([word, text]) => h("label", { class: "check" }, this.#fields.plain(`write_back.${word}`, { type: "checkbox", checked: chosen.includes(word) }), text)),
      h("p", { class: "hint" }, "Other mail programs then show it too. What somebody changes there meanwhile stays as it is there."));
  }

  #autoResponse(answer) {
    return h("div", { class: "auto" },
      h("label", { class: "check" }, this.#fields.plain("auto_response.enabled", { type: "checkbox", checked: Boolean(answer.enabled) }), "Answer each new conversation once, automatically"),
      this.#fields.field("auto_response.subject", "Subject", { value: answer.subject }),
      this.#fields.field("auto_response.body", "Text", { value: answer.body, multiline: true, hint: "Variables: {{ticket_number}}, {{org_name}}, {{inbox_name}}, {{sender_name}}. Machines and mailing lists are never answered." }));
  }

  /** SMTP follows what is typed for IMAP until it is touched itself. */
  #follow() {
    const address = this.#fields.input("email_address");
    for (const name of ["imap", "smtp"]) {
      const user = this.#fields.input(`${name}.username`);
      let touched = false;
      user.addEventListener("input", () => (touched = true));
      address.addEventListener("input", () => touched || (user.value = address.value));
    }
    const secret = this.#fields.input("smtp.password");
    let own = false;
    secret.addEventListener("input", () => (own = true));
    this.#fields.input("imap.password").addEventListener("input", (event) => own || (secret.value = event.target.value));
  }

  #port(name) {
    const port = this.#fields.input(`${name}.port`);
    const security = this.#fields.input(`${name}.security`).value;
    if (Object.values(PORTS[name]).includes(Number(port.value))) port.value = PORTS[name][security];
  }

  async #submit(event) {
    event.preventDefault();
    this.notice.hidden = true;
    if (this.#fields.missing()) return;
    this.save.disabled = true;
    try {
      const body = inboxBody(this.#fields, this.#was);
      const inbox = this.#was ? await inboxes.change(this.itemId, body) : await inboxes.add(body);
      notify(this.#was ? "Saved" : "Inbox added; it is being connected.");
      router.go(`/inboxes/${encodeURIComponent(inbox.id)}`);
    } catch (error) {
      this.#refused(error);
    } finally {
      this.save.disabled = false;
    }
  }

  #refused(error) {
    if (error.status === 401) return;
    const { first, rest } = this.#fields.place(error.fields, (name) => name.replace(/\.access_token$/, ".password"));
    fill(this.notice, icon("warning"), h("p", {}, [error.message, ...rest].join(" ")));
    this.notice.hidden = false;
    if (first) first.focus();
    else this.notice.scrollIntoView({ block: "center" });
  }
}

customElements.define("inbox-form", InboxForm);
