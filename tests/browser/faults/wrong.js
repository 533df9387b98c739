// A worker whose device computes wrongly: it finds nonces that do not hold.
const { Instance } = WebAssembly;
WebAssembly.Instance = class {
  constructor(module) {
    const { exports } = new Instance(module);
    this.exports = { ...exports, scan: (count) => exports.scan(count) || 1 };
  }
};
