// The element that mines, placed by a page or dialog.

import { h } from "../element/dom.js";

/** @import { Context } from "./context.js" */

/**
 * A `<ticket-miner>` for a goal; its script is loaded when it is first needed.
 * @param {Context} context
 * @param {import("./context.js").Attributes} attributes those of element/host.d.ts
 */
export function minerFor(context, attributes) {
  const { service, assets, offer } = context.place;
  void import("../element/element.js");
  /** @type {Record<string, string | number>} */
  const given = { service, assets: assets.href, lang: context.messages.lang };
  for (const [name, value] of Object.entries({ ...offer, ...attributes }))
    if (value !== null && value !== undefined) given[name] = value;
  return h(/** @type {any} */ ("ticket-miner"), given);
}
