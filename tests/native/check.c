#define _POSIX_C_SOURCE 200112L /* posix_memalign */

#include "check.h"

static uint64_t state = 1;

/* A linear congruential generator (D. Knuth's MMIX), of which the upper halves of two numbers are good enough. */
uint64_t random64(void) {
  uint64_t number = 0;
  for (int half = 0; half < 2; half++) {
    state = state * 6364136223846793005 + 1442695040888963407;
    number = number << 32 | state >> 32;
  }
  return number;
}

void random_seed(uint64_t seed) { state = seed; }

uint64_t random_between(uint64_t low, uint64_t high) {
  const uint64_t span = high - low + 1;
  return span ? low + random64() % span : random64();
}

void random_bytes(uint8_t *to, size_t len) {
  for (size_t i = 0; i < len; i++) to[i] = (uint8_t)random64();
}

memory memory_of(size_t len, size_t offset) {
  memory piece = {NULL, malloc(offset + len ? offset + len : 1)};
  CHECK(piece.owned, "no memory");
  /* Of nothing, not even the one byte may be touched that malloc wants to be asked for. */
  piece.at = (uint8_t *)piece.owned + (offset + len ? offset : 1);
  return piece;
}

memory memory_aligned(size_t len, size_t align) {
  memory piece = {NULL, NULL};
  if (!len) return piece;
  CHECK(!posix_memalign(&piece.owned, align, len), "no memory");
  piece.at = piece.owned;
  memset(piece.at, 0xa5, len);
  return piece;
}

void memory_free(memory piece) { free(piece.owned); }

static unsigned nibble(char digit) {
  const char *digits = "0123456789abcdef", *found = strchr(digits, digit);
  CHECK(digit && found, "%c is no hexadecimal digit", digit);
  return (unsigned)(found - digits);
}

size_t from_hex(const char *hex, uint8_t *to, size_t room) {
  const size_t len = strlen(hex) / 2;
  CHECK(strlen(hex) % 2 == 0 && len <= room, "%zu digits for %zu bytes", strlen(hex), room);
  for (size_t i = 0; i < len; i++) to[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
  return len;
}
