// A worker that hears nothing once it has begun.
addEventListener("message", () => {
  for (;;);
});
