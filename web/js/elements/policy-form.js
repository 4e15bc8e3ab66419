/**
 * `<policy-form>`: one policy of service levels: for which conversations, what it promises, when it pauses, what happens when it warns and breaches.
 * Dispatches `policy-preview` and `policy-save` with `{id, policy}`; `refuse(error)` says what the server refused.
 */

import { button, fill, h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { TARGETS } from "/web/js/sla-words.js";
import { CHANNEL, PRIORITY } from "/web/js/words.js";
import "/web/js/elements/promise-field.js";

const PAUSES = { pending: "Pending", snoozed: "Snoozed" };
const WHEN = { warn: "When it is due soon", breach: "When it is late" };

export class PolicyForm extends RoomElement {
  #policy = null;

  build() {
    const field = (label, control) => {
      control.id = uid("policy");
      return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
    };
    const many = () => h("select", { multiple: true, size: "4" });
    this.name = h("input", { type: "text", maxlength: "200", required: true });
    this.position = h("input", { type: "number", min: "0", max: "100000" });
    this.enabled = h("input", { type: "checkbox" });
    this.priority = many();
    this.inbox = many();
    this.tag = many();
    this.channel = many();
    this.vip = h("select", {}, [["", "Whether VIP or not"], ["yes", "VIP contacts only"], ["no", "Other contacts only"]].map(([value, word]) => h("option", { value }, word)));
    this.hours = h("select", {});
    this.promises = Object.keys(TARGETS).map((target) => h("promise-field", { "data-target": target }));
    this.warn = h("input", { type: "number", min: "1", max: "100", required: true });
    this.pauses = Object.entries(PAUSES).map(([value, word]) => h("label", { class: "check" }, h("input", { type: "checkbox", value }), word));
    this.orders = Object.fromEntries(Object.keys(WHEN).map((when) => [when, { notify: many(), team: h("select", {}), user: h("select", {}), priority: h("select", {}), tags: many() }]));
    this.wrong = h("p", { class: "field-error", role: "alert" });
    this.append(h("form", { class: "sheet", novalidate: true, onsubmit: (event) => this.#send(event, "policy-save") },
      h("fieldset", {}, h("legend", {}, "Policy"), h("div", { class: "grid" }, field("Name", this.name), field("Place in the order", this.position)), h("label", { class: "check" }, this.enabled, "In force")),
      h("fieldset", {}, h("legend", {}, "For conversations"), h("p", { class: "faint" }, "Each that is chosen has to fit; without any, all do. The first policy in the order that fits applies."), h("div", { class: "grid" }, field("Priority", this.priority), field("Inbox", this.inbox), field("Tag", this.tag), field("Channel", this.channel), field("Contact", this.vip))),
      h("fieldset", {}, h("legend", {}, "Promises"), this.promises, h("div", { class: "grid" }, field("Working time by", this.hours), field("Warn at, % of the time", this.warn)), h("div", { class: "pauses", role: "group", "aria-label": "Pauses while" }, h("span", {}, "Pauses while"), this.pauses)),
      Object.entries(WHEN).map(([when, word]) => h("fieldset", {}, h("legend", {}, word), h("p", { class: "faint" }, "Whoever has the conversation is told in any case."), h("div", { class: "grid" }, field("Also tell", this.orders[when].notify), field("Raise priority to", this.orders[when].priority), field("Give to", this.orders[when].user), field("Give to the team", this.orders[when].team), field("Add tags", this.orders[when].tags)))),
      this.wrong, h("div", { class: "form-foot" }, button("Preview", { onclick: (event) => this.#send(event, "policy-preview") }), button("Save", { kind: "primary", type: "submit" }), button("Cancel", { kind: "quiet", onclick: () => this.tell("policy-cancel") }))));
  }

  /** Shows a policy, or a new one for null. `known` has `{hours, inboxes, tags, users, teams}`. */
  edit(policy, known) {
    this.#policy = policy;
    const options = (control, items, chosen, none) => fill(control, none === undefined ? null : h("option", { value: "" }, none), items.map(([value, word]) => h("option", { value, selected: [chosen].flat().includes(value) }, plain(word))));
    const named = (items) => items.map((item) => [item.id, item.name || item.email]);
    const priorities = Object.entries(PRIORITY);
    this.name.value = policy?.name ?? "";
    this.position.value = policy?.position ?? "";
    this.enabled.checked = policy?.enabled ?? true;
    const { conditions = {} } = policy ?? {};
    options(this.priority, priorities, conditions.priority);
    options(this.inbox, named(known.inboxes), conditions.inbox);
    options(this.tag, named(known.tags), conditions.tag);
    options(this.channel, Object.entries(CHANNEL), conditions.channel);
    this.vip.value = { true: "yes", false: "no" }[String(conditions.vip)] ?? "";
    options(this.hours, named(known.hours), policy?.business_hours_id, "All hours (round the clock)");
    for (const field of this.promises) field.promise = policy ? policy.targets[field.dataset.target] : field.dataset.target === "first_response" ? { minutes: 240, time: "business" } : null;
    this.warn.value = policy?.warn_percent ?? 80;
    for (const box of this.#pauseBoxes) box.checked = (policy?.pause_on ?? Object.keys(PAUSES)).includes(box.value);
    for (const [when, fields] of Object.entries(this.orders)) {
      const orders = policy?.actions?.[when] ?? {};
      options(fields.notify, [...named(known.users), ...named(known.teams).map(([id, name]) => [`team:${id}`, `Team ${name}`])], [...(orders.notify_users ?? []), ...(orders.notify_teams ?? []).map((id) => `team:${id}`)]);
      options(fields.priority, priorities, orders.priority, "Leave it");
      options(fields.user, named(known.users), orders.assign_user, "Nobody else");
      options(fields.team, named(known.teams), orders.assign_team, "No team");
      options(fields.tags, named(known.tags), orders.tags);
    }
    this.wrong.textContent = "";
    this.name.focus();
  }

  refuse(error) {
    this.wrong.textContent = Object.entries(error.fields ?? {}).map(([name, words]) => `${name}: ${words}`).join(" ") || error.message;
  }

  get #pauseBoxes() {
    return this.pauses.map((label) => label.querySelector("input"));
  }

  #orders({ notify, priority, user, team, tags }) {
    const told = chosen(notify);
    return { notify_users: told.filter((id) => !id.startsWith("team:")), notify_teams: told.filter((id) => id.startsWith("team:")).map((id) => id.slice(5)), priority: priority.value || null, assign_user: user.value || null, assign_team: team.value || null, tags: chosen(tags) };
  }

  #send(event, type) {
    event.preventDefault();
    const vip = { yes: true, no: false }[this.vip.value] ?? null;
    const policy = {
      name: this.name.value, enabled: this.enabled.checked, business_hours_id: this.hours.value || null, warn_percent: Number(this.warn.value),
      conditions: { priority: chosen(this.priority), inbox: chosen(this.inbox), tag: chosen(this.tag), channel: chosen(this.channel), vip },
      targets: Object.fromEntries(this.promises.map((field) => [field.dataset.target, field.promise])),
      pause_on: this.#pauseBoxes.filter((box) => box.checked).map((box) => box.value),
      actions: Object.fromEntries(Object.entries(this.orders).map(([when, fields]) => [when, this.#orders(fields)])),
    };
    if (this.position.value !== "") policy.position = Number(this.position.value);
    this.tell(type, { id: this.#policy?.id ?? null, policy });
  }
}

const chosen = (select) => [...select.selectedOptions].map((option) => option.value);

customElements.define("policy-form", PolicyForm);
