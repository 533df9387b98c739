/* yespower with other parameters than those of local work, in its WebAssembly module: hashes one message at a time, in memory that the
 * module grows by. */
#if defined(__wasm__)
#include <string.h>

#include "wasm.h"
#include "yespower.h"

#if defined(__wasm_simd128__)
#define YESPOWER_ANY yespower_any_simd128
#else
#define YESPOWER_ANY yespower_any_portable
#endif

enum { PAGE_LEN = 1 << 16 };

static uint8_t personalisation[MESSAGE_MAX_LEN];
static yespower_parameters chosen = {0, 0, personalisation, 0};

static void hash_chosen(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  YESPOWER_ANY(&chosen, data, len, scratch, digests);
}

static const pow_kernel kernel_of_chosen = {"yespower", "any parameters", 0, 1, 0, 0, SIZE_MAX, hash_chosen, NULL, NULL};

/* Where memory that was grown by begins, or 0; it ends where all memory does. */
static size_t grown_at;

/* Return `len` bytes at the end of memory, or NULL where there are not so many. */
static void *grow(size_t len) {
  const size_t end = __builtin_wasm_memory_size(0) * PAGE_LEN, begin = grown_at ? grown_at : end;
  if (end - begin < len && __builtin_wasm_memory_grow(0, (len - (end - begin) + PAGE_LEN - 1) / PAGE_LEN) == SIZE_MAX)
    return NULL;
  grown_at = begin;
  return (void *)begin;
}

/* From now on `hash` and `scan` work with N = `n`, r = `r` and the first `personalisation_len` bytes of `blob` as personalisation; with
 * n = 0, as at first, with those of local work, for which they are faster. Ends the job. Memory grows to 128 n r bytes and some, never
 * to shrink: views of it must be made anew. Return 0, and leave the parameters of before, when these are none or there is no memory. */
uint32_t EXPORT(parameters)(uint32_t n, uint32_t r, uint32_t personalisation_len) {
  if (!n) {
    wasm_use(NULL, NULL);
    return 1;
  }
  if (n < YESPOWER_N_MIN || n > YESPOWER_N_MAX || (n & (n - 1)) || r < YESPOWER_R_MIN || r > YESPOWER_R_MAX ||
      personalisation_len > MESSAGE_MAX_LEN)
    return 0;
  void *scratch = grow(YESPOWER_SCRATCH_LEN(n, r, 1));
  if (!scratch) return 0;
  chosen.n = n, chosen.r = r, chosen.personalisation_len = personalisation_len;
  memcpy(personalisation, io.blob, personalisation_len);
  wasm_use(&kernel_of_chosen, scratch);
  return 1;
}
#endif
