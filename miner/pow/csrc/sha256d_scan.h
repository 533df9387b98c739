/* The search for SHA-256d, around a kernel that prepares it. The including file defines LANES, NAME(verb), NAME(hash) and
 *
 *   uint32_t NAME(candidates)(common, low, limit)   of the nonces that end with the 32 bits `low`, `low` + 1 …, LANES in all, those
 *                                                   whose digest ends with a word of at most `limit`, as bits
 */
uint64_t NAME(scan)(const pow_job *job, uint64_t start, uint64_t count, void *scratch, pow_hits *hits) {
  if (!sha256d_can_prepare(job)) return pow_scan_by_hash(NAME(hash), LANES, job, start, count, scratch, hits);
  const uint32_t limit = pow_load32_le(job->limit + 28);
  sha256d_common common;
  uint64_t done = 0, prepared = 0;
  while (done < count && hits->room - hits->len >= LANES) {
    const uint64_t nonce = start + done, left = count - done;
    if (!done || nonce >> 32 != prepared) sha256d_prepare(&common, job, nonce), prepared = nonce >> 32;
    const uint32_t low = (uint32_t)nonce;
    /* Lanes beyond the slice, or beyond the 32 bits that were prepared, do not count. */
    const uint64_t until_carry = (uint64_t)UINT32_MAX - low + 1;
    uint32_t used = LANES;
    if (left < used) used = (uint32_t)left;
    if (until_carry < used) used = (uint32_t)until_carry;
    uint32_t good = NAME(candidates)(&common, low, limit);
    for (uint32_t lane = 0; good && lane < used; lane++)
      if (good >> lane & 1) {
        uint8_t blob[POW_BLOB_MAX_LEN], digest[POW_DIGEST_LEN];
        memcpy(blob, job->blob, job->len);
        pow_put_nonce(blob, job, nonce + lane);
        sha256d_one(blob, job->len, scratch, digest);
        pow_offer(hits, job, nonce + lane, digest);
      }
    done += used;
  }
  return done;
}
