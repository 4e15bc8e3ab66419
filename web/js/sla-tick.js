/**
 * One tick for every countdown on screen. Promises that no element keeps a timer of its own, and that none ticks while there is none.
 */

const alive = new Set();
let timer = 0;

/** Calls `show` every second until the returned function is called. */
export function ticking(show) {
  alive.add(show);
  timer ||= setInterval(() => document.hidden || alive.forEach((one) => one()), 1000);
  return () => {
    alive.delete(show);
    if (alive.size) return;
    clearInterval(timer);
    timer = 0;
  };
}
