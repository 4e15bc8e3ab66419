/**
 * Places: where an area hangs its own elements into the desk without editing it. `place("conversation.panel", "contact-panel", 10)`.
 * Promises that every element of a place gets the conversation as a property, now and after each change. Leaves showing to `<place-slot>`.
 */

/** The places there are; what each gives to its elements stands in docs/web.md. */
export const PLACES = new Set([
  "conversation.header", "conversation.banner", "conversation.panel", "composer.tabs", "composer.tools", "list.row", "list.bulk", "nav.views", "shell.tools",
]);

/** Dispatches `change` (detail: the place's name) when something is hung up. */
export const places = new EventTarget();
const hung = new Map();

/** Hangs an element up. Lower orders come first; `options` are the place's own, such as `{title, iconName}` of a panel or tab. */
export function place(name, tag, order = 100, options = {}) {
  if (!PLACES.has(name)) throw new RangeError(`There is no place ${name}; docs/web.md lists them.`);
  const rest = (hung.get(name) ?? []).filter((entry) => entry.tag !== tag);
  hung.set(name, [...rest, { tag, order, ...options }].sort((one, other) => one.order - other.order));
  places.dispatchEvent(new CustomEvent("change", { detail: name }));
}

/** What hangs there, in order: `[{tag, order, …options}]`. */
export const inPlace = (name) => hung.get(name) ?? [];

const sources = new Map();

/**
 * Adds things to the thread beside messages, in order of time: notes, changes of owner.
 * `read(conversationId, {signal})` answers `[{id, at, …}]`; each is shown by an element `tag` that gets `item` and `conversation`.
 * `wants(event)` says whether an event of the stream makes the thread read them again.
 */
export function threadItems(tag, { read, wants = () => false }) {
  sources.set(tag, { tag, read, wants });
  places.dispatchEvent(new CustomEvent("change", { detail: "thread.items" }));
}

export const threadSources = () => [...sources.values()];
