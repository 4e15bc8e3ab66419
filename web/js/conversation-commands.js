/**
 * The commands on the open conversation: answer, close, and its fields by choice.
 * Areas add theirs with `command()` in their own files.
 */

import { command } from "/web/js/commands.js";
import { desk } from "/web/js/desk.js";
import { router } from "/web/js/router.js";
import { store } from "/web/js/store.js";
import { PRIORITY, STATUS, STATUS_CHOICES } from "/web/js/words.js";

/** Registers them for a conversation-view. */
export function conversationCommands(view) {
  const here = () => router.current.name === "conversation" && desk.conversation !== null && store.mayWrite;
  const add = (id, title, keys, more) => command({ id: `conversation.${id}`, title, keys, when: here, ...more });
  const pick = (pairs, field) => pairs.map(([value, title]) => ({ title, run: () => view.header.change({ [field]: value }) }));
  add("reply", "Reply", ["r"], { iconName: "reply", run: () => view.focusReply() });
  add("reply-all", "Reply to everyone", ["R"], { iconName: "reply-all", run: () => view.focusReply("reply-all") });
  add("reply-sender", "Reply to the sender only", [], { iconName: "reply", run: () => view.focusReply("reply") });
  add("close", "Close the conversation, or open it again", ["e"], { iconName: "check", run: () => view.header.toggleClosed() });
  add("status", "Set the status…", ["s"], { iconName: "check", choices: () => pick(STATUS_CHOICES.map((one) => [one, STATUS[one]]), "status") });
  add("priority", "Set the priority…", ["p"], { iconName: "warning", choices: () => pick(Object.entries(PRIORITY), "priority") });
  add("tags", "Edit the tags", ["t"], { iconName: "pen", run: () => view.header.focusTags() });
  add("subject", "Change the subject", [], { iconName: "pen", run: () => view.header.editSubject() });
  add("panel", "Show or hide the details", ["d"], { iconName: "list", when: () => router.current.name === "conversation", run: () => view.togglePanel() });
}
