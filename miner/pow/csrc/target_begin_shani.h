/* From here on the compiler may use SHA-NI (with SSSE3 and SSE4.1, which every processor with it has); ends with target_end.h. It
 * stands behind the intrinsics header, since attributes on single functions leave helpers that cannot be inlined. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sha,ssse3,sse4.1"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("sha,ssse3,sse4.1")
#endif
