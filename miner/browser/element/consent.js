// The visitor's answer, kept in this browser for each service, and the version of the text that it answers.

/** @type {Map<string, string>} what cannot be stored, while the page lives */
const memory = new Map();
const told = new EventTarget();

/** @param {string} service */
const key = (service) => `ticketminer:${service}`;

/** @param {string} service */
export function remembered(service) {
  let text = memory.get(service);
  try {
    text ??= localStorage.getItem(key(service)) ?? "";
  } catch {
    // Storage is refused: memory has to do.
  }
  const found = /^(yes|no) (\S*)$/.exec(text ?? "");
  return found && { yes: found[1] === "yes", version: found[2] };
}

/** @param {string} service @param {boolean} yes @param {string} version */
export function remember(service, yes, version) {
  const text = `${yes ? "yes" : "no"} ${version}`;
  try {
    localStorage.setItem(key(service), text);
    memory.delete(service);
  } catch {
    memory.set(service, text);
  }
  told.dispatchEvent(new Event(service));
}

/**
 * Call `listener` when the answer changes, here or in another tab.
 * @param {string} service @param {() => void} listener @param {AbortSignal} signal
 */
export function watch(service, listener, signal) {
  told.addEventListener(service, listener, { signal });
  addEventListener("storage", (event) => event.key === key(service) && listener(), { signal });
}
