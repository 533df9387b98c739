/* What a fuzzer made up, taken piece by piece; where it ends, zeros go on. */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  const uint8_t *at;
  size_t len;
} input;

static inline void take_bytes(input *from, uint8_t *to, size_t len) {
  const size_t there = len < from->len ? len : from->len;
  memset(to, 0, len);
  if (there) memcpy(to, from->at, there), from->at += there, from->len -= there;
}

static inline uint64_t take64(input *from) {
  uint8_t bytes[8];
  uint64_t number = 0;
  take_bytes(from, bytes, sizeof bytes);
  for (int i = 7; i >= 0; i--) number = number << 8 | bytes[i];
  return number;
}

/* A number from `low` to `high`, at most 255 apart. */
static inline size_t take_between(input *from, size_t low, size_t high) {
  uint8_t byte;
  take_bytes(from, &byte, 1);
  return low + byte % (high - low + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
