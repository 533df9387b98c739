// How much of the device mining may take, and when; what is stored here, and whether the browser will keep it.

import { h, write } from "../element/dom.js";
import { button, check, facts, id } from "./forms.js";
import { openWords } from "./words.js";

/** @import { Context } from "./context.js" */
/** @import { Limits } from "../types" */

/**
 * @param {Context} context @param {() => Promise<void>} keep asks the browser to keep the wallet
 * @returns {import("./context.js").Section}
 */
export function settings(context, keep) {
  const { core, t, locale } = context;

  /** @param {Partial<Limits>} limits */
  const change = async (limits) => {
    try {
      await core.limits(limits);
      context.announce(t("settings.saved"));
    } catch (reason) {
      context.announce(context.why(reason));
    }
    await context.refresh();
  };

  /**
   * @param {string} label @param {string} hint @param {[number, number, number]} range least, most, step
   * @param {(value: number) => Partial<Limits>} limits @param {(value: number) => string} words
   */
  const slider = (label, hint, [min, max, step], limits, words) => {
    const output = h("output", { class: "ticketminer-value" });
    const input = h("input", { type: "range", class: "ticketminer-slider", id: id("range"), min, max, step });
    const tell = () => {
      write(output, words(input.valueAsNumber));
      input.setAttribute("aria-valuetext", words(input.valueAsNumber));
    };
    input.addEventListener("input", tell);
    input.addEventListener("change", () => void change(limits(input.valueAsNumber)));
    input.setAttribute("aria-describedby", `${input.id}-hint`);
    const node = h(
      "div",
      { class: "ticketminer-fieldset" },
      h(
        "div",
        { class: "ticketminer-heading" },
        h("label", { class: "ticketminer-field", for: input.id }, label),
        output,
      ),
      h("p", { class: "ticketminer-hint", id: `${input.id}-hint` }, hint),
      input,
    );
    return {
      node,
      input,
      /** @param {number} value */
      set(value) {
        if (document.activeElement !== input) input.value = String(value);
        tell();
      },
    };
  };
  const threads = slider(
    t("settings.threads"),
    t("settings.threads-hint"),
    [1, 8, 1],
    (value) => ({ threads: value }),
    (n) => t("settings.threads-value", { n }),
  );
  const duty = slider(
    t("settings.duty"),
    t("settings.duty-hint"),
    [10, 100, 5],
    (value) => ({ duty: value / 100 }),
    (n) => locale.percent(n / 100),
  );

  /** @param {"pauseOnBattery" | "pauseOnHidden"} name */
  const box = (name) => {
    const input = h("input", { type: "checkbox", change: () => void change({ [name]: input.checked }) });
    return input;
  };
  const battery = box("pauseOnBattery");
  const hidden = box("pauseOnHidden");
  const notifications = h("input", {
    type: "checkbox",
    change: async () => {
      if (notifications.checked && !(await mayNotify())) {
        notifications.checked = false;
        context.announce(t(`settings.notifications-${"Notification" in window ? "denied" : "missing"}`));
        return;
      }
      await change({ notifications: notifications.checked });
    },
  });

  const used = h("span", null);
  const kept = h("span", null);
  const words = h("span", null);
  const ask = button(t("settings.keep"), () => void keep(), "plain");
  const show = button(t("words.show"), () => void openWords(context), "plain");
  const node = h(
    "section",
    { "aria-labelledby": "ticketminer-settings" },
    h("h2", { id: "ticketminer-settings", tabindex: -1 }, t("settings.title")),
    h(
      "fieldset",
      { class: "ticketminer-group" },
      h("legend", null, t("settings.mining")),
      threads.node,
      duty.node,
      check(battery, t("settings.battery"), t("settings.battery-hint")),
      check(hidden, t("settings.hidden"), t("settings.hidden-hint")),
    ),
    h(
      "fieldset",
      { class: "ticketminer-group" },
      h("legend", null, t("settings.news")),
      check(notifications, t("settings.notifications"), t("settings.notifications-hint")),
    ),
    h(
      "div",
      { class: "ticketminer-group" },
      h("h3", null, t("settings.storage")),
      facts([
        [t("settings.used"), used],
        [t("settings.kept"), h("span", null, kept, " ", ask)],
        [t("settings.words"), h("span", null, words, " ", show)],
      ]),
    ),
  );

  return {
    node,
    draw(view, snapshot) {
      const { limits, storage } = view;
      threads.input.max = String(Math.max(snapshot.maxThreads, limits.threads, 1));
      threads.set(limits.threads);
      duty.set(Math.round(limits.duty * 100));
      battery.checked = limits.pauseOnBattery;
      hidden.checked = limits.pauseOnHidden;
      notifications.checked = limits.notifications && granted();
      write(
        used,
        storage.usage === null
          ? t("settings.used-unknown")
          : t("settings.used-value", { size: locale.size(storage.usage) }),
      );
      const { persisted } = storage;
      write(
        kept,
        t(persisted === null ? "settings.kept-unknown" : persisted ? "settings.kept-yes" : "settings.kept-no"),
      );
      ask.hidden = persisted === true || !navigator.storage?.persist;
      write(words, t(view.wordsSeen ? "settings.words-seen" : "settings.words-unseen"));
    },
  };
}

const granted = () => "Notification" in window && Notification.permission === "granted";

/** Whether notifications are allowed, which the browser asks at most once. */
async function mayNotify() {
  if (!("Notification" in window)) return false;
  return granted() || (await Notification.requestPermission()) === "granted";
}
