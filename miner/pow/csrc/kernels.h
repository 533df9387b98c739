/* Every kernel by name: verb, algorithm, instruction set. Each is in the file of its name. */
#ifndef POW_KERNELS_H
#define POW_KERNELS_H

#include "ethash.h"
#include "pow.h"

pow_hash_lanes sha256d_hash_portable, sha256d_hash_sse2, sha256d_hash_avx2, sha256d_hash_shani, sha256d_hash_avx512;
pow_hash_lanes sha256d_hash_simd128, sha256d_one;
pow_scan sha256d_scan_portable, sha256d_scan_sse2, sha256d_scan_avx2, sha256d_scan_shani, sha256d_scan_avx512;
pow_scan sha256d_scan_simd128;

pow_hash_lanes neoscrypt_hash_portable, neoscrypt_hash_sse2, neoscrypt_hash_avx2, neoscrypt_hash_avx512;
pow_hash_lanes neoscrypt_hash_simd128;

pow_hash_lanes scrypt_hash_portable, scrypt_hash_sse2, scrypt_hash_avx2, scrypt_hash_avx512, scrypt_hash_simd128;
pow_hash_lanes scrypt_one_sse2, scrypt_one_simd128;

pow_hash_lanes yespower_hash_portable, yespower_hash_sse2, yespower_hash_avx512, yespower_hash_simd128;
pow_hash_lanes yespower_one_sse2, yespower_one_avx512, yespower_one_simd128;

ethash_items ethash_items_portable, ethash_items_avx2, ethash_items_avx512, ethash_items_simd128;
ethash_hash ethash_light_portable, ethash_light_avx2, ethash_light_avx512, ethash_light_simd128;
ethash_hash ethash_full_portable, ethash_full_avx2, ethash_full_avx512, ethash_full_simd128;
ethash_scan ethash_scan_light_portable, ethash_scan_light_avx2, ethash_scan_light_avx512, ethash_scan_light_simd128;
ethash_scan ethash_scan_full_portable, ethash_scan_full_avx2, ethash_scan_full_avx512, ethash_scan_full_simd128;

#endif
