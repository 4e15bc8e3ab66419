/**
 * Unsent replies, kept in this browser per person and conversation, with the key that makes a retry safe.
 * Promises that a reload, a crash or a lost session loses no text. Signing out removes them.
 */

const PREFIX = "mailroom.draft.";
const SENT = "mailroom.sent.";

function keep(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false; // Full or forbidden: the caller says that the draft is not saved.
  }
}

function take(storage, key) {
  try {
    return JSON.parse(storage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function drop(storage, prefix) {
  try {
    for (const key of Object.keys(storage)) if (key.startsWith(prefix)) storage.removeItem(key);
  } catch {
    // Nothing was kept, so nothing is to be removed.
  }
}

const name = (user, conversation) => `${PREFIX}${user}.${conversation}`;

/** `{nodes, to, cc, bcc, attachments, key, sentBody, savedAt}` or null. */
export const readDraft = (user, conversation) => take(localStorage, name(user, conversation));
export const saveDraft = (user, conversation, draft) =>
  keep(localStorage, name(user, conversation), { ...draft, savedAt: new Date().toISOString() });
export const dropDraft = (user, conversation) => drop(localStorage, name(user, conversation));
export const hasDraft = (user, conversation) => readDraft(user, conversation) !== null;

/** The content of what was just sent, so that Undo can put it back into the reply box. */
export const rememberSent = (message, draft) => keep(sessionStorage, SENT + message, draft);
export const recallSent = (message) => take(sessionStorage, SENT + message);

export function forgetAll() {
  drop(localStorage, PREFIX);
  drop(sessionStorage, SENT);
}
