/* What the kernels use of <string.h>, for WebAssembly; in wasm_string.c. */
#ifndef POW_WASM_STRING_H
#define POW_WASM_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

#endif
