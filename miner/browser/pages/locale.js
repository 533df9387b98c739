// Numbers, dates and lengths of time in the manner of a language. Times are Unix seconds.

import { formats } from "../element/format.js";

const UNITS = /** @type {const} */ ([
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
]);
const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte"];

export class Locale {
  #locales;

  /** @param {string} lang */
  constructor(lang) {
    // Some browsers know no Luxembourgish, which writes these as German does.
    this.#locales = lang === "lb" ? ["lb", "de"] : [lang];
  }

  /** "12 December 2026". @param {number} at */
  day(at) {
    return new Intl.DateTimeFormat(this.#locales, { dateStyle: "long" }).format(at * 1000);
  }

  /** "12 Dec 2026, 14:05". @param {number} at */
  moment(at) {
    return new Intl.DateTimeFormat(this.#locales, { dateStyle: "medium", timeStyle: "short" }).format(at * 1000);
  }

  /** "12 Dec 2026, 14:05 – 14:09". @param {number} from @param {number} to */
  span(from, to) {
    return new Intl.DateTimeFormat(this.#locales, { dateStyle: "medium", timeStyle: "short" }).formatRange(
      from * 1000,
      to * 1000,
    );
  }

  /** "in 9 days", "in 5 hours", "2 days ago". @param {number} at @param {number} [now] */
  away(at, now = Date.now() / 1000) {
    const seconds = at - now;
    const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS[3];
    return new Intl.RelativeTimeFormat(this.#locales, { numeric: "auto" }).format(Math.trunc(seconds / length), unit);
  }

  /** "2 hours, 5 minutes": the two largest units. @param {number} seconds */
  length(seconds) {
    const parts = [];
    let left = Math.max(0, Math.round(seconds));
    for (const [unit, length] of UNITS) {
      const count = Math.floor(left / length);
      left -= count * length;
      if (count || (unit === "second" && !parts.length)) parts.push(this.#unit(count, unit, "long"));
      else if (parts.length) break;
      if (parts.length === 2) break;
    }
    return new Intl.ListFormat(this.#locales, { type: "unit" }).format(parts);
  }

  /** An estimate: "8 seconds", "40 seconds", "3 minutes". @param {number} seconds */
  about(seconds) {
    return formats(this.#locales[0]).duration(seconds);
  }

  /** @param {number} value */
  number(value) {
    return this.#number(value);
  }

  /** Three digits: "638", "1.2M". @param {number} value */
  compact(value) {
    return this.#number(value, { notation: "compact", maximumSignificantDigits: 3 });
  }

  /** @param {number} share 0 to 1 */
  percent(share) {
    return this.#number(share, { style: "percent" });
  }

  /** "1.2 MB". @param {number} bytes */
  size(bytes) {
    const step = bytes < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log10(bytes) / 3));
    return this.#unit(bytes / 1000 ** step, SIZES[step], step ? "short" : "long");
  }

  /** @param {number} value @param {string} unit @param {"long" | "short"} unitDisplay */
  #unit(value, unit, unitDisplay) {
    return this.#number(value, { style: "unit", unit, unitDisplay, maximumFractionDigits: value < 10 ? 1 : 0 });
  }

  /** @param {number} value @param {Intl.NumberFormatOptions} [options] */
  #number(value, options) {
    return new Intl.NumberFormat(this.#locales, options).format(value);
  }
}

/** @param {number} at @param {string} text @returns {HTMLTimeElement} */
export function time(at, text) {
  const element = document.createElement("time");
  element.dateTime = new Date(at * 1000).toISOString();
  element.textContent = text;
  return element;
}
