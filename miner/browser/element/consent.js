// The visitor's answer, kept in this browser for each service: yes or no, and to which version of the site's text.

/** @typedef {{ yes: boolean, version: string }} Answer */

/** @type {Map<string, string>} what cannot be stored, for as long as the page lives */
const memory = new Map();
const told = new EventTarget();

/** @param {string} service */
const key = (service) => `ticketminer:${service}`;

/** @param {string} service @returns {Answer | null} */
export function remembered(service) {
  let text = memory.get(service);
  try {
    text ??= localStorage.getItem(key(service)) ?? "";
  } catch {
    // Storage is refused here: memory has to do.
  }
  const found = /^(yes|no) (\S*)$/.exec(text ?? "");
  return found && { yes: found[1] === "yes", version: found[2] };
}

/** Keep the answer and tell all elements of this page. @param {string} service @param {Answer} answer */
export function remember(service, { yes, version }) {
  const text = `${yes ? "yes" : "no"} ${version}`;
  try {
    localStorage.setItem(key(service), text);
    memory.delete(service);
  } catch {
    memory.set(service, text);
  }
  told.dispatchEvent(new Event(service));
}

/** Call `listener` when the answer changes, here or in another tab, until `signal`. @param {string} service @param {() => void} listener @param {AbortSignal} signal */
export function watch(service, listener, signal) {
  told.addEventListener(service, listener, { signal });
  addEventListener("storage", (event) => event.key === key(service) && listener(), { signal });
}
