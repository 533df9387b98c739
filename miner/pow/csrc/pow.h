/* Proof of work: hash functions and the search for nonces, one kernel for each algorithm and instruction set.
 *
 * A kernel has no state and cannot fail: sizes are fixed or given, the caller owns all memory, and no function allocates.
 * Digests are 32 bytes in the order in which the algorithm prints them, nonces little-endian, and limits 32 bytes little-endian
 * (the order in which every algorithm here but ethash reads its digests).
 */
#ifndef POW_H
#define POW_H

#include <stddef.h>
#include <stdint.h>

#define POW_DIGEST_LEN 32
#define POW_BLOB_MAX_LEN 128   /* headers have 80 bytes, blobs of local work 84 */
#define POW_SCRATCH_ALIGN 4096 /* scratch memory begins at a multiple of it */
#define POW_LANES_MAX 32

/* What a processor must be able to do; a kernel names the bits it needs. */
enum pow_feature {
  POW_SSE2 = 1 << 0,
  POW_AVX2 = 1 << 1,
  POW_SHA = 1 << 2,       /* SHA-NI, with SSSE3 and SSE4.1 */
  POW_AVX512 = 1 << 3,    /* F and BW */
  POW_AVX512VL = 1 << 4,  /* F, BW and VL */
  POW_SIMD128 = 1 << 5    /* WebAssembly */
};

/* One search: `blob` with the nonce of `nonce_len` (1 to 8) bytes at `nonce_at`. */
typedef struct {
  uint8_t blob[POW_BLOB_MAX_LEN];
  size_t len, nonce_at, nonce_len;
  uint8_t limit[POW_DIGEST_LEN];
} pow_job;

typedef struct {
  uint64_t nonce;
  uint8_t digest[POW_DIGEST_LEN];
} pow_hit;

/* Room for hits: at least POW_LANES_MAX, since a scan stops when those of its next step might not fit. */
typedef struct {
  pow_hit *at;
  size_t len, room;
} pow_hits;

/* Hash `lanes` messages of `len` bytes each, which lie behind one another in `data`, into as many digests. */
typedef void pow_hash_lanes(const uint8_t *data, size_t len, void *scratch, uint8_t *digests);

/* Try `count` nonces from `start` on, which must not wrap; append every hit in ascending order; return how many were tried, which is
 * less than `count` only where `hits` has room for fewer than POW_LANES_MAX more. */
typedef uint64_t pow_scan(const pow_job *job, uint64_t start, uint64_t count, void *scratch, pow_hits *hits);

typedef struct {
  const char *algorithm, *path;
  unsigned features;        /* all of these bits, or none for portable C */
  size_t lanes;             /* messages that `hash` takes at once */
  size_t scratch_len;       /* bytes; 0 where none is needed */
  size_t len_min, len_max;  /* of a message; len_max is SIZE_MAX where any length will do */
  pow_hash_lanes *hash;
  pow_hash_lanes *hash_one; /* as `hash` of one message, where one alone is faster in another way; else NULL */
  pow_scan *scan;           /* NULL: by `hash` */
} pow_kernel;

/* Every kernel that was compiled, for each algorithm the fastest first; the last has no path. */
extern const pow_kernel pow_kernels[];

/* The features of the processor that runs this, as far as the operating system lets us use them. */
unsigned pow_features(void);

/* Hash one message, whose length the kernel allows, in the way that is fastest for one: what verifying a share takes. `copies` has room
 * for one in each lane. */
void pow_hash(const pow_kernel *kernel, const uint8_t *data, size_t len, uint8_t *copies, void *scratch,
              uint8_t digest[POW_DIGEST_LEN]);

/* Search with `kernel`, by its own scan or the common one. */
uint64_t pow_search(const pow_kernel *kernel, const pow_job *job, uint64_t start, uint64_t count, void *scratch,
                    pow_hits *hits);

#endif
