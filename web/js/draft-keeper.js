/**
 * Keeps the draft of a reply-form: at once in this browser (drafts.js), a moment later on the server, where it is found again at another desk.
 * Promises that the last write stands, that a draft which was sent is not brought back, and that without the server nothing is lost here.
 */

import { keptDrafts } from "/web/js/api/drafts.js";
import { dropDraft, readDraft, saveDraft } from "/web/js/drafts.js";
import { fromHtml } from "/web/js/richtext-html.js";
import { toHtml } from "/web/js/richtext.js";
import { store } from "/web/js/store.js";

const WAIT_MS = 1500;
const HERE = "Draft kept in this browser";
const THERE = "Draft kept on the server";
const NOWHERE = "This browser keeps no drafts; do not leave before sending";

const body = ({ nodes, to, cc, bcc, attachments }) => ({
  html: toHtml(nodes ?? []), to: to ?? null, cc: cc ?? null, bcc: bcc ?? null,
  attachments: (attachments ?? []).map(({ id, filename, size_bytes }) => ({ id, filename, size_bytes })),
});
const asText = (draft) => JSON.stringify(body(draft));
const asDraft = ({ html, to, cc, bcc, attachments }) => ({ nodes: fromHtml(html), ...Object.fromEntries(Object.entries({ to, cc, bcc }).filter(([, list]) => list !== null)), attachments });

export class DraftKeeper {
  #form;
  #id = null;
  #base = null; // `updated_at` of what the server keeps, as far as this window knows
  #saved = null; // what it keeps, as text
  #wanted = null;
  #timer = 0;
  #turn = 0;
  #sent = new Set();

  constructor(form) {
    this.#form = form;
  }

  get #user() {
    return store.get("me")?.user.id;
  }

  /** Begins with a conversation: answers the draft of this browser or null, and looks whether the server has another. */
  begin(id) {
    this.flush();
    this.#turn += 1;
    this.#id = id;
    const local = readDraft(this.#user, id);
    this.#base = local?.server?.at ?? null;
    this.#saved = local?.server?.saved ?? null;
    if (store.mayWrite) this.#look(local, this.#turn);
    return local;
  }

  async #look(local, turn) {
    let draft;
    try {
      ({ draft } = await keptDrafts.get(this.#id));
    } catch {
      return; // The server is away: the draft of this browser is what there is.
    }
    if (turn !== this.#turn || this.#wanted) return;
    // What was typed here and never reached the server stays; the next save wins.
    const clean = local === null ? !this.#form.dirty : asText(local) === this.#saved;
    const other = (draft?.updated_at ?? null) !== this.#base;
    this.#base = draft?.updated_at ?? null;
    if (!other || !clean) return;
    const found = draft && asDraft(draft);
    this.#saved = found && asText(found);
    this.#form.found(found);
    if (found) saveDraft(this.#user, this.#id, { ...found, server: this.#mark });
    else dropDraft(this.#user, this.#id);
  }

  get #mark() {
    return { at: this.#base, saved: this.#saved };
  }

  /** The draft as it stands now; null when it is empty. Saved here at once, there a moment after the last change. */
  keep(draft) {
    const { foot } = this.#form;
    if (draft === null) dropDraft(this.#user, this.#id);
    const text = draft && asText(draft);
    const here = draft !== null && saveDraft(this.#user, this.#id, { ...draft, server: this.#mark });
    foot.kept = draft === null ? "" : text === this.#saved ? THERE : here ? HERE : NOWHERE;
    if (text === this.#saved) return;
    this.#wanted = { draft };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), WAIT_MS);
  }

  /** It was sent, and the server took it away with that; or it was discarded, and the server has to be told. */
  forget({ discarded = false } = {}) {
    clearTimeout(this.#timer);
    dropDraft(this.#user, this.#id);
    this.#sent.add(this.#turn);
    this.#turn += 1;
    this.#wanted = null;
    if (discarded && this.#base) keptDrafts.remove(this.#id).catch(() => {}); // It comes back at worst, to be discarded again.
    this.#base = null;
    this.#saved = null;
  }

  /** Saves on the server what waits. */
  async flush() {
    clearTimeout(this.#timer);
    const wanted = this.#wanted;
    const id = this.#id;
    const turn = this.#turn;
    this.#wanted = null;
    if (!wanted || !id) return;
    try {
      const made = wanted.draft ? await this.#put(id, body(wanted.draft), turn) : await keptDrafts.remove(id);
      // An answer that came behind the send: what it kept has left already.
      if (this.#sent.has(turn) && made) await keptDrafts.remove(id);
      if (turn !== this.#turn) return;
      this.#base = made?.updated_at ?? null;
      this.#saved = wanted.draft && asText(wanted.draft);
      if (!wanted.draft || this.#wanted) return;
      saveDraft(this.#user, id, { ...wanted.draft, server: this.#mark });
      this.#form.foot.kept = THERE;
    } catch {
      if (turn === this.#turn) this.#wanted ??= wanted; // Tried again with the next change, and when the conversation is left.
    }
  }

  /** Whoever types here has the last word, also over another window of the same person. */
  async #put(id, draft, turn) {
    try {
      return await keptDrafts.save(id, { ...draft, updated_at: this.#base });
    } catch (error) {
      if (error.kind !== "draft-changed" || turn !== this.#turn) throw error;
      return keptDrafts.save(id, { ...draft, updated_at: error.problem.draft?.updated_at ?? null });
    }
  }
}
