/* From here on the compiler may use AVX2; ends with target_end.h. It stands behind the intrinsics header, since attributes on
 * single functions leave helpers that cannot be inlined. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
