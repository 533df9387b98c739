// A worker for whose kernel there is no memory.
WebAssembly.Instance = class {
  constructor() {
    throw new RangeError("WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance");
  }
};
