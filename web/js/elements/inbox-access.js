/**
 * `<inbox-access>`: the permission for a mailbox at Google or Microsoft: who gave it, what it allows, when it ends; connects it again, and
 * tries whether the provider's console is set up.
 */

import { inboxes } from "/web/js/api/inboxes.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { exact, plain } from "/web/js/format.js";
import { EXPIRY, PROVIDERS, oauthWords, scopeWord } from "/web/js/oauth-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { phrase } from "/web/js/words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const LOOK = { ok: ["good", "check", "Works"], wrong: ["bad", "cross", "Wrong"], unknown: ["", "clock", "Not known"], off: ["", "cancel", "Switched off"] };

export class InboxAccess extends RoomElement {
  inboxId = null;
  #provider = null;
  #access = null;

  build() {
    this.again = button("Reconnect", { iconName: "refresh", onclick: () => this.#reconnect() });
    this.head = h("div", { class: "panel-head" }, h("h2", {}, "Permission"), this.again);
    this.body = h("div", {});
    this.run = button("Verify setup", { iconName: "check", onclick: () => this.#verify() });
    this.result = h("div", { role: "status", "aria-live": "polite" });
    this.append(this.head, this.body, h("p", { class: "try" }, this.run), this.result);
  }

  /** The inbox as its page knows it; each change of its health reads the permission anew. */
  set inbox(inbox) {
    const stamp = `${inbox.health} ${inbox.connected_at} ${inbox.last_error}`;
    if (this.stamp === stamp) return;
    this.stamp = stamp;
    this.#provider = inbox.provider;
    this.ill = inbox.health === "auth_failed";
    this.#load();
  }

  async #load() {
    try {
      ({ access: this.#access } = await inboxes.access(this.inboxId, { signal: this.life }));
      this.#show();
    } catch (error) {
      if (error.name !== "AbortError") fill(this.body, h("p", { class: "inline-error", role: "alert" }, icon("warning"), error.message));
    }
  }

  #show() {
    const access = this.#access;
    const over = !access || access.ended_reason !== null || this.ill;
    this.again.classList.toggle("primary", over);
    if (!access) {
      fill(this.body, h("p", {}, "Nobody has connected this mailbox yet."));
      return;
    }
    const why = access.ended_reason ? oauthWords(access.ended_reason) : null;
    const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
    fill(this.body,
      why ? h("div", { class: "notice bad", role: "alert" }, icon("warning"), h("p", {}, why.text, " ", h("strong", {}, why.remedy))) : null,
      access.expiries.filter((end) => end.soon && !why).map((end) => h("div", { class: "notice warn", role: "alert" }, icon("clock"), h("p", {}, `${EXPIRY[end.what].word} ${exact(end.at)}. `, h("strong", {}, EXPIRY[end.what].remedy)))),
      h("dl", { class: "facts" },
        fact("Provider", PROVIDERS[access.provider]),
        fact(access.permission === "application" ? "Mailbox" : "Signed in as", plain(access.account), access.shared && access.permission !== "application" ? h("span", { class: "faint" }, " for a shared mailbox") : null),
        fact("Way", access.permission === "application" ? "application permission, nobody signed in" : "a person agreed"),
        fact("Given", timeAgo(access.granted_at, { long: true })),
        fact("Renewed", timeAgo(access.renewed_at, { long: true })),
        (why ? [] : access.expiries).map((end) => fact(EXPIRY[end.what].word, exact(end.at)))),
      access.permission === "application" ? null : h("p", { class: "scopes" }, "Allowed: ", access.scopes.length ? access.scopes.map((scope) => [h("code", {}, plain(scopeWord(scope))), " "]) : "nothing that the provider told"));
  }

  async #reconnect() {
    this.again.disabled = true;
    try {
      if (this.#access?.permission === "application") {
        await inboxes.byApplication({ inbox_id: this.inboxId });
        notify("Connected again. What came meanwhile is fetched.");
        this.tell("inbox-stale");
        return;
      }
      const { url } = await inboxes.connect({ provider: this.#provider, inbox_id: this.inboxId });
      location.assign(url);
    } catch (error) {
      notifyError(error, "Reconnect");
    } finally {
      this.again.disabled = false;
    }
  }

  async #verify() {
    this.run.disabled = true;
    fill(this.result, h("p", { class: "faint" }, "Asking the provider. This takes a few seconds."));
    try {
      const { ok, items } = await inboxes.setup(this.inboxId);
      fill(this.result,
        h("p", { class: `verdict ${ok ? "good" : "bad"}` }, icon(ok ? "check" : "cross"), ok ? "Nothing is wrong." : "Something is wrong; see below."),
        h("ul", { class: "checks" }, items.map((item) => this.#item(item))));
    } catch (error) {
      fill(this.result, h("p", { class: "inline-error", role: "alert" }, icon("warning"), error.message));
    } finally {
      this.run.disabled = false;
    }
  }

  #item({ name, field, state, detail, remedy }) {
    const [tone, picture, word] = LOOK[state];
    return h("li", { class: tone || null }, icon(picture, word), h("div", {}, h("strong", {}, phrase(name)), h("p", {}, plain(detail)),
      field && state !== "ok" ? h("p", { class: "faint" }, `Set in: ${plain(field)}`) : null, remedy ? h("p", { class: "remedy" }, plain(remedy)) : null));
  }
}

customElements.define("inbox-access", InboxAccess);
