/**
 * The base of Mailroom's elements: listeners that end with the element, and one-time building.
 * Promises that nothing keeps running for an element that left the page. Leaves content to subclasses.
 */

export class RoomElement extends HTMLElement {
  #life = null;
  #built = false;

  connectedCallback() {
    this.#life = new AbortController();
    if (!this.#built) {
      this.#built = true;
      this.build();
    }
    this.attach();
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#life = null;
    this.detach();
  }

  /** Aborted when the element leaves the page; give it to requests and listeners. */
  get life() {
    return this.#life?.signal ?? AbortSignal.abort();
  }

  listen(target, type, handler, options = {}) {
    target.addEventListener(type, handler, { ...options, signal: this.life });
  }

  #asked = 0;
  #heard = 0;

  /** What the promise of a reading answers. If a later reading has answered before, an AbortError: what it says is older than what is shown. */
  async inOrder(reading) {
    const turn = (this.#asked += 1);
    const late = () => turn < this.#heard && new DOMException("A later reading has answered.", "AbortError");
    let answer;
    try {
      answer = await reading;
    } catch (error) {
      throw late() || error;
    }
    if (late()) throw late();
    this.#heard = turn;
    return answer;
  }

  /** Bubbling event for the elements above. Returns false when one of them called preventDefault. */
  tell(type, detail) {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, cancelable: true }));
  }

  /** Makes the inside once. */
  build() {}

  /** Runs at every arrival in the page. */
  attach() {}

  /** Runs at every departure. */
  detach() {}
}

/** Calls `action` once, `wait` ms after the last call; `cap` ms after the first at the latest. */
export function settle(action, wait, cap = wait * 8) {
  let timer = 0;
  let first = 0;
  return () => {
    const now = performance.now();
    first ||= now;
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        first = 0;
        action();
      },
      Math.max(0, Math.min(wait, first + cap - now)),
    );
  };
}
