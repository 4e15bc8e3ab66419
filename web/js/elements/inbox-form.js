/**
 * `<inbox-form>`: adds an inbox, or edits one. Complaints stand at their fields. Passwords go in and never come out; a
 * changed host, port or user name asks for the password again.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { notify } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/oauth-connect.js";

const SECURITY = { tls: "TLS", starttls: "STARTTLS", plain: "None (not encrypted)" };
const PORTS = { imap: { tls: 993, starttls: 143, plain: 143 }, smtp: { tls: 465, starttls: 587, plain: 25 } };
const WRITE_BACK = {
  read: "That a mail was read",
  archive: "That a conversation was archived: its mails go to the archive",
  closed: "That a conversation was closed: its mails go to the archive",
  spam: "That a conversation is spam: its mails go to Junk",
  trash: "That a conversation was thrown away: its mails go to the bin",
  labels: "Tags, as labels, categories or keywords",
};
const AUTH = { password: "Password", xoauth2: "OAuth 2 token" };

export class InboxForm extends RoomElement {
  #fields = new Map();
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
    const field = (name, label, options = {}) => this.#field(name, label, options);
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
      Object.entries(WRITE_BACK).map(([word, text]) => h("label", { class: "check" }, this.#plainInput(`write_back.${word}`, { type: "checkbox", checked: chosen.includes(word) }), text)),
      h("p", { class: "hint" }, "Other mail programs then show it too. What somebody changes there meanwhile stays as it is there."));
  }

  #autoResponse(answer) {
    return h("div", { class: "auto" },
      h("label", { class: "check" }, this.#plainInput("auto_response.enabled", { type: "checkbox", checked: Boolean(answer.enabled) }), "Answer each new conversation once, automatically"),
      this.#field("auto_response.subject", "Subject", { value: answer.subject }),
      this.#field("auto_response.body", "Text", { value: answer.body, multiline: true, hint: "Variables: {{ticket_number}}, {{org_name}}, {{inbox_name}}, {{sender_name}}. Machines and mailing lists are never answered." }));
  }

  /** SMTP follows what is typed for IMAP until it is touched itself. */
  #follow() {
    const address = this.#fields.get("email_address").input;
    for (const name of ["imap", "smtp"]) {
      const user = this.#fields.get(`${name}.username`).input;
      let touched = false;
      user.addEventListener("input", () => (touched = true));
      address.addEventListener("input", () => touched || (user.value = address.value));
    }
    const secret = this.#fields.get("smtp.password").input;
    let own = false;
    secret.addEventListener("input", () => (own = true));
    this.#fields.get("imap.password").input.addEventListener("input", (event) => own || (secret.value = event.target.value));
  }

  #port(name) {
    const port = this.#fields.get(`${name}.port`).input;
    const security = this.#fields.get(`${name}.security`).input.value;
    if (Object.values(PORTS[name]).includes(Number(port.value))) port.value = PORTS[name][security];
  }

  #plainInput(name, attributes) {
    const input = h("input", attributes);
    this.#fields.set(name, { input, error: null });
    return input;
  }

  #field(name, label, { options, multiline, hint, ...attributes }) {
    const id = uid("field");
    const tag = options ? "select" : multiline ? "textarea" : "input";
    const { value, ...rest } = attributes;
    const input = h(tag, { id, name, spellcheck: "false", "aria-describedby": `${id}-note`, ...rest }, options ? Object.entries(options).map(([key, word]) => h("option", { value: key }, word)) : null);
    input.value = value ?? "";
    const error = h("p", { class: "field-error", role: "alert", hidden: true });
    this.#fields.set(name, { input, error, label });
    input.addEventListener("input", () => this.#mark(name, null));
    return h("div", { class: "field" }, h("label", { for: id }, label), input, h("div", { id: `${id}-note` }, error, hint ? h("p", { class: "hint" }, hint) : null));
  }

  #mark(name, text) {
    const field = this.#fields.get(name);
    if (!field?.error) return false;
    field.error.textContent = text ?? "";
    field.error.hidden = !text;
    if (text) field.input.setAttribute("aria-invalid", "true");
    else field.input.removeAttribute("aria-invalid");
    return true;
  }

  #value(name) {
    const { input } = this.#fields.get(name);
    if (input.type === "checkbox") return input.checked;
    if (input.type === "number") return input.value === "" ? null : Number(input.value);
    return input.type === "password" ? input.value : input.value.trim();
  }

  #server(name) {
    const server = Object.fromEntries(["host", "port", "security", "username", "auth"].map((key) => [key, this.#value(`${name}.${key}`)]));
    const secret = this.#value(`${name}.password`);
    if (secret) server[server.auth === "xoauth2" ? "access_token" : "password"] = secret;
    return server;
  }

  /** What changed, so that an edit sends only that; a server is sent whole when any of it changed. */
  #body() {
    const body = Object.fromEntries(["name", "display_name", "backfill_days", "undo_send_seconds"].map((key) => [key, this.#value(key)]));
    if (!this.#was) return { ...body, email_address: this.#value("email_address"), imap: this.#server("imap"), smtp: this.#server("smtp") };
    body.send_policy = this.#value("send_policy");
    const changes = Object.fromEntries(Object.entries(body).filter(([key, value]) => value !== (this.#was[key] ?? "")));
    const told = Object.keys(WRITE_BACK).filter((word) => this.#fields.get(`write_back.${word}`)?.input.checked);
    if (told.sort().join() !== [...(this.#was.write_back ?? [])].sort().join()) changes.write_back = told;
    for (const name of ["imap", "smtp"]) {
      if (!this.#fields.has(`${name}.host`)) continue;
      const server = this.#server(name);
      const kept = this.#was.settings?.[name] ?? {};
      if (Object.entries(server).some(([key, value]) => value !== kept[key])) changes[name] = server;
    }
    const answer = { enabled: this.#value("auto_response.enabled"), subject: this.#value("auto_response.subject"), body: this.#value("auto_response.body") };
    const before = this.#was.auto_response ?? {};
    if (Object.entries(answer).some(([key, value]) => value !== (before[key] ?? (key === "enabled" ? false : "")))) changes.auto_response = answer;
    return changes;
  }

  #missing() {
    let first = null;
    for (const [name, { input, label }] of this.#fields) {
      if (!input.required || input.value.trim()) continue;
      this.#mark(name, `${label} is needed.`);
      first ??= input;
    }
    first?.focus();
    return first !== null;
  }

  async #submit(event) {
    event.preventDefault();
    this.notice.hidden = true;
    if (this.#missing()) return;
    this.save.disabled = true;
    try {
      const body = this.#body();
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
    const rest = [];
    let first = null;
    for (const [name, message] of Object.entries(error.fields)) {
      const place = name.replace(/\.access_token$/, ".password");
      if (this.#mark(place, message)) first ??= this.#fields.get(place).input;
      else rest.push(`${name}: ${message}`);
    }
    fill(this.notice, icon("warning"), h("p", {}, [error.message, ...rest].join(" ")));
    this.notice.hidden = false;
    if (first) first.focus();
    else this.notice.scrollIntoView({ block: "center" });
  }
}

customElements.define("inbox-form", InboxForm);
