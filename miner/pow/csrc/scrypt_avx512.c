/* scrypt with AVX-512: four hashes a group, rotations in one instruction. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512.h"

#define NAME(verb) scrypt_##verb##_avx512
#include "words_avx512.h"
#define GROUPS 3
#define LOAD(p) _mm512_load_si512((const void *)(p))
#define STORE(p, v) _mm512_store_si512((void *)(p), v)

/* Both are the transposition of four by four pieces of 128 bits. */
#define ROWS_OF_HASHES(x)                                                                                       \
  do {                                                                                                          \
    const V t0 = _mm512_shuffle_i32x4(x[0], x[1], 0x44), t1 = _mm512_shuffle_i32x4(x[0], x[1], 0xee);           \
    const V t2 = _mm512_shuffle_i32x4(x[2], x[3], 0x44), t3 = _mm512_shuffle_i32x4(x[2], x[3], 0xee);           \
    x[0] = _mm512_shuffle_i32x4(t0, t2, 0x88), x[1] = _mm512_shuffle_i32x4(t0, t2, 0xdd);                       \
    x[2] = _mm512_shuffle_i32x4(t1, t3, 0x88), x[3] = _mm512_shuffle_i32x4(t1, t3, 0xdd);                       \
  } while (0)
#define HASHES_OF_ROWS(x) ROWS_OF_HASHES(x)
#include "scrypt_rows.h"

#include "target_end.h"
#endif
