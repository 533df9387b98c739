// Building nodes without HTML; plain loops over own keys, since a page may have changed the built-in prototypes.

const CIRCLE = "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z";

/** @type {Map<string, string>} */
const PATHS = new Map([
  ["ticket", "M3 6.5h18v3.3a2.2 2.2 0 0 0 0 4.4v3.3H3v-3.3a2.2 2.2 0 0 0 0-4.4zM14.5 9v1.5m0 3V15"],
  ["clock", `${CIRCLE}M12 7.5V12l3 2`],
  ["chip", "M7 7h10v10H7zM10 3.5V7m4-3.5V7m-4 10v3.5m4-3.5v3.5M3.5 10H7m-3.5 4H7m10-4h3.5M17 14h3.5"],
  ["pause", "M9 6v12m6-12v12"],
  ["shield", "M12 3.5l7 2.7v5.3c0 4.3-2.8 7.4-7 9-4.2-1.6-7-4.7-7-9V6.2z"],
  ["info", `${CIRCLE}M12 11v5m0-8.6v.1`],
]);

/**
 * An element with attributes (`true`: empty, `false`: none), listeners (functions, by event) and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, string | number | boolean | ((event: Event) => unknown)> | null} [attributes]
 * @param {(Node | string | null)[]} children @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, children);
  return element;
}

/** Make `children` all that `parent` contains. @param {Node} parent @param {(Node | string | null)[]} children */
export function put(parent, children) {
  while (parent.lastChild) parent.removeChild(parent.lastChild);
  for (const child of children)
    if (child !== null) parent.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
}

/**
 * Set the text where it differs: selections and screen readers are left alone.
 * @param {Node} node @param {string} text
 */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A drawing for the eye only: the words beside it say the same. @param {string} name or the path itself */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = svg.appendChild(document.createElementNS(svg.namespaceURI ?? "", "path"));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("width", "24");
  svg.setAttribute("fill", "none");
  svg.setAttribute("stroke", "currentcolor");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS.get(name) ?? name);
  return svg;
}
