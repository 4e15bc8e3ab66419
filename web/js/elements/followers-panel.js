/**
 * `<followers-panel>`: who follows the conversation; follow or stop, and let a colleague follow. A section of the details.
 */

import { followers } from "/web/js/api/followers.js";
import { announce, button, fillRows, h } from "/web/js/dom.js";
import { hue, initials, plain } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { store } from "/web/js/store.js";
import { notify } from "/web/js/elements/toast-stack.js";

const WHY = { self: "", added: "was added", mentioned: "was mentioned", assigned: "was assigned" };

export class FollowersPanel extends PlacedElement {
  build() {
    this.list = h("ul", { class: "followers" });
    this.mine = button("Follow", { iconName: "bell", kind: "small", onclick: () => this.#toggle() });
    this.others = h("select", { "aria-label": "Let a colleague follow", onchange: () => this.#change("add", this.others.value) });
    this.append(this.list, h("div", { class: "actions" }, this.mine, this.others));
  }

  attach() {
    this.listen(store, "change", (event) => event.detail.key === "users" && this.conversation && this.show(this.conversation));
    super.attach();
  }

  get #me() {
    return store.get("me")?.user.id;
  }

  show({ followers: people = [] }) {
    const following = people.some((one) => one.id === this.#me);
    fillRows(this.list, people, (one) => this.#person(one));
    if (people.length === 0) this.list.append(h("li", {}, h("p", { class: "faint" }, "Nobody follows.")));
    this.mine.querySelector("span").textContent = following ? "Stop following" : "Follow";
    this.mine.setAttribute("aria-pressed", String(following));
    const rest = store.get("users").filter((user) => user.id !== this.#me && !people.some((one) => one.id === user.id));
    fillRows(this.others, [{ id: "", name: "Add a colleague…" }, ...rest], (user) => h("option", { value: user.id }, plain(user.name || user.email)), (user) => user.name || user.email);
    this.others.value = "";
    this.others.hidden = rest.length === 0 || !store.mayWrite;
    this.mine.hidden = !store.mayWrite;
  }

  #person(one) {
    const face = h("span", { class: "face small", "aria-hidden": "true" }, initials(one));
    face.style.setProperty("--hue", hue(one.id));
    return h("li", { "data-id": one.id }, face, h("span", {}, plain(one.name)), h("span", { class: "faint" }, WHY[one.reason] ?? ""),
      store.mayManage && one.id !== this.#me ? button("", { iconName: "cross", label: `Take ${plain(one.name)} off the followers`, kind: "quiet small", onclick: () => this.#change("remove", one.id) }) : null);
  }

  #toggle() {
    const following = this.mine.getAttribute("aria-pressed") === "true";
    this.#change(following ? "remove" : "add", "me");
  }

  async #change(what, person) {
    const { conversation } = this;
    if (!person) return;
    try {
      const { items } = await followers[what](conversation.id, person);
      announce(what === "add" ? "Followers: one more" : "Followers: one less");
      this.tell("conversation-changed", { ...conversation, followers: items });
    } catch (error) {
      notify(`Not changed: ${[error.message, ...Object.values(error.fields ?? {})].join(" ")}`, { tone: "bad" });
      this.show(conversation);
    }
  }
}

customElements.define("followers-panel", FollowersPanel);
place("conversation.panel", "followers-panel", 40, { title: "Followers", iconName: "bell" });
