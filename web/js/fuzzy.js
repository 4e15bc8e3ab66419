/**
 * Fuzzy matching of a few typed letters against a title. Pure.
 */

const starts = (text, at) => at === 0 || /[^\p{L}\p{N}]/u.test(text[at - 1]);

/**
 * How well `words` matches `title`, or null when it does not: every letter must occur, in order. Higher is better: the words
 * as they stand, then beginnings of words, then letters in between; of equals the shorter title.
 */
export function score(words, title) {
  const text = title.toLowerCase();
  const phrase = words.trim().toLowerCase();
  const wanted = [...phrase.replaceAll(/\s+/g, "")];
  if (wanted.length === 0) return 0;
  const whole = text.indexOf(phrase);
  if (whole !== -1) return (whole === 0 ? 200 : starts(text, whole) ? 150 : 100) - text.length / 100;
  let best = null;
  // From each possible first letter, greedily; titles are short, so this stays far from quadratic pain.
  for (let first = text.indexOf(wanted[0]); first !== -1; first = text.indexOf(wanted[0], first + 1)) {
    let at = first;
    let points = starts(text, at) ? 4 : 0;
    for (const letter of wanted.slice(1)) {
      const next = text.indexOf(letter, at + 1);
      if (next === -1) return best;
      points += next === at + 1 ? 3 : starts(text, next) ? 4 : -1;
      at = next;
    }
    best = Math.max(best ?? -Infinity, points - text.length / 100);
  }
  return best;
}
