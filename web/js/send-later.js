/**
 * The choices of "send later": a few good moments and one of one's own. Pure, apart from asking.
 */

import { ask } from "/web/js/elements/ask-dialog.js";
import { exact } from "/web/js/format.js";

const MORNING = 9;

function morning(days) {
  const day = new Date();
  day.setDate(day.getDate() + days);
  day.setHours(MORNING, 0, 0, 0);
  return day;
}

/** `[{text, at: Date}]`, all in the future. */
export function moments(now = new Date()) {
  const toMonday = ((8 - now.getDay()) % 7) || 7;
  const choices = [
    { text: "In one hour", at: new Date(now.getTime() + 3_600_000) },
    { text: `Tomorrow at ${MORNING}:00`, at: morning(1) },
  ];
  if (toMonday > 1) choices.push({ text: `Monday at ${MORNING}:00`, at: morning(toMonday) });
  return choices;
}

const local = (date) => new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

/** Asks for a moment. Null when dismissed; a moment in the past is refused with a sentence. */
export async function askMoment() {
  const value = await ask({
    title: "Send later",
    paragraphs: [`The reply waits on the server and leaves by itself, in the time zone of this computer (${Intl.DateTimeFormat().resolvedOptions().timeZone}).`],
    confirm: "Schedule",
    input: { label: "Date and time", type: "datetime-local", value: local(morning(1)) },
  });
  if (!value) return null;
  const at = new Date(value);
  if (Number.isNaN(at.getTime()) || at.getTime() <= Date.now()) throw new RangeError(`${exact(at)} is in the past; choose a later moment.`);
  return at;
}
