/**
 * A unified diff as rows to be shown, side by side or one under the other. Pure; builds no nodes.
 * Promises that every line of the diff is in exactly one row, in its order.
 */

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** Rows `{kind: "gap"|"same"|"changed", left, right}`; a side is `{number, text, parts}` or null. `parts` are [text, differs] pairs. */
export function diffRows(diff) {
  const rows = [];
  let left = 1;
  let right = 1;
  let gone = [];
  let come = [];
  const settle = () => {
    for (let index = 0; index < Math.max(gone.length, come.length); index += 1) rows.push(pair(gone[index] ?? null, come[index] ?? null));
    gone = [];
    come = [];
  };
  for (const line of String(diff ?? "").split("\n")) {
    const hunk = HUNK.exec(line);
    const text = line.slice(1);
    if (hunk) {
      settle();
      if (rows.length > 0) rows.push({ kind: "gap", left: null, right: null });
      left = Number(hunk[1]);
      right = Number(hunk[2]);
    } else if (line.startsWith("-")) {
      gone.push({ number: left, text });
      left += 1;
    } else if (line.startsWith("+")) {
      come.push({ number: right, text });
      right += 1;
    } else if (line.startsWith(" ")) {
      settle();
      rows.push({ kind: "same", left: side({ number: left, text }), right: side({ number: right, text }) });
      left += 1;
      right += 1;
    }
  }
  settle();
  return rows;
}

const side = (line) => line && { ...line, parts: line.parts ?? [[line.text, false]] };

/** Of two lines that stand for each other, what lies between their common beginning and end is what differs. */
function pair(before, after) {
  if (!before || !after) return { kind: "changed", left: side(before), right: side(after) };
  const [one, other] = [[...before.text], [...after.text]];
  const shorter = Math.min(one.length, other.length);
  let first = 0;
  while (first < shorter && one[first] === other[first]) first += 1;
  let last = 0;
  while (last < shorter - first && one.at(-1 - last) === other.at(-1 - last)) last += 1;
  const cut = (letters) => [
    [letters.slice(0, first).join(""), false], [letters.slice(first, letters.length - last).join(""), true], [letters.slice(letters.length - last).join(""), false],
  ].filter(([text]) => text);
  // Lines with nothing in common are simply other lines; marking all of both says nothing.
  if (first + last < shorter / 4) return { kind: "changed", left: side(before), right: side(after) };
  return { kind: "changed", left: { ...before, parts: cut(one) }, right: { ...after, parts: cut(other) } };
}
