// A worker in a browser that knows WebAssembly without SIMD.
const { validate } = WebAssembly;
WebAssembly.validate = (bytes) => bytes.length > 40 && validate(bytes);
