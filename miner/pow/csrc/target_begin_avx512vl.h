/* From here on the compiler may use AVX-512 (F, BW and VL); ends with target_end.h. It stands behind the intrinsics
 * header, since attributes on single functions leave helpers that cannot be inlined. gcc's order of instructions for
 * Zen 2 makes yespower 1 % faster. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,tune=znver2")
#endif
