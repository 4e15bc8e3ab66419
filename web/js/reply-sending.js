/**
 * Sends what a reply-form holds: once per key, and never past a newer message that its writer has not seen.
 * Leaves the draft to the form, the words of refusals to reply-notice, the delivery to the server.
 */

import { conversations } from "/web/js/api/conversations.js";
import { announce } from "/web/js/dom.js";
import { rememberSent } from "/web/js/drafts.js";
import { plain } from "/web/js/format.js";
import { validAddress } from "/web/js/elements/address-field.js";

const sameText = (one, other) => JSON.stringify({ ...one, seen_version: 0 }) === JSON.stringify({ ...other, seen_version: 0 });

export class ReplySending {
  #form;
  #seen = null;
  #newer = null;
  #busy = false;

  /** The attempt without an answer, `{key, body}`, or null. It is kept with the draft. */
  attempt = null;

  constructor(form) {
    this.#form = form;
  }

  begin(version, attempt) {
    this.#seen = version;
    this.#newer = null;
    this.attempt = attempt;
  }

  forget() {
    this.attempt = null;
    this.#newer = null;
  }

  /** The view has read up to this version; with something half-written, what arrived is shown first. */
  read(version, arrived) {
    if (!this.#form.dirty || arrived.length === 0) {
      if (!this.#newer) this.#seen = version;
      return;
    }
    this.#show(version, [...(this.#newer?.messages ?? []), ...arrived], false);
  }

  #show(version, messages, asked, changes = this.#newer?.changes ?? []) {
    this.#newer = { version, messages, changes };
    this.#form.notice.newer(messages, asked, changes);
  }

  /** The writer has read what was newer. */
  accept({ send }) {
    if (this.#newer) this.#seen = this.#newer.version;
    this.#newer = null;
    this.#form.notice.clear();
    if (send) this.send();
  }

  /** What stands in the way of sending, as a sentence, or null. */
  #obstacle() {
    const { people, editor, tray } = this.#form;
    const { everyone } = people;
    if (everyone.length === 0) return "Nobody would get this. Add at least one recipient.";
    const wrong = everyone.find((one) => !validAddress(one.address));
    if (wrong) return `${plain(wrong.address)} is not a mail address. Correct or remove it.`;
    if (editor.empty && tray.ready.length === 0) return "There is nothing to send yet. Write a reply, or attach a file.";
    if (tray.busy) return "A file is still on its way. Wait until it is up, or remove it.";
    if (tray.failed.length) return `${plain(tray.failed[0].filename)} could not be attached. Retry or remove it.`;
    return null;
  }

  async send({ sendAt = null } = {}) {
    if (this.#busy) return;
    const form = this.#form;
    form.people.commit();
    const obstacle = this.#obstacle();
    if (obstacle) {
      form.notice.say(obstacle, "warn");
      return;
    }
    if (this.#newer) {
      this.#show(this.#newer.version, this.#newer.messages, true);
      return;
    }
    const { attempt, ...draft } = form.draft;
    const { nodes: _, ...people } = draft;
    const body = { html: form.editor.html, text: form.editor.text, ...people, attachments: draft.attachments.map((file) => file.id), seen_version: this.#seen };
    if (sendAt) body.send_at = sendAt.toISOString();
    // The key outlives an attempt without an answer, so that pressing Send again cannot send twice (S-8).
    // The very same text goes again with the version it had then, or the server would take it for another request.
    if (attempt && sameText(attempt.body, body)) body.seen_version = attempt.body.seen_version;
    this.attempt = { key: attempt?.key ?? crypto.randomUUID(), body };
    form.save();
    this.#working(true);
    const { id } = form.conversation;
    try {
      const message = await conversations.send(id, body, this.attempt.key);
      rememberSent(message.id, draft);
      if (form.conversation.id === id) form.clear();
      announce(sendAt ? "Reply scheduled" : "Reply queued");
      form.tell("message-sent", message);
    } catch (error) {
      this.#refused(error);
    } finally {
      this.#working(false);
    }
  }

  #working(on) {
    this.#busy = on;
    this.#form.foot.busy = on;
    this.#form.toggleAttribute("busy", on);
  }

  #refused(error) {
    const { notice } = this.#form;
    if (error.refused && error.kind !== "key-in-flight") {
      this.attempt = null;
      this.#form.save();
    }
    if (error.kind === "stale-view") {
      this.#show(error.problem.current_version, error.problem.newer_messages ?? [], true, error.problem.changes ?? []);
      this.#form.tell("newer-messages", error.problem.newer_messages ?? []);
    } else if (error.kind === "key-reused") {
      notice.say("An earlier try did reach the server with other text. Look at the conversation above: what was sent stands there. Send again only if something is missing.", "warn");
      this.#form.tell("message-stale", null);
    } else if (error.status === 422) {
      this.#place(error);
    } else if (error.status !== 401) {
      notice.say(`Not sent yet: ${error.message}${error.refused ? "" : " Your text is kept; pressing Send again cannot send it twice."}`);
    }
  }

  /** Puts each complaint of the server beside the field that it names. */
  #place(error) {
    const rest = [];
    const marks = { to: {}, cc: {}, bcc: {} };
    for (const [field, message] of Object.entries(error.fields)) {
      const [, name, index] = /^(\w+)(?:\[(\d+)\])?/.exec(field) ?? [];
      if (marks[name]) marks[name][index ?? "*"] = message;
      else if (name === "attachments" && index !== undefined) this.#form.tray.complain(Number(index), message);
      else rest.push(`${field}: ${message}`);
    }
    this.#form.people.errors = marks;
    this.#form.notice.say([error.message, ...rest].join(" "));
  }
}
