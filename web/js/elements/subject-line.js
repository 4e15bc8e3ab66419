/**
 * `<subject-line>`: the subject as a heading that can be changed in its place. Tells `field-change` with the new subject.
 */

import { button, fill, h } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { store } from "/web/js/store.js";

export class SubjectLine extends PlacedElement {
  build() {
    this.heading = h("h1", { class: "subject" });
    this.pen = button("", { iconName: "pen", label: "Change the subject", kind: "quiet small", onclick: () => this.edit() });
    this.append(this.heading, this.pen);
  }

  show(item) {
    if (!this.heading.querySelector("input")) this.heading.textContent = plain(item.subject) || "(no subject)";
    this.pen.disabled = !store.mayWrite;
  }

  edit() {
    const was = this.conversation.subject ?? "";
    const input = h("input", { type: "text", value: was, maxlength: "500", "aria-label": "Subject" });
    let done = false;
    const finish = (keep) => {
      if (done) return;
      done = true;
      const text = input.value.trim();
      this.heading.replaceChildren();
      this.show(this.conversation);
      if (keep && text && text !== was) this.tell("field-change", { subject: text });
      this.pen.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
      if (event.key === "Enter" || event.key === "Escape") event.preventDefault();
    });
    input.addEventListener("blur", () => finish(true));
    fill(this.heading, input);
    input.select();
  }
}

customElements.define("subject-line", SubjectLine);
