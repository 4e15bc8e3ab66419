/**
 * `<side-nav>`: the views with their counts and what needs attention; in the settings, their pages by group. Below: the live
 * connection's state, what areas hang into `shell.tools`, and who is signed in.
 */

import { brandMark, button, fill, fillRows, h, icon } from "/web/js/dom.js";
import { count, hue, initials, plain } from "/web/js/format.js";
import { GROUPS, inSettings, markedBy, pagesIn } from "/web/js/pages.js";
import { RoomElement } from "/web/js/room-element.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { stream } from "/web/js/stream.js";
import { nextTheme, theme } from "/web/js/theme.js";
import { VIEWS } from "/web/js/words.js";

const LIVE = { open: "Live", connecting: "Connecting", lost: "Reconnecting", stopped: "Not connected" };
const HAS_COUNT = { open: "open", pending: "pending", mine: "mine", unassigned: "unassigned" };

export class SideNav extends RoomElement {
  #settingsLook = "";
  #footLook = "";

  build() {
    this.views = h("ul", {});
    this.more = h("place-slot", { name: "nav.views" });
    this.inboxes = h("ul", {});
    this.rooms = h("ul", {});
    this.settings = h("div", { class: "nav-settings" });
    this.live = h("span", { class: "live", role: "status" });
    this.foot = h("div", { class: "nav-foot" });
    this.tools = h("place-slot", { name: "shell.tools", class: "shell-tools" });
    this.inDesk = [
      h("nav", { "aria-label": "Conversations" }, h("h2", {}, "Conversations"), this.views),
      this.more,
      h("nav", { "aria-label": "Mailboxes", class: "nav-inboxes" }, h("h2", {}, "Inboxes"), this.inboxes),
    ];
    this.append(
      h("a", { class: "brand", href: "/", "aria-label": "Mailroom, open conversations" }, brandMark(24), h("span", {}, "Mailroom")),
      ...this.inDesk, h("nav", { "aria-label": "Rooms", class: "nav-rooms" }, this.rooms), this.settings, this.foot,
    );
  }

  attach() {
    this.listen(router, "change", () => this.#show());
    this.listen(store, "change", (event) => {
      if (["counts", "me", "inboxes"].includes(event.detail.key)) this.#show();
    });
    this.listen(stream, "state", () => this.#showLive());
    this.#show();
  }

  #show() {
    const { name, query } = router.current;
    const counts = store.get("counts") ?? {};
    const inList = name === "conversations" || name === "conversation";
    const inbox = query.get("inbox");
    const view = query.get("view") ?? "open";
    const settings = inSettings(name);
    for (const part of this.inDesk) part.hidden = settings;
    this.settings.hidden = !settings;
    if (settings) this.#showSettings(name, counts);
    this.#links(this.views, Object.entries(VIEWS).map(([key, { word, iconName }]) =>
      [`/${key === "open" ? "" : `?view=${key}`}`, word, iconName, inList && view === key && !inbox, counts[HAS_COUNT[key]]]));
    const boxes = store.get("inboxes");
    this.inDesk.at(-1).hidden = settings || boxes.length < 2;
    this.#links(this.inboxes, boxes.map((one) => [`/?inbox=${encodeURIComponent(one.id)}`, plain(one.name), "inbox", inList && inbox === one.id]));
    const refused = boxes.some((one) => one.health === "auth_failed");
    this.#links(
      this.rooms,
      settings ? [] : [...pagesIn("Desk").map((page) => this.#page(page, name, counts)),
        // What waits for somebody is named here too, so that calm means that nothing waits.
        ...GROUPS.flatMap(pagesIn).filter((page) => page.alarm && counts[page.count] > 0).map((page) => this.#page(page, name, counts)),
        refused ? ["/inboxes", "Sign-in refused", "warning", name === "inboxes", null, true] : null,
        ["/settings", "Settings", "gear", false]].filter(Boolean),
    );
    this.#showFoot();
  }

  #showSettings(name, counts) {
    const groups = GROUPS.map((group) => [group, pagesIn(group).map((page) => this.#page(page, name, counts))]).filter(([, links]) => links.length);
    const look = JSON.stringify(groups);
    if (look === this.#settingsLook) return;
    this.#settingsLook = look;
    fill(this.settings, h("ul", {}, this.#link("/", "Back to the desk", "back", false)),
      groups.map(([group, links]) => h("nav", { "aria-label": group }, h("h2", {}, group), h("ul", {}, links.map((link) => this.#link(...link))))));
  }

  #page(page, name, counts) {
    return [page.path, page.title, page.iconName, markedBy(name) === page.name, counts[page.count], page.alarm && counts[page.count] > 0];
  }

  /** Counts change with every mail: a link that says what it said stays under the pointer and keeps the focus. */
  #links(list, links) {
    fillRows(list, links.map((link) => ({ id: `${link[0]} ${link[1]}`, link })), ({ link }) => this.#link(...link));
  }

  #link(href, word, iconName, active, amount = null, alarm = false) {
    return h("li", {}, h("a", { href, "aria-current": active ? "page" : null, title: word }, icon(iconName), h("span", {}, word),
      amount ? h("b", { class: alarm ? "amount alarm" : "amount" }, count(amount)) : null));
  }

  #showFoot() {
    const user = store.get("me")?.user;
    const look = JSON.stringify([user, store.get("me")?.tenant]);
    if (!user || look === this.#footLook) return;
    this.#footLook = look;
    const face = h("span", { class: "face", "aria-hidden": "true" }, initials(user));
    face.style.setProperty("--hue", hue(user.email));
    const paint = button("", { iconName: "theme", kind: "quiet", label: `Theme: ${theme()}`, onclick: () => {
      const label = `Theme: ${nextTheme()}`;
      paint.title = label;
      paint.setAttribute("aria-label", label);
    } });
    fill(this.foot, this.tools, h("div", { class: "who" }, face, h("div", {}, h("strong", {}, user.name || user.email), h("span", { class: "faint" }, store.get("me").tenant.name)), this.live),
      h("div", { class: "nav-tools" }, paint,
        button("", { iconName: "search", kind: "quiet", label: "Commands (Ctrl+K)", onclick: () => this.tell("show-palette") }),
        button("", { iconName: "question", kind: "quiet", label: "Keys (?)", onclick: () => this.tell("show-help") }),
        button("", { iconName: "out", kind: "quiet", label: "Sign out", onclick: () => this.tell("sign-out") })));
    this.#showLive();
  }

  #showLive() {
    this.live.dataset.state = stream.state;
    this.live.title = LIVE[stream.state];
    fill(this.live, h("i", { "aria-hidden": "true" }), h("span", {}, LIVE[stream.state]));
  }
}

customElements.define("side-nav", SideNav);
