/**
 * `<assign-menu>`: claim a conversation that nobody has, or give it to somebody, a team or back into the queue. Hangs in `conversation.header`.
 */

import { assignments } from "/web/js/api/assignments.js";
import { assigneeChoices } from "/web/js/assignment-words.js";
import { command, run } from "/web/js/commands.js";
import { desk } from "/web/js/desk.js";
import { announce, button } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { notify } from "/web/js/elements/toast-stack.js";

const REFUSED = new Set(["already-taken", "at-capacity", "not-waiting"]);

export class AssignMenu extends PlacedElement {
  build() {
    this.claimButton = button("Claim", { iconName: "check", kind: "small primary", title: "Make it yours (I)", onclick: () => this.claim() });
    this.give = button("", { iconName: "team", kind: "quiet", label: "Hand over…", onclick: () => run("conversation.assign") });
    this.append(this.claimButton, this.give);
  }

  show(item) {
    this.hidden = !store.mayWrite;
    this.claimButton.hidden = item.assigned_to !== null || item.status !== "open";
  }

  claim() {
    return this.#carry(() => assignments.claim(this.conversation.id), () => "It is yours.");
  }

  /** What the palette offers: each choice gives it away at once. */
  async choices() {
    const choices = await assigneeChoices(this.conversation, (item) => item);
    return choices.map((one) => ({ ...one, run: () => this.#carry(one.run, (item) => (item.assigned_to ? `${plain(item.assigned_to.name)} has it now.` : "It waits in the queue.")) }));
  }

  async #carry(act, said) {
    try {
      const item = await act();
      announce(said(item));
      notify(said(item));
      this.tell("conversation-changed", item);
    } catch (error) {
      notify([error.message, ...Object.values(error.fields ?? {})].join(" "), { tone: REFUSED.has(error.kind) ? "warn" : "bad" });
      if (REFUSED.has(error.kind)) this.tell("conversation-changed");
    }
  }
}

customElements.define("assign-menu", AssignMenu);
place("conversation.header", "assign-menu", 5);

const menu = () => document.querySelector("conversation-view assign-menu");
const here = () => router.current.name === "conversation" && desk.conversation !== null && store.mayWrite;
command({ id: "conversation.assign", title: "Assign to…", keys: ["a"], iconName: "people", when: here, choices: () => menu().choices() });
command({ id: "conversation.claim", title: "Claim it: assign to me", keys: ["i"], iconName: "check", when: here, run: () => void menu().claim() });
