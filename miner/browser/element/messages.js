// Texts of one language: {"key": "text with {name}"}, or {"key": {"one": …, "other": …}} by the CLDR plural category of {n}.

const LANGUAGES = ["en", "de", "fr", "lb", "es", "ar"];
const RIGHT_TO_LEFT = ["ar"];

/** @typedef {Record<string, string | number>} Values */

/** The language of ours that `tag` asks for. @param {string} tag BCP 47 */
function language(tag) {
  const primary = tag.toLowerCase().split(/[-_]/)[0];
  return LANGUAGES.indexOf(primary) < 0 ? "en" : primary;
}

export class Messages {
  /** @type {Map<string, string | Record<string, string>>} */
  #texts = new Map();

  /** @param {string} tag the language that is asked for; English is given for those without messages */
  constructor(tag) {
    this.lang = language(tag);
    this.dir = RIGHT_TO_LEFT.indexOf(this.lang) < 0 ? "ltr" : "rtl";
    this.#plural = new Intl.PluralRules(this.lang);
    this.#number = new Intl.NumberFormat(this.lang);
  }
  #plural;
  #number;

  /** Load a catalogue, once. Throws where it cannot be had. @param {URL} assets @param {string} name */
  async load(assets, name) {
    const reply = await fetch(new URL(`messages/${this.lang}/${name}.json`, assets));
    if (!reply.ok) throw new Error(`${reply.url} was answered ${reply.status}.`);
    const texts = await reply.json();
    const keys = Object.keys(texts);
    for (let i = 0; i < keys.length; i++) this.#texts.set(keys[i], texts[keys[i]]);
    return this;
  }

  /** @param {string} key */
  has(key) {
    return this.#texts.has(key);
  }

  /** The text, with numbers in the manner of the language. @param {string} key @param {Values} [values] */
  text(key, values = {}) {
    const entry = this.#texts.get(key) ?? key;
    const text = typeof entry === "string" ? entry : entry[this.#plural.select(Number(values.n))] ?? entry.other;
    return text.replace(/\{(\w+)\}/g, (whole, name) => {
      if (!Object.hasOwn(values, name)) return whole;
      const value = values[name];
      // Isolates (U+2068, U+2069) keep a path or a name from reordering the words around it.
      return typeof value === "number" ? this.#number.format(value) : this.dir === "rtl" ? `\u2068${value}\u2069` : value;
    });
  }
}
