/**
 * `<webhook-form>`: writes a new webhook, or changes the one in `webhook`. `save(values)` does it; complaints stand at their fields.
 */

import { button, h } from "/web/js/dom.js";
import { FormFields } from "/web/js/form-fields.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { EVENTS } from "/web/js/webhook-words.js";

export class WebhookForm extends RoomElement {
  #fields = new FormFields();
  webhook = null;
  save = async () => {};

  build() {
    const { name = "", url = "", events = [], inbox_ids } = this.webhook ?? {};
    const boxes = (legend, entries, held) => {
      const made = entries.map(([value, label]) => ({ value, box: h("input", { type: "checkbox", checked: held.includes(value) }), label }));
      return { root: h("fieldset", { class: "members" }, h("legend", {}, legend), made.map(({ box, label }) => h("label", { class: "check" }, box, label))), value: () => made.filter(({ box }) => box.checked).map((one) => one.value) };
    };
    this.events = boxes("Tell it when (a rule tells it whatever stands here)", Object.entries(EVENTS), events);
    this.inboxes = boxes("Of these inboxes (none: of all)", store.get("inboxes").map((one) => [one.id, plain(one.name)]), inbox_ids ?? []);
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.submit = button(this.webhook ? "Save" : "Add a webhook", { type: "submit", kind: "primary" });
    this.append(h("form", { class: "stack", novalidate: true, onsubmit: (event) => this.#save(event) },
      h("div", { class: "grid" },
        this.#fields.field("name", "Name", { value: name, required: true, maxlength: "200", autocomplete: "off", placeholder: "Ticket system" }),
        this.#fields.field("url", "Address", { value: url, required: true, maxlength: "2000", type: "url", autocomplete: "off", placeholder: "https://example.com/hooks" })),
      h("div", { class: "grid" }, this.events.root, this.inboxes.root),
      this.wrong, h("div", { class: "form-foot" }, this.submit)));
  }

  async #save(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    if (this.#fields.missing()) return;
    const inboxes = this.inboxes.value();
    this.submit.disabled = true;
    try {
      await this.save({ name: this.#fields.value("name"), url: this.#fields.value("url"), events: this.events.value(), inbox_ids: inboxes.length ? inboxes : null });
      if (!this.webhook) event.target.reset();
    } catch (error) {
      const { first, rest } = this.#fields.place(error.fields ?? {});
      first?.focus();
      this.wrong.textContent = rest.join(" ") || (first ? "" : error.message);
    } finally {
      this.submit.disabled = false;
    }
  }
}

customElements.define("webhook-form", WebhookForm);
