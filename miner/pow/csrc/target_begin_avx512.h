/* From here on the compiler may use AVX-512 (F and BW); ends with target_end.h. It stands behind the intrinsics header, since attributes on
 * single functions leave helpers that cannot be inlined. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw")
#endif
