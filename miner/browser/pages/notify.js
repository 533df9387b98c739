// Notifications of the browser, for those who asked for them and are looking elsewhere.

/** @import { Snapshot } from "../types" */

const WORKING = ["starting", "mining", "paused"];

/**
 * The message that is worth a notification when `before` became `now`; null for none.
 * @param {Snapshot} before @param {Snapshot} now @returns {{ key: string, n: number } | null}
 */
export function news(before, now) {
  if (!WORKING.includes(before.phase)) return null;
  if (now.phase === "failed") return { key: "notify.failed", n: 0 };
  if (now.phase === "paid") return { key: "notify.paid", n: before.goal?.amount ?? 0 };
  const goal = now.goal;
  if (now.phase !== "idle" || !goal || now.missing > 0) return null;
  if (goal.kind === "donate")
    return goal.amount && now.given >= goal.amount ? { key: "notify.given", n: now.given } : null;
  return now.balance >= goal.amount && now.earned > 0 ? { key: "notify.reached", n: now.balance } : null;
}

/** Show it, where the visitor allowed that and looks at something else. @param {string} title @param {string} body */
export function notify(title, body) {
  if (document.visibilityState !== "hidden" || !("Notification" in window) || Notification.permission !== "granted")
    return;
  const notification = new Notification(title, { body, tag: "ticketminer" });
  notification.onclick = () => window.focus();
}
