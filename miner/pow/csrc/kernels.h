/* Every kernel by name: verb, algorithm, instruction set. Each is in the file of its name. */
#ifndef POW_KERNELS_H
#define POW_KERNELS_H

#include "pow.h"

pow_hash_lanes sha256d_hash_portable, sha256d_hash_avx2, sha256d_hash_avx512, sha256d_hash_simd128;
pow_scan sha256d_scan_portable, sha256d_scan_avx2, sha256d_scan_avx512, sha256d_scan_simd128;

#endif
