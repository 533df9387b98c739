/* Holding a kernel against the portable one. Whatever differs aborts with a sentence. */
#ifndef COMPARE_H
#define COMPARE_H

#include "check.h"
#include "pow.h"

/* The kernel of `algorithm` in portable C, which is the truth here; it takes one message at once. */
const pow_kernel *portable_of(const char *algorithm);

/* Whether this processor runs `kernel`. */
int runs_here(const pow_kernel *kernel);

/* Compute the digest of `len` bytes at `data` with `kernel` alone. */
void digest_of(const pow_kernel *kernel, const uint8_t *data, size_t len, uint8_t digest[POW_DIGEST_LEN]);

/* Hash a message like `data`, another one in each lane and `offset` bytes from alignment, with every kernel of
 * `algorithm`. */
void compare_hashes(const char *algorithm, const uint8_t *data, size_t len, size_t offset);

/* Search `count` nonces (at most 4096) from `start` with every kernel, with `room` for hits: each must find those that
 * hashing nonce by nonce finds, and go on until the end if there is room enough. The blob behind `job->len` is
 * overwritten. */
void compare_searches(const char *algorithm, pow_job *job, uint64_t start, uint64_t count, size_t room);

#endif
