/* The few functions of <string.h> that a compiler may call, for WebAssembly, which has no C library here. */
#if defined(__wasm__)
#include <stdint.h>
#include <string.h>

/* Without the attribute clang recognises what a loop does and makes it a call to itself. */
#define BY_HAND __attribute__((no_builtin))

BY_HAND void *memcpy(void *restrict to, const void *restrict from, size_t len) {
  uint8_t *out = to;
  const uint8_t *in = from;
  for (; len >= 8; len -= 8, in += 8, out += 8) {
    uint64_t word;
    __builtin_memcpy(&word, in, 8);
    __builtin_memcpy(out, &word, 8);
  }
  while (len--) *out++ = *in++;
  return to;
}

BY_HAND void *memset(void *to, int byte, size_t len) {
  uint8_t *out = to;
  const uint64_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);
  for (; len >= 8; len -= 8, out += 8) __builtin_memcpy(out, &word, 8);
  while (len--) *out++ = (uint8_t)byte;
  return to;
}

BY_HAND void *memmove(void *to, const void *from, size_t len) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if ((uintptr_t)out - (uintptr_t)in >= len) return memcpy(to, from, len);
  while (len--) out[len] = in[len];
  return to;
}

BY_HAND int memcmp(const void *a, const void *b, size_t len) {
  const uint8_t *x = a, *y = b;
  for (size_t i = 0; i < len; i++)
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  return 0;
}
#endif
