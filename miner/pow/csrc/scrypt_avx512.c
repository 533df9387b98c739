/* scrypt with AVX-512: four hashes a group, rotations in one instruction. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512.h"

#define NAME(verb) scrypt_##verb##_avx512
#define GROUPS 3
#define WORDS 16
#define V __m512i
#define SET1(x) _mm512_set1_epi32((int)(x))
#define LOAD(p) _mm512_load_si512((const void *)(p))
#define STORE(p, v) _mm512_store_si512((void *)(p), v)
#define ADD32(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define ROTR32(x, n) _mm512_ror_epi32(x, n)
#define SHR32(x, n) _mm512_srli_epi32(x, n)
#define XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CH(e, f, g) _mm512_ternarylogic_epi32(e, f, g, 0xca)
#define MAJ(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)
#define XOR_ROTATED(x, y, n) XOR(x, _mm512_rol_epi32(y, n))
#define FROM(n) (((n) + 3) % 4 << 6 | ((n) + 2) % 4 << 4 | ((n) + 1) % 4 << 2 | (n))
#define TURN(x, n) _mm512_shuffle_epi32(x, (_MM_PERM_ENUM)FROM(n))

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
