// Times, rates and shares in the manner of a language.

/** @param {string} lang */
export function formats(lang) {
  const write = (/** @type {number} */ value, /** @type {Intl.NumberFormatOptions} */ options) =>
    new Intl.NumberFormat([lang, "de"], options).format(value); // "de" where a browser knows no Luxembourgish
  const unit = (/** @type {number} */ value, /** @type {string} */ name) =>
    write(value, { style: "unit", unit: name, unitDisplay: "long" });
  return {
    /** With two digits of sense: "8 seconds", "40 seconds", "3 minutes". @param {number} s seconds */
    duration: (s) =>
      s < 90 ? unit(s < 15 ? Math.max(1, Math.round(s)) : 5 * Math.round(s / 5), "second")
      : s < 5400 ? unit(Math.round(s / 60), "minute")
      : s < 129600 ? unit(Math.round(s / 360) / 10, "hour") : unit(Math.round(s / 86400), "day"),
    /** "638", "1.2M". @param {number} value */
    compact: (value) => write(value, { notation: "compact", maximumSignificantDigits: 3 }),
    /** @param {number} share 0 to 1 */
    percent: (share) => write(share, { style: "percent" }),
  };
}
