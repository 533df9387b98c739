// A list whose rows stay the same nodes while what they show changes, so that focus and open details are left alone.

/** @template Item @typedef {{ node: HTMLElement, draw: (item: Item) => void }} Row */

/** @template Item */
export class List {
  /** @type {Map<string | number, Row<Item>>} */
  #rows = new Map();

  /** @param {HTMLElement} parent @param {(item: Item) => string | number} key @param {(item: Item) => Row<Item>} row */
  constructor(parent, key, row) {
    this.parent = parent;
    this.key = key;
    this.row = row;
  }

  /** @param {Item[]} items */
  draw(items) {
    /** @type {Map<string | number, Row<Item>>} */
    const rows = new Map();
    for (const item of items) {
      const key = this.key(item);
      const row = this.#rows.get(key) ?? this.row(item);
      row.draw(item);
      rows.set(key, row);
    }
    for (const [key, { node }] of this.#rows) if (!rows.has(key)) node.remove();
    let next = this.parent.firstElementChild;
    for (const { node } of rows.values()) {
      if (node === next) next = next.nextElementSibling;
      else this.parent.insertBefore(node, next);
    }
    this.#rows = rows;
  }
}
