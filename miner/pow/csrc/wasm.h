/* What the parts of a WebAssembly module share; see wasm.c. */
#ifndef POW_WASM_H
#define POW_WASM_H

#include "pow.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

enum { MESSAGE_MAX_LEN = 256 };

/* What the page writes before a call and reads after it; numbers are little-endian. */
typedef struct {
  uint8_t blob[MESSAGE_MAX_LEN];  /* at 0: the message of `hash`; of a search, the blob */
  uint8_t limit[POW_DIGEST_LEN];  /* at 256, little-endian */
  uint8_t digest[POW_DIGEST_LEN]; /* at 288: what `hash` returns */
  uint64_t start;                 /* at 320: the first nonce of `scan` */
  uint64_t done;                  /* at 328: how many nonces `scan` tried */
} wasm_io;

extern wasm_io io;

/* Have `hash` and `scan` use another kernel, or with NULL that of the table again; there is nothing to scan until the next `set`. */
void wasm_use(const pow_kernel *other, void *its_scratch);

#endif
