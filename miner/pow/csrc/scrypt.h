/* Sizes of scrypt with N=1024, r=1, p=1 (RFC 7914). */
#ifndef POW_SCRYPT_H
#define POW_SCRYPT_H

#define SCRYPT_N 1024
#define SCRYPT_ENTRY_LEN 128 /* two blocks of Salsa20 */
#define SCRYPT_V_LEN (SCRYPT_N * SCRYPT_ENTRY_LEN)

#endif
