// What the visitor should know before money is at risk, each with what to do about it.

import { h, icon } from "../element/dom.js";
import { button } from "./forms.js";
import { List } from "./list.js";
import { openWords } from "./words.js";

/** @import { Context } from "./context.js" */
/** @import { Notice } from "../types" */

const SHOWN = ["words-unseen", "storage-temporary", "clock-wrong", "recovered"]; // the miner shows what concerns mining

/**
 * @param {Context} context @param {() => Promise<void>} keep asks the browser to keep the wallet
 * @returns {import("./context.js").Section}
 */
export function notices(context, keep) {
  const { t, locale } = context;
  const node = h("ul", { class: "ticketminer-notices", role: "list" });
  /** @type {Record<string, () => HTMLElement>} */
  const remedies = {
    "words-unseen": () => button(t("words.show"), () => void openWords(context), "plain"),
    "storage-temporary": () => button(t("settings.keep"), () => void keep(), "plain"),
  };
  const list = new List(
    node,
    (/** @type {Notice} */ { code }) => code,
    ({ code, values = {} }) => {
      const text = h("span", null);
      return {
        node: h("li", null, icon("info"), h("p", null, text, " ", remedies[code] ? remedies[code]() : null)),
        draw: () => {
          text.textContent = t(`notice.${code}`, {
            n: values.amount ?? 0,
            time: locale.length(Number(values.seconds ?? 0)),
          });
        },
      };
    },
  );
  return {
    node,
    draw(_, snapshot) {
      list.draw(snapshot.notices.filter(({ code }) => SHOWN.includes(code)));
      node.hidden = !node.firstElementChild;
    },
  };
}
