/**
 * The caret of an editing area as a number of characters, for changes that would move it.
 */

/** Characters from the start to the caret; null while something is selected or the caret is at the start of a node. */
export function caretOf(area) {
  const selection = getSelection();
  if (!selection.rangeCount || !selection.isCollapsed) return null;
  const range = document.createRange();
  range.selectNodeContents(area);
  range.setEnd(selection.anchorNode, selection.anchorOffset);
  const inside = selection.anchorNode.nodeType === Node.TEXT_NODE && selection.anchorOffset > 0;
  return inside ? range.toString().length : null;
}

export function setCaret(area, at) {
  const walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
  let left = at;
  while (walker.nextNode()) {
    const { length } = walker.currentNode;
    if (left <= length) {
      getSelection().collapse(walker.currentNode, left);
      return;
    }
    left -= length;
  }
}
