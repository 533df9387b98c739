// What tests ask of a page. Runs in a world of its own, so that a page that changed its prototypes is seen as it is.
// `>>>` steps from elements to what is inside them; every step looks into open shadow roots.

const composedParent = (node) => node.assignedSlot ?? node.parentNode ?? node.host ?? null;

function inside(root, selector) {
  const found = [];
  const visit = (node) => {
    for (const element of node.querySelectorAll("*")) {
      if (element.matches(selector)) found.push(element);
      if (element.shadowRoot) visit(element.shadowRoot);
    }
  };
  if (root.shadowRoot) visit(root.shadowRoot);
  visit(root);
  return found;
}

function all(selector) {
  let found = [document];
  for (const step of selector.split(">>>")) {
    found = [...new Set(found.flatMap((root) => inside(root, step.trim())))];
  }
  return found;
}

const visible = (element) =>
  element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true, visibilityProperty: true }) &&
  element.getClientRects().length > 0;

/** Text as it is rendered, shadow roots included: one line a block. */
function text(element) {
  let out = "";
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE) out += node.data.replace(/\s+/g, " ");
    if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return;
    if (node.nodeType === Node.ELEMENT_NODE) {
      if (["SCRIPT", "STYLE", "TEMPLATE"].includes(node.tagName)) return;
      const display = getComputedStyle(node).display;
      if (display === "none") return;
      const block = !/^(inline|contents)/.test(display) || node.tagName === "BR";
      if (block) out += "\n";
      const slotted = node.tagName === "SLOT" ? node.assignedNodes() : [];
      for (const child of slotted.length ? slotted : (node.shadowRoot ?? node).childNodes) visit(child);
      if (block) out += "\n";
    } else for (const child of node.childNodes) visit(child);
  };
  visit(element);
  return out.replace(/[^\S\n]+/g, " ").replace(/ ?\n[ \n]*/g, "\n").trim();
}

const referenced = (element, attribute) =>
  (element.getAttribute(attribute) ?? "").split(/\s+/).filter(Boolean)
    .map((id) => element.getRootNode().getElementById(id)).filter(Boolean).map(text).join(" ");

const name = (element) =>
  referenced(element, "aria-labelledby") || element.getAttribute("aria-label") ||
  [...(element.labels ?? [])].map(text).join(" ") || element.getAttribute("alt") || text(element) ||
  element.getAttribute("title") || "";

const role = (element) =>
  element.getAttribute("role") ??
  { A: "link", SUMMARY: "summary", SELECT: "select", TEXTAREA: "textbox" }[element.tagName] ??
  (element.tagName === "INPUT"
    ? { text: "textbox", range: "slider" }[element.type] ?? element.type
    : element.localName);

/** The visible elements that match and, where `said` is not null, whose name contains it (equals it, after "="). */
function matching(selector, said) {
  const fits = (words) => said === null || (said.startsWith("=") ? words === said.slice(1) : words.includes(said));
  return all(selector).filter((element) => visible(element) && fits(name(element).replace(/\s+/g, " ")));
}

/** Where a mouse can hit the first such element, in CSS pixels of the viewport; else `why` it cannot. */
function point(selector, said) {
  const [element] = matching(selector, said);
  if (!element) return { why: `nothing visible matches ${selector}${said === null ? "" : ` named ${said}`}` };
  if (element.disabled || element.closest("[inert]")) return { why: `${selector} is disabled` };
  element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const box = element.getClientRects()[0];
  const x = box.left + box.width / 2, y = box.top + box.height / 2;
  let hit = document.elementFromPoint(x, y);
  while (hit?.shadowRoot) {
    const deeper = hit.shadowRoot.elementFromPoint(x, y);
    if (!deeper || deeper === hit) break;
    hit = deeper;
  }
  for (let node = hit; node; node = composedParent(node)) {
    if (node !== element) continue;
    if (globalThis.aim?.element !== element) {
      const aim = (globalThis.aim = { element, hit: false });
      element.addEventListener("click", () => (aim.hit = true), { capture: true });
    }
    globalThis.aim.hit = false;
    return { x, y };
  }
  const cover = hit ? hit.outerHTML.slice(0, 120) : "nothing: it is outside the viewport";
  return { why: `${selector} is covered by ${cover}` };
}

/** Whether the click went where `point` said: not when the page moved under the pointer. */
const struck = () => globalThis.aim.hit || !globalThis.aim.element.isConnected;

function active() {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element;
}

/** Role and name of what has the focus, such as `button "Pay"`; empty for none. */
function focused() {
  const element = active();
  if (!element || element === document.body || element === document.documentElement) return "";
  return `${role(element)} "${name(element).replace(/\s+/g, " ").slice(0, 80)}"`;
}

/**
 * Focus an input and make its content selected; a slider or a select takes `value` at once. Returns whether keys are
 * needed.
 */
function prepare(selector, said, value) {
  const [element] = matching(selector, said);
  if (!element) return { why: `nothing visible matches ${selector}` };
  element.focus();
  if (element.tagName === "SELECT" || ["range", "color", "date"].includes(element.type)) {
    element.value = value;
    for (const kind of ["input", "change"]) element.dispatchEvent(new Event(kind, { bubbles: true, composed: true }));
    return { keys: false };
  }
  element.select?.();
  return { keys: true, empty: value === "" };
}

/** A name for what has the focus that nothing else has; empty for none. */
function place() {
  const element = active();
  if (!element || element === document.body || element === document.documentElement) return "";
  globalThis.places ??= new Map();
  if (!globalThis.places.has(element)) globalThis.places.set(element, String(globalThis.places.size + 1));
  return globalThis.places.get(element);
}

/** What live regions inside have said since the first call, in order. */
function spoken(selector) {
  if (!globalThis.heard) {
    const heard = (globalThis.heard = []);
    const listen = (region) => new MutationObserver(() => {
      const words = text(region).replace(/\s+/g, " ");
      if (words && words !== heard.at(-1)) heard.push(words);
    }).observe(region, { childList: true, characterData: true, subtree: true });
    for (const region of all(`${selector} >>> [role=status]`)) listen(region);
  }
  return globalThis.heard;
}
