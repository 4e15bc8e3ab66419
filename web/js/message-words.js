/**
 * What is odd about a message, as badges, and the one time that stands for it.
 */

import { h, icon } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { autoWord, CLASSIFICATION, flagWords, KIND, phrase } from "/web/js/words.js";

/** When it was written; when it came in or was made, if it does not say. */
export const messageTime = (message) => message.sent_at ?? message.received_at ?? message.created_at;

const mark = (tone, iconName, text, title) => h("span", { class: `badge ${tone}`, title }, iconName ? icon(iconName) : null, text);

export const messageMarks = (message) => [
  message.is_auto ? mark("", "robot", autoWord(message.is_auto), `${plain(message.is_auto)}. Mailroom never answers it automatically.`) : null,
  KIND[message.kind] ? mark("", "robot", KIND[message.kind]) : null,
  ["bounce", "complaint"].includes(message.classification) ? mark("bad", "bounce", CLASSIFICATION[message.classification]) : null,
  message.duplicate_of_id ? mark("warn", "warning", "Same Message-ID as another mail, other content", "Both are kept.") : null,
  message.spam ? mark("warn", "spam", "Spam") : null,
  flagWords(message.flags).map((word) => mark("", null, word)),
  message.defects?.length ? mark("warn", "warning", plural(message.defects.length, "defect"), message.defects.map(phrase).join("; ")) : null,
  message.quarantine ? mark("bad", "shield", "In quarantine") : null,
];
