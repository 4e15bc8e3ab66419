/**
 * `<timeline-dialog>`: a drawer with every step a message took: when, by which rule or person, the attempts to send it put
 * together, and for admins the link to the Temporal run.
 */

import { messages } from "/web/js/api/messages.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { exact, plain } from "/web/js/format.js";
import { RoomElement } from "/web/js/room-element.js";
import { groupAttempts, tellSteps } from "/web/js/timeline-words.js";
import { timeAgo } from "/web/js/elements/time-ago.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });

export class TimelineDialog extends RoomElement {
  #asked = null;
  #run = null; // the run whose link was shown last: the steps of one run share one link

  build() {
    this.list = h("ol", { class: "timeline" });
    this.state = document.createElement("load-state");
    this.back = button("", { iconName: "back", label: "Back to the message before", kind: "quiet", hidden: true });
    this.dialog = h(
      "dialog",
      { class: "drawer", "aria-labelledby": "timeline-title" },
      h("header", {}, this.back, h("h2", { id: "timeline-title" }, "What happened to this message"),
        button("", { iconName: "cross", label: "Close", kind: "quiet", onclick: () => this.dialog.close() })),
      h("div", { class: "dialog-body" }, this.state, this.list),
    );
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.append(this.dialog);
  }

  /** Opens the drawer on a message; `before` is the one from whose timeline it was reached. */
  async show(id, before = null) {
    this.#asked = id;
    this.back.hidden = before === null;
    this.back.onclick = () => this.show(before);
    if (!this.dialog.open) this.dialog.showModal();
    this.list.replaceChildren();
    this.state.loading(4);
    try {
      const { items } = await messages.timeline(id, { signal: this.life });
      if (this.#asked !== id) return; // another message was asked for meanwhile
      this.state.done();
      if (items.length === 0) this.state.empty("No steps yet", "The first step is written when the message is taken up.", { iconName: "history" });
      this.#show(id, groupAttempts(tellSteps(items)));
    } catch (error) {
      if (this.#asked === id) this.state.failed(error, () => this.show(id, before));
    }
  }

  #show(id, groups) {
    let today = "";
    this.#run = null;
    fill(this.list, groups.map((group) => {
      const date = day.format(new Date(group.steps[0].at));
      const heading = date === today ? null : h("li", { class: "day" }, date);
      today = date;
      const item = group.attempt > 0 && group.steps.length > 1 ? this.#attempt(id, group) : this.#step(id, group.steps[0]);
      return [heading, item];
    }));
  }

  /** One attempt to hand the mail over, folded to its outcome unless it is the one that needs explaining. */
  #attempt(id, { attempt, word, tone, icon: iconName, steps }) {
    return h(
      "li",
      { class: `attempt ${tone}` },
      h("span", { class: "mark" }, icon(iconName)),
      h("details", { open: tone !== "good" },
        h("summary", {}, h("span", { class: "step" }, h("strong", {}, `Attempt ${attempt}`), h("span", { class: `badge ${tone}` }, word), this.#time(steps.at(-1).at))),
        h("ol", { class: "timeline inner" }, steps.map((step) => this.#step(id, step)))),
    );
  }

  #step(id, item) {
    const beside = [
      item.code ? h("span", { class: "badge" }, String(item.code)) : null,
      item.attempt > 0 && item.kind !== "send" && item.step.startsWith("quarantined") ? h("span", { class: "badge warn" }, `Try ${item.attempt}`) : null,
    ];
    const run = item.link && item.link !== this.#run ? item.link : null;
    this.#run = item.link ?? this.#run;
    const links = [
      item.actor ? `by ${plain(item.actor)}` : null,
      item.about ? button(item.kind === "report" ? "The other mail's timeline" : "The answer's timeline", { kind: "small", iconName: "history", onclick: () => this.show(item.about, id) }) : null,
      run ? h("a", { href: run, target: "_blank", rel: "noopener noreferrer" }, "Temporal run ", icon("outside")) : null,
    ].filter(Boolean);
    return h(
      "li",
      { class: item.tone, dataset: { step: item.step } },
      h("span", { class: "mark" }, icon(item.icon)),
      h("div", { class: "step" }, h("strong", {}, item.word), beside, this.#time(item.at)),
      item.detail ? h("p", {}, plain(item.detail)) : null,
      links.length ? h("p", { class: "faint links" }, links) : null,
    );
  }

  #time(at) {
    return h("time", { datetime: at, title: exact(at) }, h("span", {}, clock.format(new Date(at))), " ", h("span", { class: "faint" }, timeAgo(at, { long: true })));
  }
}

customElements.define("timeline-dialog", TimelineDialog);
