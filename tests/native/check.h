/* What the C tests and the fuzz targets share: numbers that repeat, memory that is watched to the byte, and failing. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Print a sentence and abort, which a fuzzer takes for a crash. */
#define FAIL(...)                                                        \
  do {                                                                   \
    fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                      \
    fprintf(stderr, __VA_ARGS__), fputc('\n', stderr);                   \
    abort();                                                             \
  } while (0)

#define CHECK(holds, ...)          \
  do {                             \
    if (!(holds)) FAIL(__VA_ARGS__); \
  } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* The next number of a sequence that is the same in every run, unless it begins from another seed. */
uint64_t random64(void);

void random_seed(uint64_t seed);

/* A number from `low` to `high`. */
uint64_t random_between(uint64_t low, uint64_t high);

void random_bytes(uint8_t *to, size_t len);

/* Memory of its own: it ends where the sanitizer watches, and begins `offset` bytes behind a place that suits any type. */
typedef struct {
  uint8_t *at;
  void *owned;
} memory;

memory memory_of(size_t len, size_t offset);

/* The same with `len` bytes from a multiple of `align`, a power of two, filled with what no kernel expects there. */
memory memory_aligned(size_t len, size_t align);

void memory_free(memory piece);

/* Write the bytes that `hex` stands for to `to`, and return how many. */
size_t from_hex(const char *hex, uint8_t *to, size_t room);

#endif
