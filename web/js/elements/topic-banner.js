/**
 * `<topic-banner>`: says that a mail looks like a topic of its own, and splits it off by one click; and where messages were passed on to,
 * or this conversation comes from. Hangs in `conversation.banner`.
 */

import { shape } from "/web/js/api/shape.js";
import { button, fill, h, icon } from "/web/js/dom.js";
import { fullName, plain, plural } from "/web/js/format.js";
import { PlacedElement } from "/web/js/placed-element.js";
import { place } from "/web/js/places.js";
import { router } from "/web/js/router.js";
import { forgetShape, shapeOf } from "/web/js/shape-of.js";
import { store } from "/web/js/store.js";
import { splitOff } from "/web/js/elements/split-dialog.js";
import { notifyError } from "/web/js/elements/toast-stack.js";

export class TopicBanner extends PlacedElement {
  build() {
    this.setAttribute("role", "complementary");
    this.setAttribute("aria-label", "Topics and forwards");
    this.hidden = true;
  }

  show(conversation, before) {
    if (conversation.id !== before?.id) this.hidden = true;
    if (conversation.id !== before?.id || conversation.version !== before?.version) this.#read(conversation);
  }

  async #read(conversation) {
    try {
      const found = await shapeOf(conversation);
      if (this.conversation?.id === conversation.id) this.#fill(found);
    } catch (error) {
      notifyError(error);
    }
  }

  #fill({ topic, forwards, forwarded_from: origin }) {
    this.hidden = !topic && forwards.length === 0 && !origin;
    const link = (one) => h("a", { href: router.withList(`/c/${encodeURIComponent(one.conversation_id)}`) }, `#${one.number}`);
    fill(this,
      topic ? h("p", { class: "topic" }, icon("split"), h("span", {}, "This looks like a new topic: ", h("strong", {}, plain(topic.subject))),
        store.mayWrite ? [button(`Split ${plural(topic.message_ids.length, "message")} off`, { kind: "small", onclick: () => this.#split(topic) }),
          button("Keep together", { kind: "quiet small", onclick: () => this.#keep() })] : null) : null,
      origin ? h("p", {}, icon("forward"), "Forwarded from ", link(origin)) : null,
      forwards.map((one) => h("p", {}, icon("forward"), `Forwarded to ${one.to.map(fullName).join(", ")} as `, link(one), h("span", { class: "faint" }, ` ${plain(one.status)}`))));
  }

  async #split(topic) {
    try {
      await splitOff(this.conversation, topic.message_ids);
    } catch (error) {
      notifyError(error, "Not split");
    }
  }

  async #keep() {
    try {
      forgetShape();
      this.#fill(await shape.keepTogether(this.conversation.id));
    } catch (error) {
      notifyError(error);
    }
  }
}

customElements.define("topic-banner", TopicBanner);
place("conversation.banner", "topic-banner", 50);
