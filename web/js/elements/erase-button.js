/**
 * `<erase-button>`: removes a contact for good, after their address was typed again. For administrators; give it `contact`.
 * Hang it into a contact's page: `h("erase-button", { props: { contact } })` with `{id, name, addresses: [address]}`.
 */

import { erasures } from "/web/js/api/forgetting.js";
import { button } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify } from "/web/js/elements/toast-stack.js";

export class EraseButton extends RoomElement {
  contact = null;

  build() {
    this.append(button("Erase this person…", { iconName: "trash", kind: "danger", onclick: () => this.#erase() }));
  }

  attach() {
    this.hidden = !store.mayManage;
  }

  async #erase() {
    const { id, name } = this.contact;
    const address = await ask({
      title: `Erase ${plain(name) || "this person"} for good?`,
      paragraphs: [
        "Their mails, our mails to them alone, files, drafts, search entries and stored octets are removed, here and for ever. In mails between others their address is replaced.",
        "The mailbox at the provider keeps its mail; it is not taken in again. You get a receipt.",
      ],
      input: { label: "Type one of their addresses to confirm", type: "email" },
      confirm: "Erase",
      danger: true,
    });
    if (!address) return;
    try {
      await erasures.ask(id, address);
      notify("The erasure has begun; its receipt is here.");
      router.go("/erasures");
    } catch (error) {
      notify(`Not erased: ${[error.message, ...Object.values(error.fields ?? {})].join(" ")}`, { tone: "bad" });
    }
  }
}

customElements.define("erase-button", EraseButton);
