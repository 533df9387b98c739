// Texts of one language: "text with {name}", or {"one": …, "other": …} by the CLDR plural category of {n}.

const LANGUAGES = ["en", "de", "fr", "lb", "es", "ar"];

export class Messages {
  /** @type {Map<string, string | Record<string, string>>} */
  #texts = new Map();
  #plural;
  #number;

  /** @param {string} tag BCP 47; English for what there are no messages in */
  constructor(tag) {
    const primary = tag.toLowerCase().split("-")[0];
    this.lang = LANGUAGES.indexOf(primary) < 0 ? "en" : primary;
    this.dir = this.lang === "ar" ? "rtl" : "ltr";
    this.#plural = new Intl.PluralRules(this.lang);
    this.#number = new Intl.NumberFormat([this.lang, "de"]); // "de" where a browser knows no Luxembourgish
  }

  /** Load a catalogue. Throws where it cannot be had. @param {URL} assets @param {string} name */
  async load(assets, name) {
    const get = (/** @type {string} */ lang) => fetch(new URL(`messages/${lang}/${name}.json`, assets));
    let reply = await get(this.lang);
    if (reply.status === 404) reply = await get("en");
    if (!reply.ok) throw new Error(`${reply.url} was answered ${reply.status}.`);
    for (const [key, text] of Object.entries(await reply.json())) this.#texts.set(key, text);
  }

  /** @param {string} key */
  has(key) {
    return this.#texts.has(key);
  }

  /**
   * The text, with numbers in the manner of the language.
   * @param {string} key @param {Record<string, string | number>} [values]
   */
  text(key, values = {}) {
    const entry = this.#texts.get(key) ?? key;
    const text = typeof entry === "string" ? entry : entry[this.#plural.select(Number(values.n))] ?? entry.other;
    return text.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = Object.hasOwn(values, name) ? values[name] : whole;
      if (typeof value === "number") return this.#number.format(value);
      // Isolates keep a name from reordering the words around it.
      return this.dir === "rtl" ? `\u2068${value}\u2069` : value;
    });
  }
}
