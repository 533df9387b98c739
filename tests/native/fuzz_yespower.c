/* Fuzz target: yespower with any parameters, the same with SSE2 as in portable C. */
#include "check.h"
#include "input.h"
#include "yespower.h"

static void digest_of(yespower_hash *hash, uint32_t n, uint32_t r, memory pers, size_t pers_len, memory message,
                      size_t len, uint8_t digest[POW_DIGEST_LEN]) {
  const yespower_parameters parameters = {n, r, pers.at, pers_len};
  memory scratch = memory_aligned(YESPOWER_SCRATCH_LEN(n, r, 1), 64);
  hash(&parameters, message.at, len, scratch.at, digest);
  memory_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = {data, size};
  uint8_t truth[POW_DIGEST_LEN];
  const uint32_t n = (uint32_t)YESPOWER_N_MIN << take_between(&from, 0, 1);
  const uint32_t r = (uint32_t)take_between(&from, YESPOWER_R_MIN, YESPOWER_R_MAX);
  const size_t pers_len = take_between(&from, 0, 160), len = from.len > pers_len ? from.len - pers_len : 0;
  memory pers = memory_of(pers_len, 0), message = memory_of(len, 0);
  take_bytes(&from, pers.at, pers_len), take_bytes(&from, message.at, len);
  digest_of(yespower_any_portable, n, r, pers, pers_len, message, len, truth);
#if defined(__x86_64__)
  uint8_t digest[POW_DIGEST_LEN];
  digest_of(yespower_any_sse2, n, r, pers, pers_len, message, len, digest);
  CHECK(!memcmp(digest, truth, sizeof digest), "yespower with N=%u and r=%u: SSE2 and portable C differ", n, r);
#endif
  memory_free(pers), memory_free(message);
  return 0;
}
