// A worker that ends with an error as soon as it has work.
addEventListener("message", () => {
  throw new Error("dead");
});
