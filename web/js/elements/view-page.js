/**
 * `<view-page>`: makes or changes one saved view: its name, who sees it, its conditions, and how many conversations they hold for now;
 * below it the order of the views.
 */

import { tags } from "/web/js/api/tags.js";
import { get } from "/web/js/api/request.js";
import { views } from "/web/js/api/views.js";
import { button, fill, h, icon, uid } from "/web/js/dom.js";
import { count, plain } from "/web/js/format.js";
import { RoomElement, settle } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { savedViews } from "/web/js/saved-views.js";
import { FIRST, ICONS } from "/web/js/view-words.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/view-group.js";
import "/web/js/elements/view-order.js";

const PREVIEW_MS = 500;
const NEW = { name: "", icon: "list", color: "#64748b", shared: false, sort: "newest", conditions: { all: [FIRST] } };
const SORTS = [["newest", "Newest first"], ["oldest", "Oldest first"], ["waiting", "Longest waiting first"], ["sla_due", "Next due first"]];

export class ViewPage extends RoomElement {
  build() {
    const field = (label, input) => h("div", { class: "field" }, h("label", { for: input.id }, label), input);
    this.heading = h("h1", {}, "View");
    this.name = h("input", { type: "text", id: uid("view"), maxlength: "60", autocomplete: "off" });
    this.sort = h("select", { id: uid("view") }, SORTS.map(([value, label]) => h("option", { value }, label)));
    this.shade = h("input", { type: "color", id: uid("view") });
    this.icons = h("div", { class: "view-icons", role: "radiogroup", "aria-label": "Icon" }, ICONS.map((name) => h("label", { title: name }, h("input", { type: "radio", name: "icon", value: name, "aria-label": name }), icon(name))));
    this.shared = h("input", { type: "checkbox", id: uid("view") });
    this.group = document.createElement("view-group");
    this.found = h("p", { class: "view-found", role: "status" });
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.state = document.createElement("load-state");
    this.drop = button("Delete", { iconName: "trash", onclick: () => this.#remove() });
    this.form = h("form", { class: "sheet view-sheet", novalidate: true, onsubmit: (event) => this.#save(event) },
      h("fieldset", {}, h("legend", {}, "The view"), h("div", { class: "grid" }, field("Name", this.name), field("Order", this.sort), field("Colour", this.shade)), this.icons,
        h("label", { class: "check" }, this.shared, "Everybody of the team sees it")),
      h("fieldset", {}, h("legend", {}, "Conversations for which"), this.group, this.found), this.wrong,
      h("div", { class: "form-foot" }, button("Save", { type: "submit", kind: "primary" }), button("Back", { onclick: () => router.go("/") }), this.drop));
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), this.heading), this.state, this.form, document.createElement("view-order"));
    this.addEventListener("view-change", settle(() => this.#preview(), PREVIEW_MS));
  }

  attach() {
    this.form.hidden = true;
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const [{ items: known }, { items: teams }] = await Promise.all([tags.list({ signal: this.life }), get("/v1/teams", { signal: this.life }), savedViews.read()]);
      const view = this.itemId ? savedViews.get(this.itemId) : NEW;
      if (!view) return this.state.empty("No such view", "It was deleted, or it is somebody else's own.");
      this.state.done();
      this.form.hidden = false;
      this.group.extra = { tags: known, teams };
      this.#put(view);
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #put(view) {
    this.heading.textContent = plain(view.name) || "New view";
    this.name.value = view.name;
    this.sort.value = view.sort;
    this.shade.value = view.color;
    this.shared.checked = view.shared;
    for (const box of this.icons.querySelectorAll("input")) box.checked = box.value === view.icon;
    this.group.value = view.conditions;
    this.drop.hidden = !this.itemId;
    this.#preview();
  }

  get view() {
    return { name: this.name.value, sort: this.sort.value, color: this.shade.value, shared: this.shared.checked, conditions: this.group.value,
      icon: this.icons.querySelector("input:checked")?.value ?? "list" };
  }

  /** How many there are now. Conditions that are not whole yet say nothing. */
  async #preview() {
    const asked = (this.asked = this.view.conditions);
    try {
      const found = await views.preview(asked, { signal: this.life });
      if (asked !== this.asked) return;
      const exactly = found.count === 1 ? "1 conversation now" : `${count(found.count)} conversations now`;
      this.found.textContent = found.capped ? (found.count ? `More than ${count(found.count)} conversations now` : "Too many to count at once") : exactly;
    } catch {
      if (asked === this.asked) this.found.textContent = "";
    }
  }

  async #save(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    try {
      const saved = await (this.itemId ? views.change(this.itemId, this.view) : views.add(this.view));
      await savedViews.read();
      notify(`${plain(saved.name)} is saved.`, { tone: "good" });
      router.go(`/?view=${encodeURIComponent(saved.id)}`);
    } catch (error) {
      const said = Object.entries(error.fields ?? {}).map(([field, message]) => (field.startsWith("conditions") ? `A condition ${message}.` : `The ${field} ${message}.`));
      fill(this.wrong, said.join(" ") || error.message);
    }
  }

  async #remove() {
    const sure = await ask({ title: `Delete the view ${plain(this.name.value)}?`, paragraphs: [this.shared.checked ? "It goes for everybody. The conversations stay." : "The conversations stay."], confirm: "Delete", danger: true });
    if (!sure) return;
    try {
      await views.remove(this.itemId);
      await savedViews.read();
      router.go("/");
    } catch (error) {
      notifyError(error, "Not deleted");
    }
  }
}

customElements.define("view-page", ViewPage);
