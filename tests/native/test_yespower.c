/* yespower with other parameters than those of local work: published digests, and SSE2 the same as portable C. */
#include "check.h"
#include "vectors.h"
#include "yespower.h"

static void digest_of(yespower_hash *hash, uint32_t n, uint32_t r, const uint8_t *pers, size_t pers_len,
                      const uint8_t *data, size_t len, uint8_t digest[POW_DIGEST_LEN]) {
  memory message = memory_of(len, 0), string = memory_of(pers_len, 0);
  memory scratch = memory_aligned(YESPOWER_SCRATCH_LEN(n, r, 1), 64);
  memcpy(message.at, data, len), memcpy(string.at, pers, pers_len);
  const yespower_parameters parameters = {n, r, string.at, pers_len};
  hash(&parameters, message.at, len, scratch.at, digest);
  memory_free(message), memory_free(string), memory_free(scratch);
}

/* The hashes that were compiled. */
static yespower_hash *const hashes[] = {
    yespower_any_portable,
#if defined(__x86_64__)
    yespower_any_sse2,
#endif
};

int main(void) {
  uint8_t message[256], digest[POW_DIGEST_LEN], wanted[POW_DIGEST_LEN];
  unsigned published = 0;
  for (const vector *vector = vectors; vector->algorithm; vector++) {
    if (strncmp(vector->algorithm, "yespower", 8)) continue;
    const size_t len = from_hex(vector->message, message, sizeof message);
    from_hex(vector->digest, wanted, sizeof wanted);
    published++;
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
      digest_of(hashes[i], vector->n, vector->r, (const uint8_t *)vector->personalisation,
                strlen(vector->personalisation), message, len, digest);
      CHECK(!memcmp(digest, wanted, sizeof digest), "not the published digest of %s", vector->id);
    }
  }
  CHECK(published, "no vector of yespower");
  for (unsigned i = 0; i < 5; i++) {
    uint8_t pers[200];
    const uint32_t n = 1024u << i % 2, r = (uint32_t)random_between(YESPOWER_R_MIN, YESPOWER_R_MAX);
    const size_t len = random_between(0, sizeof message), pers_len = i ? random_between(0, sizeof pers) : 0;
    random_bytes(message, sizeof message), random_bytes(pers, sizeof pers);
    digest_of(yespower_any_portable, n, r, pers, pers_len, message, len, wanted);
    for (size_t k = 1; k < COUNT_OF(hashes); k++) {
      digest_of(hashes[k], n, r, pers, pers_len, message, len, digest);
      CHECK(!memcmp(digest, wanted, sizeof digest), "N=%u, r=%u: SSE2 and portable C differ", n, r);
    }
  }
  printf("yespower with any parameters: %u published, and random ones\n", published);
  return 0;
}
