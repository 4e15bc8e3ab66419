/**
 * `<load-state>`: the loading, empty and failed states of a place that shows data. Leaves the data to its owner.
 * A failed state always says what happened and offers to try again.
 */

import { button, fill, h, icon } from "/web/js/dom.js";

export class LoadState extends HTMLElement {
  /** Grey bars in the shape of what will come, so that nothing jumps. */
  loading(rows = 6, shape = "row") {
    this.hidden = false;
    this.dataset.state = "loading";
    const bars = Array.from({ length: rows }, () =>
      h("div", { class: `skeleton ${shape}` }, h("i", {}), h("div", {}, h("b", {}), h("b", {}), h("b", {}))),
    );
    fill(this, h("div", { "aria-busy": "true", role: "status", class: "skeletons" }, h("span", { class: "unseen" }, "Loading"), bars));
  }

  empty(title, text = "", { iconName = "inbox", action = null } = {}) {
    this.hidden = false;
    this.dataset.state = "empty";
    fill(this, h("div", { class: "blank" }, icon(iconName), h("h2", {}, title), text ? h("p", {}, text) : null, action));
  }

  failed(error, retry) {
    this.hidden = false;
    this.dataset.state = "failed";
    fill(
      this,
      h("div", { class: "blank bad", role: "alert" }, icon("warning"), h("h2", {}, "This could not be loaded"),
        h("p", {}, error.message), retry ? button("Try again", { iconName: "refresh", onclick: retry }) : null),
    );
  }

  done() {
    this.hidden = true;
    this.dataset.state = "done";
    this.replaceChildren();
  }
}

customElements.define("load-state", LoadState);
