// Reads one JSON array a line, `[module, function, …arguments]`, calls that function of miner/browser/pages, and
// writes what it returned. `["locale", lang, method, …arguments]` calls a method of Locale. Driven by
// tests/test_browser_pages.py.
import { createInterface } from "node:readline";
import { Locale } from "../../miner/browser/pages/locale.js";

for await (const line of createInterface({ input: process.stdin })) {
  const [module, name, ...args] = JSON.parse(line);
  if (module === "locale") {
    const [method, ...given] = args;
    console.log(JSON.stringify(new Locale(name)[method](...given)));
  } else {
    const loaded = await import(`../../miner/browser/pages/${module}.js`);
    console.log(JSON.stringify(await loaded[name](...args)));
  }
}
