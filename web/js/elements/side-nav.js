/**
 * `<side-nav>`: the rooms, the views with their counts, who is signed in, the theme and the live connection's state.
 */

import { button, fill, h, icon } from "/web/js/dom.js";
import { count, hue, initials } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { nextTheme, theme } from "/web/js/theme.js";
import { VIEWS } from "/web/js/words.js";

const LIVE = { open: "Live", connecting: "Connecting", lost: "Reconnecting", stopped: "Not connected" };
const HAS_COUNT = { open: "open", pending: "pending", mine: "mine", unassigned: "unassigned" };

export class SideNav extends RoomElement {
  build() {
    this.views = h("ul", {});
    this.rooms = h("ul", {});
    this.live = h("span", { class: "live", role: "status" });
    this.foot = h("div", { class: "nav-foot" });
    this.append(
      h("a", { class: "brand", href: "/", "aria-label": "Mailroom, open conversations" }, h("img", { src: "/web/icons/mark.svg", alt: "", width: "26", height: "26" }), h("span", {}, "Mailroom")),
      h("nav", { "aria-label": "Conversations" }, h("h2", {}, "Conversations"), this.views),
      h("nav", { "aria-label": "Rooms" }, h("h2", {}, "Mailroom"), this.rooms),
      this.foot,
    );
  }

  attach() {
    this.listen(router, "change", () => this.#show());
    this.listen(store, "change", (event) => {
      if (["counts", "me"].includes(event.detail.key)) this.#show();
    });
    this.listen(stream, "state", () => this.#showLive());
    this.#show();
  }

  #show() {
    const { name, query } = router.current;
    const counts = store.get("counts") ?? {};
    const inList = name === "conversations" || name === "conversation";
    const view = query.get("view") ?? "open";
    fill(this.views, Object.entries(VIEWS).map(([key, { word }]) =>
      this.#link(`/${key === "open" ? "" : `?view=${key}`}`, word, null, inList && view === key, counts[HAS_COUNT[key]])));
    fill(
      this.rooms,
      this.#link("/inboxes", "Inboxes", "inbox", name.startsWith("inbox"), null, store.get("inboxes").some((one) => one.health === "auth_failed")),
      this.#link("/domains", "Domains", "link", name === "domains"),
      this.#link("/quarantine", "Quarantine", "shield", name === "quarantine", counts.quarantined, counts.quarantined > 0),
      this.#link("/spam", "Spam", "spam", name === "spam", counts.spam),
      store.mayManage ? this.#link("/balance", "Mailbox balance", "list", name === "balance") : null,
      store.mayManage ? this.#link("/suppressed", "Suppressed", "bounce", name === "suppressed") : null,
      store.mayManage ? this.#link("/reingest", "Re-ingest", "refresh", name.startsWith("reingest")) : null,
      store.mayManage ? this.#link("/users", "People and keys", "people", name === "people") : null,
    );
    this.#showFoot();
  }

  #link(href, word, iconName, active, amount = null, alarm = false) {
    return h("li", {}, h("a", { href, "aria-current": active ? "page" : null, title: word },
      iconName ? icon(iconName) : h("i", { class: "dot", "aria-hidden": "true" }), h("span", {}, word),
      amount ? h("b", { class: alarm ? "amount alarm" : "amount" }, count(amount)) : null));
  }

  #showFoot() {
    const user = store.get("me")?.user;
    if (!user) return;
    const face = h("span", { class: "face", "aria-hidden": "true" }, initials(user));
    face.style.setProperty("--hue", hue(user.email));
    const paint = button("", { iconName: "theme", kind: "quiet", label: `Theme: ${theme()}`, onclick: () => {
      const label = `Theme: ${nextTheme()}`;
      paint.title = label;
      paint.setAttribute("aria-label", label);
    } });
    fill(this.foot, this.live, h("div", { class: "who" }, face, h("div", {}, h("strong", {}, user.name || user.email), h("span", { class: "faint" }, store.get("me").tenant.name))),
      h("div", { class: "nav-tools" }, paint,
        button("", { iconName: "question", kind: "quiet", label: "Keys (?)", onclick: () => this.tell("show-help") }),
        button("", { iconName: "out", kind: "quiet", label: "Sign out", onclick: () => this.tell("sign-out") })));
    this.#showLive();
  }

  #showLive() {
    this.live.dataset.state = stream.state;
    fill(this.live, h("i", { "aria-hidden": "true" }), h("span", {}, LIVE[stream.state]));
  }
}

customElements.define("side-nav", SideNav);
