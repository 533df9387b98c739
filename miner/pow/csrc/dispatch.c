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

/* Below 64 bytes the published NeoScrypt reads beyond its input, and of more than 256 it ignores the rest: no digest is
 * agreed on. */
#define NEOSCRYPT(path, features, lanes)                                                                             \
  {                                                                                                                  \
    "neoscrypt", #path, features, lanes, NEOSCRYPT_SCRATCH_LEN(lanes), NEOSCRYPT_PRF_INPUT_LEN, NEOSCRYPT_KDF_LEN,   \
        neoscrypt_hash_##path, NULL                                                                                  \
  }

/* Scans hash `at_once` messages, single shares only as many as a vector has lanes for them. */
#define SCRYPT(path, features, lanes, at_once) \
  {"scrypt", #path, features, lanes, (at_once) * SCRYPT_V_LEN, ANY_LEN, scrypt_hash_##path, scrypt_scan_##path}

/* Scans hash two messages, since the chain of one waits most of the time; a single share is hashed alone. */
#define YESPOWER_SCRATCH(lanes) YESPOWER_SCRATCH_LEN(YESPOWER_N, YESPOWER_R, lanes)
#define YESPOWER(path, features) \
  {"yespower", #path, features, 1, YESPOWER_SCRATCH(2), ANY_LEN, yespower_hash_##path, yespower_scan_##path}

/* A module for WebAssembly has one algorithm and one path: its build leaves the other algorithms out. */
const pow_kernel pow_kernels[] = {
#if !defined(POW_NO_SHA256D)
#if POW_X86
    {"sha256d", "avx512", POW_AVX512, 16, 0, ANY_LEN, sha256d_hash_avx512, sha256d_scan_avx512},
    {"sha256d", "shani", POW_SHA, 3, 0, ANY_LEN, sha256d_hash_shani, sha256d_scan_shani},
    {"sha256d", "avx2", POW_AVX2, 8, 0, ANY_LEN, sha256d_hash_avx2, sha256d_scan_avx2},
    {"sha256d", "sse2", POW_SSE2, 4, 0, ANY_LEN, sha256d_hash_sse2, sha256d_scan_sse2},
#endif
#if defined(__wasm_simd128__)
    {"sha256d", "simd128", POW_SIMD128, 4, 0, ANY_LEN, sha256d_hash_simd128, sha256d_scan_simd128},
#else
    {"sha256d", "portable", 0, 1, 0, ANY_LEN, sha256d_hash_portable, sha256d_scan_portable},
#endif
#endif
#if !defined(POW_NO_NEOSCRYPT)
#if POW_X86
    NEOSCRYPT(avx512, POW_AVX512, 16),
    NEOSCRYPT(avx2, POW_AVX2, 8),
    NEOSCRYPT(sse2, POW_SSE2, 4),
#endif
#if defined(__wasm_simd128__)
    NEOSCRYPT(simd128, POW_SIMD128, 4),
#else
    NEOSCRYPT(portable, 0, 1),
#endif
#endif
#if !defined(POW_NO_SCRYPT)
#if POW_X86
    SCRYPT(avx512, POW_AVX512, 4, 12),
    SCRYPT(avx2, POW_AVX2, 2, 6),
    SCRYPT(sse2, POW_SSE2, 1, 3),
#endif
#if defined(__wasm_simd128__)
    SCRYPT(simd128, POW_SIMD128, 1, 3),
#else
    {"scrypt", "portable", 0, 1, SCRYPT_V_LEN, ANY_LEN, scrypt_hash_portable, NULL},
#endif
#endif
#if !defined(POW_NO_YESPOWER)
#if POW_X86
    YESPOWER(avx512, POW_AVX512VL),
    YESPOWER(sse2, POW_SSE2),
#endif
#if defined(__wasm_simd128__)
    YESPOWER(simd128, POW_SIMD128),
#else
    {"yespower", "portable", 0, 1, YESPOWER_SCRATCH(1), ANY_LEN, yespower_hash_portable, NULL},
#endif
#endif
    {NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL},
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
