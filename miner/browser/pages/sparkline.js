// A small line of how fast it went, which is also said in words.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, MARGIN] = [160, 40, 2];

/** An empty line; `draw` fills it. */
export function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", "ticketminer-sparkline");
  svg.setAttribute("role", "img");
  svg.setAttribute("preserveAspectRatio", "none");
  for (const part of ["area", "line"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", part);
    path.setAttribute("vector-effect", "non-scaling-stroke");
    svg.appendChild(path);
  }
  return svg;
}

/**
 * Draw `rates`, the oldest first, from 0 up to the largest.
 * @param {SVGElement} svg @param {number[]} rates @param {string} words what a screen reader says instead
 */
export function draw(svg, rates, words) {
  if (svg.getAttribute("aria-label") !== words) svg.setAttribute("aria-label", words);
  const [area, line] = svg.children;
  const points = outline(rates);
  line.setAttribute("d", points.length ? `M${points.join("L")}` : "");
  area.setAttribute("d", points.length ? `M${points.join("L")}V${HEIGHT}H${points[0].split(" ")[0]}Z` : "");
}

/** The points of the line, as "x y". @param {number[]} rates */
export function outline(rates) {
  const most = Math.max(...rates, 1);
  const drawn = rates.length === 1 ? [rates[0], rates[0]] : rates;
  return drawn.map((rate, place) => {
    const x = (place / (drawn.length - 1)) * WIDTH;
    const y = HEIGHT - MARGIN - (rate / most) * (HEIGHT - 2 * MARGIN);
    return `${round(x)} ${round(y)}`;
  });
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
