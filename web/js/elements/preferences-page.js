/**
 * `<preferences-page>`: one's own account, and how this person wants to hear of things: the bell, a mail at once or with the digest, and when the digest comes.
 * Administrators also choose the inbox that digests are sent from.
 */

import { notifications } from "/web/js/api/notifications.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { noticeBoard } from "/web/js/notice-board.js";
import { KINDS, MAIL } from "/web/js/notice-words.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/my-account.js";

const PACES = { off: "No digest", interval: "Every few minutes", daily: "Once a day" };
const ZONES = Intl.supportedValuesOf?.("timeZone") ?? ["UTC"];

function choice(label, options, value, more = {}) {
  const select = h("select", { id: uid("choice"), ...more }, Object.entries(options).map(([key, text]) => h("option", { value: key, selected: key === String(value) }, text)));
  return [select, h("div", { class: "field" }, h("label", { for: select.id }, label), select)];
}

export class PreferencesPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.form = h("form", { class: "sheet", hidden: true, onsubmit: (event) => this.#save(event) });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "My account")),
      document.createElement("my-account"), h("h2", {}, "Notices"), h("p", { class: "lead" }, "What Mailroom tells you, and how. You never hear of what you did yourself."), this.state, this.form);
  }

  attach() {
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const [wishes, settings] = await Promise.all([notifications.preferences({ signal: this.life }), store.mayManage ? notifications.settings({ signal: this.life }) : null]);
      this.state.done();
      this.#show(wishes, settings);
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #show({ kinds, digest, mailed_from }, settings) {
    this.kinds = Object.entries(KINDS).map(([kind, { name }]) => {
      const live = h("input", { type: "checkbox", checked: kinds[kind].live, "aria-label": `${name}: in the list` });
      const [mail] = choice("", MAIL, kinds[kind].mail, { "aria-label": `${name}: by mail` });
      return { kind, live, mail, row: h("tr", {}, h("td", { "data-label": "What" }, name), h("td", { "data-label": "List" }, live), h("td", { "data-label": "Mail" }, mail)) };
    });
    const [pace, paceField] = choice("Digest", PACES, digest.pace);
    const [zone, zoneField] = choice("My time zone", Object.fromEntries([...new Set([...ZONES, digest.time_zone])].map((one) => [one, one])), digest.time_zone);
    this.every = h("input", { type: "number", min: "5", max: "1440", value: digest.every_minutes, id: uid("every") });
    const [hour, hourField] = choice("At", Object.fromEntries(Array.from({ length: 24 }, (_, one) => [one, `${String(one).padStart(2, "0")}:00`])), digest.daily_hour);
    this.snippets = h("input", { type: "checkbox", checked: digest.snippets });
    const everyField = h("div", { class: "field" }, h("label", { for: this.every.id }, "Minutes"), this.every);
    Object.assign(this, { pace, zone, hour });
    const fit = () => {
      everyField.hidden = pace.value !== "interval";
      hourField.hidden = zoneField.hidden = pace.value !== "daily";
    };
    pace.addEventListener("change", fit);
    fit();
    const desktop = h("input", { type: "checkbox", checked: noticeBoard.onDesktop, onchange: async () => (desktop.checked = await noticeBoard.setDesktop(desktop.checked)) });
    this.wrong = h("p", { class: "field-error", role: "alert" });
    const table = h("table", {}, h("thead", {}, h("tr", {}, ["What", "List", "Mail"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, this.kinds.map(({ row }) => row)));
    fill(this.form,
      h("fieldset", {}, h("legend", {}, "What"), h("div", { class: "table-wrap" }, table), "Notification" in globalThis ? h("label", { class: "check" }, desktop, "Show them on this desktop too, while Mailroom is in the background") : null),
      h("fieldset", {}, h("legend", {}, "Digest"), h("p", { class: "faint" }, mailed_from ? `Mails come from ${plain(mailed_from)}. What you have read meanwhile is not in them.` : "No mail is sent until an administrator chooses the inbox it comes from."),
        h("div", { class: "grid" }, paceField, everyField, hourField, zoneField), h("label", { class: "check" }, this.snippets, "Quote the beginning of the last message")),
      settings ? this.#sender(settings) : null, this.wrong, h("div", { class: "form-foot" }, button("Save", { kind: "primary", type: "submit" })));
    this.form.hidden = false;
  }

  #sender({ inbox }) {
    const boxes = store.get("inboxes").map((one) => [one.id, plain(one.name)]);
    const [select, field] = choice("Everybody's digests are sent from", { "": "No inbox: no digests", ...Object.fromEntries(boxes) }, inbox?.id ?? "");
    select.addEventListener("change", async () => {
      try {
        await notifications.choose(select.value || null);
        notify("Saved");
      } catch (error) {
        notifyError(error);
      }
      this.#load();
    });
    return h("fieldset", {}, h("legend", {}, "For everybody"), field);
  }

  async #save(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    const kinds = Object.fromEntries(this.kinds.map(({ kind, live, mail }) => [kind, { live: live.checked, mail: mail.value }]));
    const digest = { pace: this.pace.value, every_minutes: Number(this.every.value), daily_hour: Number(this.hour.value), time_zone: this.zone.value, snippets: this.snippets.checked };
    try {
      await notifications.prefer({ kinds, digest });
      notify("Saved");
    } catch (error) {
      this.wrong.textContent = Object.values(error.fields ?? {}).join(" ") || error.message;
    }
  }
}

customElements.define("preferences-page", PreferencesPage);
