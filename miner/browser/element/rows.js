// Lists that change every second.

import { write } from "./dom.js";

/**
 * Show a list of texts, or of rows of them, in as many items, the same nodes each time; texts go to the last children
 * of an item.
 * @param {Element} parent @param {(string | string[])[]} data @param {() => Element} make
 */
export function rows(parent, data, make) {
  while (parent.children.length > data.length) parent.removeChild(parent.children[data.length]);
  for (let i = 0; i < data.length; i++) {
    const item = parent.children[i] ?? parent.appendChild(make());
    const found = data[i];
    const row = typeof found === "string" ? [found] : found;
    for (let j = 0; j < row.length; j++) write(item.children[item.children.length - row.length + j] ?? item, row[j]);
  }
}
