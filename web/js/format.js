/**
 * Numbers, sizes, times and names as people read them. Pure; knows the reader's locale and nothing else.
 */

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const number = new Intl.NumberFormat();

export const count = (value) => number.format(value ?? 0);
export const exact = (time) => (time ? full.format(new Date(time)) : "");

/** Short time for lists: minutes within the hour, then the clock, the day, the year. */
export function shortTime(time, now = Date.now()) {
  const then = new Date(time);
  const seconds = (then.getTime() - now) / 1000;
  if (Math.abs(seconds) < 45) return "now";
  if (Math.abs(seconds) < 3600) return relative.format(Math.round(seconds / 60), "minute");
  const today = new Date(now);
  if (then.toDateString() === today.toDateString()) return clock.format(then);
  if (then.getFullYear() === today.getFullYear()) return day.format(then);
  return dayOfYear.format(then);
}

/** Distance in words: "3 min. ago", "yesterday". */
export function distance(time, now = Date.now()) {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return "just now";
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), "hour");
  if (size < 86_400 * 30) return relative.format(Math.round(seconds / 86_400), "day");
  return dayOfYear.format(new Date(time));
}

/** Bytes in the units that file managers show (1 MB = 1,048,576 bytes, as the limits are counted). */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  const mega = bytes / (1024 * 1024);
  return `${mega < 10 ? mega.toFixed(1) : Math.round(mega)} MB`;
}

/** A duration in seconds as "2 h 5 min", "40 s". */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

// Characters that reorder or hide text: the server strips them too, this is the second wall.
const DECEPTIVE = /[\u0000\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu;
export const plain = (text) => String(text ?? "").replace(DECEPTIVE, "");

/** Name of a correspondent for a narrow place; the address when no name is known. */
export const shortName = (person) => plain(person?.name || person?.address || "Unknown sender");

/** Name and address together, so that a name alone never stands for a person. */
export function fullName(person) {
  if (!person?.address) return plain(person?.name) || "Unknown";
  return person.name && person.name !== person.address ? `${plain(person.name)} <${plain(person.address)}>` : plain(person.address);
}

export function initials(person) {
  const words = shortName(person).replace(/@.*/, "").split(/[\s._-]+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word].find((letter) => /[\p{L}\p{N}]/u.test(letter))).join("").toUpperCase() || "?";
}

/** A hue from an address, so that one person keeps one colour. */
export function hue(text) {
  let sum = 7;
  for (const letter of String(text ?? "")) sum = (sum * 31 + letter.codePointAt(0)) % 3600;
  return sum % 360;
}

export const plural = (amount, one, many = `${one}s`) => `${count(amount)} ${amount === 1 ? one : many}`;
