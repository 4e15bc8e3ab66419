/**
 * `<assignment-page>`: for each inbox who is let in and how its work is given out, and when people count as offline. For administrators.
 */

import { people } from "/web/js/api/people.js";
import { teams } from "/web/js/api/teams.js";
import { button, fill, h, uid } from "/web/js/dom.js";
import { plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { store } from "/web/js/store.js";
import { notify, notifyError } from "/web/js/elements/toast-stack.js";
import "/web/js/elements/assignment-policy.js";
import "/web/js/elements/member-picker.js";

export class AssignmentPage extends RoomElement {
  build() {
    this.state = document.createElement("load-state");
    this.body = h("div", { class: "panels", hidden: true });
    this.append(h("header", { class: "page-head" }, button("", { iconName: "menu", label: "Rooms", kind: "quiet nav-open", onclick: () => this.tell("open-nav") }), h("h1", {}, "Assignment")),
      h("p", { class: "lead" }, "What waits is given to people who are online and have room. Teams have policies of their own, on the page Teams."), this.state, this.body);
  }

  attach() {
    this.state.loading(3, "card");
    this.#load();
  }

  async #load() {
    try {
      const [all, patience] = await Promise.all([teams.list({ signal: this.life }), people.patience({ signal: this.life }), store.readUsers(), store.readInboxes()]);
      const inboxes = store.get("inboxes");
      const members = await Promise.all(inboxes.map((inbox) => teams.members(inbox.id, { signal: this.life })));
      this.state.done();
      this.body.hidden = false;
      fill(this.body, this.#patience(patience.offline_after_minutes), inboxes.map((inbox, n) => this.#inbox(inbox, members[n], all.items)));
    } catch (error) {
      if (error.name !== "AbortError") this.state.failed(error, () => this.#load());
    }
  }

  #patience(minutes) {
    const id = uid("patience");
    const field = h("input", { id, type: "number", min: "0", max: "1440", value: minutes });
    return h("section", { class: "panel", "aria-label": "Offline by itself" }, h("div", { class: "panel-head" }, h("h2", {}, "Offline by itself")),
      h("form", { class: "add tag-form", novalidate: true, onsubmit: (event) => {
        event.preventDefault();
        this.#act(() => people.setPatience(Number(field.value)), "Saved.");
      } }, h("div", { class: "field" }, h("label", { for: id }, "Minutes without being seen (0: never)"), field), button("Save", { type: "submit", kind: "small primary" })));
  }

  #inbox(inbox, members, all) {
    const name = plain(inbox.name);
    const picker = document.createElement("member-picker");
    picker.offer({
      label: "Let in (nobody checked: everybody)", teams: all, people: store.get("users").filter((user) => !["owner", "admin"].includes(user.role) || members.user_ids.includes(user.id)).map((user) => ({ id: user.id, name: user.name || user.email })),
      chosen: { people: members.user_ids, teams: members.team_ids },
    });
    const save = button("Save members", { kind: "small primary", "aria-label": `Save the members of ${name}`, onclick: () => this.#act(() => teams.letIn(inbox.id, picker.value.people, picker.value.teams), `Saved for ${name}.`) });
    return h("section", { class: "panel", "aria-label": name }, h("div", { class: "panel-head" }, h("h2", {}, name), h("span", { class: "faint" }, plain(inbox.email_address))),
      h("div", { class: "team-details" }, h("div", {}, picker, save), Object.assign(document.createElement("assignment-policy"), { owner: { inbox: inbox.id }, called: name })));
  }

  async #act(call, said) {
    try {
      await call();
      notify(said);
    } catch (error) {
      notifyError(error, "Not changed");
    }
  }
}

customElements.define("assignment-page", AssignmentPage);
