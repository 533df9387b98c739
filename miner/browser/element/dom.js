// Building nodes without HTML; own keys and plain loops, since a host page may have extended the built-in prototypes.

/** @typedef {Record<string, string | number | boolean | ((event: Event) => unknown)>} Attributes */

const SVG = "http://www.w3.org/2000/svg";

/** @type {Map<string, string>} */
export const PATHS = new Map([
  ["ticket", "M3 6.5h18v3.3a2.2 2.2 0 0 0 0 4.4v3.3H3v-3.3a2.2 2.2 0 0 0 0-4.4zM14.5 9v1.5m0 3V15"],
  ["clock", "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2"],
  ["chip", "M7 7h10v10H7zM10 3.5V7m4-3.5V7m-4 10v3.5m4-3.5v3.5M3.5 10H7m-3.5 4H7m10-4h3.5M17 14h3.5"],
  ["pause", "M9 6v12m6-12v12"],
  ["shield", "M12 3.5l7 2.7v5.3c0 4.3-2.8 7.4-7 9-4.2-1.6-7-4.7-7-9V6.2z"],
  ["check", "M5 12.5l4.7 4.7L19.5 7"],
  ["info", "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5m0-8.6v.1"],
]);

/**
 * An element with attributes (`true`: empty, `false`: none), listeners (functions, by event) and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Attributes | null} [attributes] @param {(Node | string | null)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  const names = Object.keys(attributes ?? {});
  for (let i = 0; i < names.length; i++) {
    const value = /** @type {Attributes} */ (attributes)[names[i]];
    if (typeof value === "function") element.addEventListener(names[i], value);
    else if (value !== false) element.setAttribute(names[i], value === true ? "" : String(value));
  }
  put(element, children);
  return element;
}

/** Make `children` all that `parent` contains. @param {Node} parent @param {(Node | string | null)[]} children */
export function put(parent, children) {
  while (parent.lastChild) parent.removeChild(parent.lastChild);
  for (let i = 0; i < children.length; i++) {
    const child = children[i];
    if (child !== null) parent.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
  }
}

/** A drawing for the eye only: the words beside it say the same. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS.get(name) ?? "");
  svg.appendChild(path);
  return svg;
}

/** Set the text where it differs, so that selections and screen readers are left alone. @param {Node} node @param {string} text */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Show a list of texts, or of rows of them, in as many items, the same nodes each time; texts go to the last children of an item.
 *
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
