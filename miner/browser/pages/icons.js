// Drawings for the eye only: the words beside them say the same.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = {
  close: "M6 6l12 12M18 6L6 18",
  info: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5m0-8.6v.1",
};

/** @param {keyof typeof DRAWN} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", DRAWN[name]);
  svg.appendChild(path);
  return svg;
}
