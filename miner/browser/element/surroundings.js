// What only the page can see, for the core. Unknown stays unknown: most browsers tell neither.

/**
 * Call `tell` now and on every change, until `stop()`. `persist()` asks the browser, once or `again`, to keep the
 * wallet when space runs short.
 * @param {(now: import("../types.d.ts").Surroundings) => void} tell
 */
export function watch(tell) {
  const { storage, connection, getBattery, hardwareConcurrency } = /** @type {any} */ (navigator);
  const ended = new AbortController();
  const { signal } = ended;
  /** @type {import("../types.d.ts").Surroundings} */
  const now = {
    hidden: false, online: true, battery: "unknown", saveData: null, persisted: null, cores: hardwareConcurrency || 2,
  };
  /** @type {any} */
  let battery = null;
  let asked = false;

  const look = () => {
    now.hidden = document.visibilityState === "hidden";
    now.online = navigator.onLine;
    now.saveData = connection?.saveData ?? null;
    if (battery) now.battery = battery.charging ? "charging" : "discharging";
    if (!signal.aborted) tell(now);
  };
  /** @param {EventTarget} target @param {string[]} events */
  const on = (target, ...events) => {
    for (const event of events) target.addEventListener(event, look, { signal });
  };
  /** @param {"persisted" | "persist"} question */
  const keep = async (question) => {
    try {
      now.persisted = (await storage?.[question]?.()) ?? null;
      look();
    } catch {
      // It stays unknown.
    }
  };

  on(document, "visibilitychange");
  on(window, "online", "offline");
  if (connection) on(connection, "change");
  getBattery?.call(navigator).then((/** @type {EventTarget} */ found) => {
    on((battery = found), "chargingchange");
    look();
  }, () => {});
  look();
  void keep("persisted");
  return {
    async persist(again = false) {
      if ((asked && !again) || now.persisted) return;
      asked = true;
      await keep("persist");
    },
    stop: () => ended.abort(),
  };
}
