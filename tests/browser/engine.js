// What tests/test_browser_engine.py does in a page: hands expressions to a worker like the core, and their values back.

const folder = new URLSearchParams(location.search).get("assets");
const core = new Worker(`/assets/${folder}/drivers/engine_core.js`, { type: "module" });
const waiting = new Map();
core.onmessage = ({ data }) => {
  waiting.get(data.id)?.(data);
  waiting.delete(data.id);
};
core.onerror = (event) => console.error(`core: ${event.message ?? "not loaded"}`);

/** What an expression comes to in the core: `{value}` or `{error}`. */
globalThis.attempt = (expression, args) => new Promise((resolve) => {
  const id = crypto.getRandomValues(new Uint32Array(1))[0];
  waiting.set(id, resolve);
  core.postMessage({ id, expression, args });
});
