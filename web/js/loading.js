/**
 * Modules that the first screen does without, loaded when they are asked for. A part that cannot be loaded is an error with a readable sentence.
 * Promises that `wholeDesk()` loads behind-the-list.js once. Leaves showing what failed to those who ask.
 */

const SENTENCE = "A part of the client could not be loaded. Check that the server is running, then try again.";

async function readable(coming) {
  try {
    return await coming;
  } catch (cause) {
    console.warn(cause);
    throw Object.assign(new Error(SENTENCE), { cause });
  }
}

/** The module of one element. Throws an Error whose message can be shown. */
export const loadElement = (tag) => readable(import(`/web/js/elements/${tag}.js`));

let whole = null;

/** The conversation, the dialogs and everything that hangs in a place. Throws an Error whose message can be shown. */
export function wholeDesk() {
  whole ??= readable(import("/web/js/behind-the-list.js"));
  whole.catch(() => (whole = null)); // The next who asks tries again.
  return whole;
}
