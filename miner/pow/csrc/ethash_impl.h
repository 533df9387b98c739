/* What the paths of ethash share: FNV, remainders, and the shape of what they mix. */
#ifndef POW_ETHASH_IMPL_H
#define POW_ETHASH_IMPL_H

#include "ethash.h"
#include "pow_impl.h"

#define ETHASH_FNV_PRIME 0x01000193u

typedef union {
  uint32_t word[16];
  uint64_t wide[8];
} POW_ALIGNED(ETHASH_ROW_LEN) ethash_row;

typedef union {
  uint32_t word[32];
  ethash_row half[2];
} ethash_page;

POW_INLINE uint32_t ethash_fnv(uint32_t a, uint32_t b) { return a * ETHASH_FNV_PRIME ^ b; }

/* The factor is 2^32 / by rounded down, so that the quotient is right or one too small. */
POW_INLINE uint32_t ethash_remainder(uint32_t x, const ethash_divisor *divisor) {
  const uint32_t quotient = (uint32_t)((uint64_t)x * divisor->factor >> 32);
  const uint32_t rest = x - quotient * divisor->by, less = rest - divisor->by;
  return rest < divisor->by ? rest : less;
}

#endif
