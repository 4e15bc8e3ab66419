/**
 * The moments until which a conversation may sleep, and how they are said. Pure, apart from asking.
 */

import { ask } from "/web/js/elements/ask-dialog.js";
import { exact } from "/web/js/format.js";

const MORNING = 9;
const EVENING = 18;
const HOUR_MS = 3_600_000;
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

function onDay(now, days, hour) {
  const day = new Date(now);
  day.setDate(day.getDate() + days);
  day.setHours(hour, 0, 0, 0);
  return day;
}

/** `[{text, at: Date}]`, all in the future: later today, tomorrow, next week. */
export function snoozeMoments(now = new Date()) {
  const evening = onDay(now, 0, EVENING);
  const later = evening - now > 2 * HOUR_MS ? evening : new Date(now.getTime() + 3 * HOUR_MS);
  const toMonday = ((8 - now.getDay()) % 7) || 7;
  return [
    { text: `Later today, ${clock.format(later)}`, at: later },
    { text: `Tomorrow, ${clock.format(onDay(now, 1, MORNING))}`, at: onDay(now, 1, MORNING) },
    { text: `Next week, ${weekday.format(onDay(now, toMonday, MORNING))}`, at: onDay(now, toMonday, MORNING) },
  ];
}

/** When it wakes, as short as it is clear: the clock for today, the weekday within a week, the date beyond. */
export function wakeWord(time, now = new Date()) {
  const at = new Date(time);
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  return at - now < 6 * 24 * HOUR_MS ? weekday.format(at) : date.format(at);
}

const local = (day) => new Date(day.getTime() - day.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

/** Asks for a moment. Null when dismissed; one in the past is refused with a sentence. */
export async function askWakeTime() {
  const value = await ask({
    title: "Snooze until",
    paragraphs: [`The conversation comes back by itself, or as soon as the customer writes. Times are those of this computer (${Intl.DateTimeFormat().resolvedOptions().timeZone}).`],
    confirm: "Snooze",
    input: { label: "Date and time", type: "datetime-local", value: local(onDay(new Date(), 1, MORNING)) },
  });
  if (!value) return null;
  const at = new Date(value);
  if (Number.isNaN(at.getTime()) || at.getTime() <= Date.now()) throw new RangeError(`${exact(at)} is in the past; choose a later moment.`);
  return at;
}
