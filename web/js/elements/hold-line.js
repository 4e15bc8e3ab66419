/**
 * `<hold-line>`: says that a conversation is under a hold, and lifts it. Hangs in `conversation.banner`. Holds are for administrators.
 */

import { retention } from "/web/js/api/forgetting.js";
import { command } from "/web/js/commands.js";
import { desk } from "/web/js/desk.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";

const LIFTED = ["From the next night on the retention policy meets it again like any other, and an erasure takes it along."];

/** Puts a conversation under a hold, or lifts it after a question; `element` tells that it changed. */
export async function setHold(element, { id, number }, held) {
  if (!held && !(await ask({ title: `Lift the hold on #${number}?`, paragraphs: LIFTED, confirm: "Lift the hold" }))) return;
  try {
    await retention.hold(id, held);
    notify(held ? `#${number} is kept from every policy and erasure.` : `The hold on #${number} is lifted.`);
    element.tell("conversation-changed");
  } catch (error) {
    notifyError(error, held ? "Not put under a hold" : "Not lifted");
  }
}

/** The entry of a conversation's menu, or null for those who may not. */
export function holdChoice(element, conversation) {
  if (!store.mayManage) return null;
  const text = conversation.held ? "Lift the hold…" : "Put under a hold";
  return { text, iconName: "shield", run: () => setHold(element, conversation, !conversation.held) };
}

export class HoldLine extends PlacedElement {
  build() {
    this.className = "banner-line";
  }

  show(conversation) {
    this.hidden = !conversation.held;
    if (this.hidden) return;
    fill(this, icon("shield"), h("p", {}, "Under a ", h("strong", {}, "hold"), ": no retention policy and no erasure takes anything of it."),
      store.mayManage ? button("Lift the hold", { kind: "small", onclick: () => setHold(this, this.conversation, false) }) : null);
  }
}

customElements.define("hold-line", HoldLine);
place("conversation.banner", "hold-line", 30);

const here = (held) => router.current.name === "conversation" && store.mayManage && desk.conversation !== null && Boolean(desk.conversation.held) === held;
const line = () => document.querySelector("conversation-view hold-line");
command({ id: "conversation.hold", title: "Put it under a hold", iconName: "shield", when: () => here(false), run: () => void setHold(line(), desk.conversation, true) });
command({ id: "conversation.lift-hold", title: "Lift its hold…", iconName: "shield", when: () => here(true), run: () => void setHold(line(), desk.conversation, false) });
