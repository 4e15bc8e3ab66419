/**
 * Placeholders of canned replies: their names for people, and where they still stand in a text.
 */

/** As docs/templates.md lists them; `[name, what it becomes]`. */
export const PLACEHOLDERS = [
  ["customer.first_name", "the customer's first name"], ["customer.name", "the customer's name"], ["customer.email", "the customer's address"],
  ["customer.company", "the customer's company"], ["conversation.number", "the conversation's number"], ["conversation.subject", "its subject"],
  ["agent.name", "your name"], ["agent.first_name", "your first name"], ["agent.email", "your address"], ["inbox.name", "the inbox's name"],
  ["inbox.email", "the inbox's address"], ["org.name", "your organisation's name"],
];

const STANDING = /\{\{\s{0,20}((?:customer|conversation|agent|inbox|org)\.[A-Za-z0-9_.]{1,60}|ticket_number|org_name|inbox_name|sender_name)\s{0,20}(?:\|[^{}|\r\n]{0,200})?\}\}/g;

/** Ranges of placeholders that stand in an element's text, each within one text node. */
export function standing(root) {
  const found = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const match of walker.currentNode.data.matchAll(STANDING)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, match.index);
      range.setEnd(walker.currentNode, match.index + match[0].length);
      found.push({ name: match[1], range });
    }
  }
  return found;
}
