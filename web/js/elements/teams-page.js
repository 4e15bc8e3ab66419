/**
 * `<teams-page>`: the teams, who is in them, and how each gives out what is handed to it. Everybody sees them, admins keep them.
 */

import { teams } from "/web/js/api/teams.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { plain, plural } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { ask } from "/web/js/elements/ask-dialog.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/assignment-policy.js";
import "/web/js/elements/member-picker.js";

export class TeamsPage extends RoomElement {
  #open = null;

  build() {
    this.state = document.createElement("load-state");
    this.list = h("ul", { class: "people" });
    this.body = h("section", { class: "panel", "aria-label": "Teams", hidden: true }, this.list);
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Teams")),
      h("p", { class: "lead" }, "A conversation can be handed to a team: it waits in the team's queue. A team can also be let into an inbox as a whole."), this.state, this.body);
    if (store.mayManage) this.body.append(this.#form());
  }

  attach() {
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const [page] = await Promise.all([teams.list({ signal: this.life }), store.readUsers()]);
      this.state.done();
      this.body.hidden = false;
      fill(this.list, page.items.length ? page.items.map((team) => this.#row(team)) : h("li", {}, h("p", { class: "faint" }, "There is no team yet.")));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #row(team) {
    const name = plain(team.name);
    const names = store.get("users").filter((user) => team.members.includes(user.id)).map((user) => plain(user.name || user.email));
    const open = this.#open === team.id;
    const toggle = button(open ? "Hide" : "Edit", { kind: "small", "aria-expanded": String(open), "aria-label": `${open ? "Hide" : "Edit"} ${name}`, onclick: () => {
      this.#open = open ? null : team.id;
      this.#load();
    } });
    return h("li", { "data-id": team.id, class: "person" }, h("div", {}, h("strong", {}, name), h("span", { class: "faint" }, names.length ? `${plural(names.length, "person", "people")}: ${names.join(", ")}` : "Nobody yet")),
      store.mayManage ? [toggle, button("Rename", { kind: "small", "aria-label": `Rename ${name}`, onclick: () => this.#rename(team) }), button("Remove", { kind: "small", "aria-label": `Remove ${name}`, onclick: () => this.#remove(team) })] : null,
      open ? this.#details(team) : null);
  }

  #details(team) {
    const picker = document.createElement("member-picker");
    picker.offer({ label: "Members", people: store.get("users").map((user) => ({ id: user.id, name: user.name || user.email })), chosen: { people: team.members, teams: [] } });
    const save = button("Save members", { kind: "small primary", onclick: () => this.#act(() => teams.setMembers(team.id, picker.value.people), `Saved for ${plain(team.name)}.`) });
    return h("div", { class: "team-details" }, h("div", {}, picker, save), Object.assign(document.createElement("assignment-policy"), { owner: { team: team.id }, called: plain(team.name) }));
  }

  #form() {
    const id = uid("team");
    const name = h("input", { type: "text", id, maxlength: "200", autocomplete: "off" });
    const wrong = h("p", { class: "field-error", role: "alert" });
    return h("form", { class: "add tag-form", novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      wrong.textContent = "";
      try {
        this.#open = (await teams.add({ name: name.value })).id;
        name.value = "";
        this.#load();
      } catch (error) {
        wrong.textContent = Object.values(error.fields ?? {}).join(" ") || error.message;
      }
    } }, h("div", { class: "field" }, h("label", { for: id }, "Name"), name), button("Make a team", { type: "submit", kind: "primary" }), wrong);
  }

  async #act(call, said) {
    try {
      await call();
      notify(said);
    } catch (error) {
      notifyError(error, "Not changed");
    }
    this.#load();
  }

  async #rename(team) {
    const name = await ask({ title: `Rename ${plain(team.name)}`, confirm: "Rename", input: { label: "Name", value: team.name } });
    if (name && name !== team.name) this.#act(() => teams.change(team.id, { name }), "Renamed.");
  }

  async #remove(team) {
    const sure = await ask({ title: `Remove the team ${plain(team.name)}?`, paragraphs: ["What waits in its queue waits in its inbox's queue from then on."], confirm: "Remove", danger: true });
    if (sure) this.#act(() => teams.remove(team.id), "Removed.");
  }
}

customElements.define("teams-page", TeamsPage);
