/* What pow_features makes of processors that this machine is none of, and which kernel each of them gets. */
#include "check.h"
#include "pow.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* The processor that answers instead. */
static struct {
  unsigned leaves, leaf1_c, leaf7_b;
  uint64_t saved;
} fake;

static int fake_cpuid(unsigned leaf, unsigned *a, unsigned *b, unsigned *c, unsigned *d) {
  *a = *b = *c = *d = 0;
  if (leaf == 1) *c = fake.leaf1_c;
  return leaf <= fake.leaves;
}

static int fake_cpuid_count(unsigned leaf, unsigned sub, unsigned *a, unsigned *b, unsigned *c, unsigned *d) {
  *a = *b = *c = *d = 0;
  if (leaf == 7 && sub == 0) *b = fake.leaf7_b;
  return leaf <= fake.leaves;
}

static uint64_t fake_saved_registers(void) {
  CHECK(fake.leaf1_c & bit_OSXSAVE, "xgetbv is no instruction where the system has not said so");
  return fake.saved;
}

/* dispatch.c as it is, but with those answers: its own xgetbv stays, under another name. */
#define __get_cpuid fake_cpuid
#define __get_cpuid_count fake_cpuid_count
#define saved_registers(when) SAVED_REGISTERS_##when
#define SAVED_REGISTERS_void __attribute__((unused)) real_saved_registers(void)
#define SAVED_REGISTERS_ fake_saved_registers()
#include "dispatch.c"

#define SSE (bit_SSSE3 | bit_SSE4_1)
#define AVX (SSE | bit_OSXSAVE)
#define F_BW (bit_AVX512F | bit_AVX512BW)
#define YMM 0x07
#define ZMM 0xe7

typedef struct {
  const char *what;
  unsigned leaves, leaf1_c, leaf7_b;
  uint64_t saved;
  unsigned features;
  const char *best[5]; /* of sha256d, neoscrypt, scrypt, yespower and ethash */
} processor;

#define OLD {"sse2", "sse2", "sse2", "sse2", "portable"}
#define LIKE_2013 {"avx2", "avx2", "avx2", "sse2", "avx2"}
#define LIKE_2017 {"avx512", "avx512", "avx512", "avx512", "avx512"}

static const processor processors[] = {
    {"the first x86-64", 1, 0, 0, 0, POW_SSE2, OLD},
    {"no leaf 1", 0, AVX, bit_AVX2, YMM, POW_SSE2, OLD},
    {"a leaf 7 that does not exist", 5, AVX, bit_AVX2 | bit_SHA, YMM, POW_SSE2, OLD},
    {"AVX2", 7, AVX, bit_AVX2, YMM, POW_SSE2 | POW_AVX2, LIKE_2013},
    {"AVX2 and a system without XSAVE", 7, SSE, bit_AVX2, 0, POW_SSE2, OLD},
    {"AVX2 and a system that saves xmm alone", 7, AVX, bit_AVX2, 0x03, POW_SSE2, OLD},
    {"AVX2 and a system that saves the upper halves alone", 7, AVX, bit_AVX2, 0x05, POW_SSE2, OLD},
    {"SHA-NI without AVX", 7, SSE, bit_SHA, 0, POW_SSE2 | POW_SHA, {"shani", "sse2", "sse2", "sse2", "portable"}},
    {"SHA-NI without SSSE3", 7, bit_SSE4_1, bit_SHA, 0, POW_SSE2, OLD},
    {"SHA-NI without SSE4.1", 7, bit_SSSE3, bit_SHA, 0, POW_SSE2, OLD},
    {"SHA-NI and AVX2", 7, AVX, bit_SHA | bit_AVX2, YMM, POW_SSE2 | POW_SHA | POW_AVX2,
     {"shani", "avx2", "avx2", "sse2", "avx2"}},
    {"AVX-512 F alone", 7, AVX, bit_AVX2 | bit_AVX512F, ZMM, POW_SSE2 | POW_AVX2, LIKE_2013},
    {"AVX-512 BW alone", 7, AVX, bit_AVX2 | bit_AVX512BW, ZMM, POW_SSE2 | POW_AVX2, LIKE_2013},
    {"AVX-512 without VL", 7, AVX, bit_AVX2 | F_BW, ZMM, POW_SSE2 | POW_AVX2 | POW_AVX512,
     {"avx512", "avx512", "avx512", "sse2", "avx512"}},
    {"AVX-512 VL without BW", 7, AVX, bit_AVX2 | bit_AVX512F | bit_AVX512VL, ZMM, POW_SSE2 | POW_AVX2, LIKE_2013},
    {"AVX-512 and a system that saves ymm", 7, AVX, bit_AVX2 | F_BW | bit_AVX512VL, YMM, POW_SSE2 | POW_AVX2,
     LIKE_2013},
    {"AVX-512 and a system that saves no masks", 7, AVX, bit_AVX2 | F_BW | bit_AVX512VL, 0xc7, POW_SSE2 | POW_AVX2,
     LIKE_2013},
    {"AVX-512", 7, AVX, bit_AVX2 | F_BW | bit_AVX512VL, ZMM, POW_SSE2 | POW_AVX2 | POW_AVX512 | POW_AVX512VL, LIKE_2017},
    {"everything", 7, UINT32_MAX, UINT32_MAX, UINT64_MAX, POW_SSE2 | POW_AVX2 | POW_SHA | POW_AVX512 | POW_AVX512VL,
     LIKE_2017},
};

/* The first kernel in the table that `features` allow, as the extension chooses. */
static const char *best_of(const char *algorithm, unsigned features) {
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    if (!strcmp(kernel->algorithm, algorithm) && (kernel->features & features) == kernel->features) return kernel->path;
  for (const ethash_kernel *kernel = ethash_kernels; kernel->path; kernel++)
    if (!strcmp(algorithm, "ethash") && (kernel->features & features) == kernel->features) return kernel->path;
  return "none";
}

int main(void) {
  const char *const algorithms[] = {"sha256d", "neoscrypt", "scrypt", "yespower", "ethash"};
  for (size_t i = 0; i < COUNT_OF(processors); i++) {
    const processor *one = processors + i;
    fake.leaves = one->leaves, fake.leaf1_c = one->leaf1_c, fake.leaf7_b = one->leaf7_b, fake.saved = one->saved;
    const unsigned features = detect();
    CHECK(features == one->features, "%s: features %#x, not %#x", one->what, features, one->features);
    for (size_t k = 0; k < COUNT_OF(algorithms); k++)
      CHECK(!strcmp(best_of(algorithms[k], features), one->best[k]), "%s: %s runs %s, not %s", one->what, algorithms[k],
            best_of(algorithms[k], features), one->best[k]);
  }
  const unsigned once = pow_features();
  fake.leaves = 0;
  CHECK(pow_features() == once, "the processor is asked again");
  printf("dispatch: %zu processors\n", COUNT_OF(processors));
  return 0;
}

#else

int main(void) {
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    CHECK(!strcmp(kernel->path, "portable") && !pow_features(), "%s has a path for another processor", kernel->algorithm);
  printf("dispatch: portable C alone\n");
  return 0;
}

#endif
