/* Which kernels there are, and what this processor can run. Nothing else is here. */
#include "kernels.h"
#include "neoscrypt.h"
#include "pow_impl.h"
#include "scrypt.h"
#include "yespower.h"

#if POW_X86
#include <cpuid.h>
#include <stdatomic.h>
#endif

#define ANY_LEN 0, SIZE_MAX

#define SHA256D(path, features, lanes, one) \
  {"sha256d", #path, features, lanes, 0, ANY_LEN, sha256d_hash_##path, one, sha256d_scan_##path}

/* Below 64 bytes the published NeoScrypt reads beyond its input, and of more than 256 it ignores the rest: no digest is
 * agreed on. */
#define NEOSCRYPT(path, features, lanes, one)                                                                        \
  {                                                                                                                  \
    "neoscrypt", #path, features, lanes, NEOSCRYPT_SCRATCH_LEN(lanes), NEOSCRYPT_PRF_INPUT_LEN, NEOSCRYPT_KDF_LEN,   \
        neoscrypt_hash_##path, one, NULL                                                                             \
  }

#define SCRYPT(path, features, lanes, one) \
  {"scrypt", #path, features, lanes, (lanes) * SCRYPT_V_LEN, ANY_LEN, scrypt_hash_##path, one, NULL}

#define YESPOWER(path, features, lanes, one)                                                                  \
  {                                                                                                           \
    "yespower", #path, features, lanes, YESPOWER_SCRATCH_LEN(YESPOWER_N, YESPOWER_R, lanes), ANY_LEN,         \
        yespower_hash_##path, one, NULL                                                                       \
  }

/* A module for WebAssembly has one algorithm and one path: its build leaves the other algorithms out. */
const pow_kernel pow_kernels[] = {
#if !defined(POW_NO_SHA256D)
#if POW_X86
    SHA256D(avx512, POW_AVX512, 16, sha256d_one),
    SHA256D(shani, POW_SHA, 3, NULL),
    SHA256D(avx2, POW_AVX2, 8, sha256d_one),
    SHA256D(sse2, POW_SSE2, 4, sha256d_one),
#endif
#if defined(__wasm_simd128__)
    SHA256D(simd128, POW_SIMD128, 4, sha256d_one),
#else
    SHA256D(portable, 0, 1, NULL),
#endif
#endif
#if !defined(POW_NO_NEOSCRYPT)
#if POW_X86
    NEOSCRYPT(avx512, POW_AVX512, 16, neoscrypt_hash_portable),
    NEOSCRYPT(avx2, POW_AVX2, 8, neoscrypt_hash_portable),
    NEOSCRYPT(sse2, POW_SSE2, 4, neoscrypt_hash_portable),
#endif
#if defined(__wasm_simd128__)
    NEOSCRYPT(simd128, POW_SIMD128, 4, NULL),
#else
    NEOSCRYPT(portable, 0, 1, NULL),
#endif
#endif
#if !defined(POW_NO_SCRYPT)
#if POW_X86
    SCRYPT(avx512, POW_AVX512, 12, scrypt_one_sse2),
    SCRYPT(avx2, POW_AVX2, 6, scrypt_one_sse2),
    SCRYPT(sse2, POW_SSE2, 3, scrypt_one_sse2),
#endif
#if defined(__wasm_simd128__)
    SCRYPT(simd128, POW_SIMD128, 3, scrypt_one_simd128),
#else
    SCRYPT(portable, 0, 1, NULL),
#endif
#endif
#if !defined(POW_NO_YESPOWER)
#if POW_X86
    YESPOWER(avx512, POW_AVX512VL, 2, yespower_one_avx512),
    YESPOWER(sse2, POW_SSE2, 2, yespower_one_sse2),
#endif
#if defined(__wasm_simd128__) && defined(YESPOWER_LOCAL_ONLY)
    YESPOWER(simd128, POW_SIMD128, 2, NULL), /* a third smaller without the code for one message */
#elif defined(__wasm_simd128__)
    YESPOWER(simd128, POW_SIMD128, 2, yespower_one_simd128),
#else
    YESPOWER(portable, 0, 1, NULL),
#endif
#endif
    {NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL},
};

#define ETHASH(path) \
  ethash_items_##path, ethash_light_##path, ethash_full_##path, ethash_scan_light_##path, ethash_scan_full_##path

#if !defined(POW_NO_ETHASH)
const ethash_kernel ethash_kernels[] = {
#if POW_X86
    {"avx512", POW_AVX512, ETHASH(avx512)},
    {"avx2", POW_AVX2, ETHASH(avx2)},
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    {"portable", 0, ETHASH(portable)},
#endif
    {NULL, 0, NULL, NULL, NULL, NULL, NULL},
};
#endif

#if POW_X86

/* The registers that the operating system saves when it switches tasks (XCR0). */
static uint64_t saved_registers(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static unsigned detect(void) {
  unsigned a, b, c, d, features = POW_SSE2;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  const unsigned sse41 = c & bit_SSE4_1, ssse3 = c & bit_SSSE3;
  const uint64_t saved = c & bit_OSXSAVE ? saved_registers() : 0;
  const int ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xe6) == 0xe6;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  if ((b & bit_SHA) && sse41 && ssse3) features |= POW_SHA;
  if ((b & bit_AVX2) && ymm) features |= POW_AVX2;
  if ((b & bit_AVX512F) && (b & bit_AVX512BW) && zmm) {
    features |= POW_AVX512;
    if (b & bit_AVX512VL) features |= POW_AVX512VL;
  }
  return features;
}

/* A virtual machine's host answers cpuid, which takes it as long as many hashes. */
unsigned pow_features(void) {
  static _Atomic unsigned known;
  unsigned features = atomic_load_explicit(&known, memory_order_relaxed);
  if (!features) {
    features = detect();
    atomic_store_explicit(&known, features, memory_order_relaxed);
  }
  return features;
}

#elif defined(__wasm_simd128__)

unsigned pow_features(void) { return POW_SIMD128; }

#else

unsigned pow_features(void) { return 0; }

#endif
