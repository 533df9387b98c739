/* yespower 1.0: sizes, and the hash with any of its parameters. Source: openwall/yespower, whose reference code is its
 * definition.
 *
 * A chain of blocks of 64 bytes is mixed by multiplications with three S-boxes of 32 KiB, which it rewrites as it
 * goes, through a table V of N entries of 2 r blocks each.
 */
#ifndef POW_YESPOWER_H
#define POW_YESPOWER_H

#include "pow.h"

#define YESPOWER_N_MIN 1024
#define YESPOWER_N_MAX (512 * 1024)
#define YESPOWER_R_MIN 8
#define YESPOWER_R_MAX 32

/* Of the proof of work that is called yespower here. */
#define YESPOWER_N 1024
#define YESPOWER_R 8
#define YESPOWER_PERSONALISATION "ticketminer local v1"

#define YESPOWER_BLOCK_LEN 64
#define YESPOWER_ENTRY_LEN(r) (2 * (size_t)(r) * YESPOWER_BLOCK_LEN)
#define YESPOWER_BOX_LEN ((size_t)1 << 15)
#define YESPOWER_BOXES_LEN (3 * YESPOWER_BOX_LEN)
#define YESPOWER_SEED_LEN 128

/* Steps of the second pass through V: a third of the first, rounded up to an even number. */
#define YESPOWER_LOOPS(n) ((((n) + 2) / 3 + 1) / 2 * 2)

/* Memory of `lanes` hashes at once: boxes, V and the entry that is mixed. */
#define YESPOWER_SCRATCH_LEN(n, r, lanes) ((lanes) * (YESPOWER_BOXES_LEN + ((size_t)(n) + 1) * YESPOWER_ENTRY_LEN(r)))

typedef struct {
  uint32_t n, r; /* n is a power of two; both within the limits above */
  const uint8_t *personalisation;
  size_t personalisation_len;
} yespower_parameters;

/* Hash one message with `parameters`; `scratch` has YESPOWER_SCRATCH_LEN(n, r, 1) bytes and begins at a multiple of
 * 64. */
typedef void yespower_hash(const yespower_parameters *parameters, const uint8_t *data, size_t len, void *scratch,
                           uint8_t digest[POW_DIGEST_LEN]);

yespower_hash yespower_any_portable, yespower_any_sse2, yespower_any_avx512, yespower_any_simd128;

#endif
