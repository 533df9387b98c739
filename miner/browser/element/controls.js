// Threads, share of the time, battery, and the figures behind them: loaded when they are unfolded.

import { h, write } from "./dom.js";
import { rows } from "./rows.js";

/**
 * @param {import("./messages.js").Messages} messages @param {ReturnType<typeof import("./format.js").formats>} format
 * @param {(limits: Partial<import("../types.d.ts").Limits>) => void} change
 */
export function controls(messages, format, change) {
  /** @type {typeof messages.text} */
  const say = (key, values) => messages.text(key, values);
  const threads = slider("threads", say("threads"), { min: 1, step: 1 }, (value) => change({ threads: value }));
  const duty = slider("duty", say("duty"), { min: 10, max: 100, step: 10 }, (value) => change({ duty: value / 100 }));
  const battery = h("input", { type: "checkbox" });
  battery.onchange = () => change({ pauseOnBattery: battery.checked });
  const figures = h("dl");
  const check = h("label", { class: "check" }, battery, h("span", null, say("battery-pauses")));
  const node = h("div", null, threads.node, duty.node, check, figures);

  /** @param {string} key @param {boolean | null} known */
  const told = (key, known) => say(known === null ? "not-told" : `${key}.${known}`);

  /** @param {import("../types.d.ts").Snapshot} s */
  const show = (s) => {
    threads.show(s.threads, say("of", { got: s.threads, all: s.maxThreads }), s.maxThreads);
    duty.show(Math.round(100 * s.duty), format.percent(s.duty));
    battery.checked = s.pauseOnBattery ?? true;
    rows(figures, [
      [say("work-is"), s.algorithm ? say("work-is.text", { algorithm: s.algorithm, hashes: s.effort ?? 0 }) : "–"],
      [say("program"), s.kernel ? say(`program.${s.kernel}`) : "–"],
      [say("shares"), say("shares.text", s.shares)],
      [say("supply"), told("supply", s.battery === "unknown" ? null : s.battery === "charging")],
      [say("saver"), told("saver", s.saveData)],
      [say("kept"), told("kept", s.persisted)],
    ], () => h("div", null, h("dt"), h("dd")));
  };
  return { node, show };
}

/**
 * @param {string} id @param {string} label
 * @param {Record<string, number>} range @param {(value: number) => void} change
 */
function slider(id, label, range, change) {
  let held = false; // while it is being moved, what the core says is older than the hand
  const input = h("input", { type: "range", id, ...range });
  input.oninput = () => void (held = true);
  input.onchange = () => ((held = false), change(Number(input.value)));
  const output = h("output", { for: id });
  return {
    node: h("p", { class: "slider" }, h("label", { for: id }, label), output, input),
    /** @param {number} value @param {string} text @param {number} [max] */
    show(value, text, max) {
      if (held) return;
      if (max) input.max = String(max);
      input.value = String(value);
      input.setAttribute("aria-valuetext", text);
      write(output, text);
    },
  };
}
