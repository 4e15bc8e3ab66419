/**
 * Service levels in words: what a countdown says and how urgent it is, targets, states of clocks. Pure.
 */

export const TARGETS = { first_response: "First answer", next_response: "Next answer", resolution: "Resolution" };
export const SEGMENTS = { running: "running", paused: "paused", outside: "outside hours", holiday: "holiday" };

/** `[word, tone]` of a clock's state. */
export const STATES = {
  running: ["Running", "info"],
  paused: ["Paused", ""],
  warned: ["Due soon", "warn"],
  breached: ["Late", "bad"],
  met: ["Met", "good"],
  late: ["Met late", "bad"],
  ended: ["Ended", ""],
  excused: ["Late, excused", "warn"],
};

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** A stretch of seconds, cut to its two largest parts: `2 d 4 h`, `3 h 5 min`, `42 min`, `50 s`. */
export function stretch(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 2 * MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  const [big, small, unit, rest] = whole < 2 * DAY ? [HOUR, MINUTE, "h", "min"] : [DAY, HOUR, "d", "h"];
  const left = Math.floor((whole % big) / small);
  return `${Math.floor(whole / big)} ${unit}${left ? ` ${left} ${rest}` : ""}`;
}

/** What the chip of a conversation says at this moment: `{tone, word, label}`, or null where nothing runs. */
export function countdown(sla, now = Date.now()) {
  if (!sla) return null;
  if (!sla.due_at) return sla.paused ? { tone: "", word: "paused", label: "Service level: the clock is paused" } : null;
  const left = (new Date(sla.due_at).getTime() - now) / 1000;
  if (left <= 0) return { tone: "bad", word: `${stretch(-left)} late`, label: `Service level: late by ${stretch(-left)}` };
  const soon = sla.warn_at && new Date(sla.warn_at).getTime() <= now;
  return { tone: soon ? "warn" : "", word: stretch(left), label: `Service level: due in ${stretch(left)}` };
}

/** Minutes of a form's two fields, and back. */
export const UNITS = { minutes: 1, hours: 60, days: 1440 };
export const inUnit = (minutes) => Object.keys(UNITS).reverse().find((unit) => minutes % UNITS[unit] === 0);
