/**
 * `<snooze-menu>`: puts a conversation to sleep until a moment, or wakes it. Hangs in `conversation.header`.
 */

import { conversations } from "/web/js/api/conversations.js";
import { command } from "/web/js/commands.js";
import { desk } from "/web/js/desk.js";
import { announce, h } from "/web/js/dom.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { router } from "/web/js/router.js";
import { askWakeTime, snoozeMoments, wakeWord } from "/web/js/snooze-times.js";
import { store } from "/web/js/store.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

/** Changes the conversation and tells it by `element`. */
async function change(element, id, changes, said) {
  try {
    const after = await conversations.change(id, changes);
    announce(said);
    notify(said);
    element.tell("conversation-changed", after);
  } catch (error) {
    notifyError(error, "Not changed");
  }
}

export const wake = (element, id) => change(element, id, { status: "open" }, "The conversation is awake.");

export class SnoozeMenu extends PlacedElement {
  build() {
    this.menu = h("menu-button", { label: "Snooze", icon: "snooze" });
    this.append(this.menu);
    this.menu.entries = () => this.choices();
  }

  show() {
    this.hidden = !store.mayWrite;
  }

  choices() {
    const { id, status } = this.conversation;
    const sleep = (at) => change(this, id, { snoozed_until: at.toISOString() }, `Snoozed until ${wakeWord(at)}.`);
    const pick = () => askWakeTime().then((at) => at && sleep(at), (error) => notify(error.message, { tone: "warn" }));
    return [
      ...snoozeMoments().map(({ text, at }) => ({ text, iconName: "snooze", run: () => sleep(at) })),
      { text: "Pick a time…", iconName: "calendar", run: pick },
      status === "snoozed" ? { text: "Wake now", iconName: "undo", run: () => wake(this, id) } : null,
    ];
  }
}

customElements.define("snooze-menu", SnoozeMenu);
place("conversation.header", "snooze-menu", 10);

command({
  id: "conversation.snooze", title: "Snooze…", keys: ["h"], iconName: "snooze",
  when: () => router.current.name === "conversation" && desk.conversation !== null && store.mayWrite,
  choices: () => document.querySelector("conversation-view snooze-menu").choices().filter(Boolean).map(({ text, iconName, run }) => ({ title: text, iconName, run })),
});
