/* SHA-256 twice with the processor's own instructions for it (SHA-NI): streams of four words a vector, interleaved because each
 * instruction waits for the one before. Source: Intel, "Intel SHA Extensions", 2013, for what the instructions compute. */
#include "kernels.h"
#include "pow_impl.h"
#include "sha256.h"

#if POW_X86
#include <immintrin.h>

#include "sha256d_prepare.h"
#include "target_begin_shani.h"

#define STREAMS 3

/* The state as the instructions want it: a, b, e, f and c, d, g, h from the highest word down. */
typedef struct {
  __m128i abef, cdgh;
} state;

/* Four words of the message from word 4 * i on, the first lowest. */
typedef __m128i quad;

POW_INLINE __m128i load(const uint32_t *words) { return _mm_loadu_si128((const __m128i *)(const void *)words); }

POW_INLINE state state_from(const uint32_t words[8]) {
  const __m128i badc = _mm_shuffle_epi32(load(words), 0xb1), efgh = _mm_shuffle_epi32(load(words + 4), 0x1b);
  return (state){_mm_alignr_epi8(badc, efgh, 8), _mm_blend_epi16(efgh, badc, 0xf0)};
}

/* Set words a to d and e to h, the first lowest. */
POW_INLINE void state_words(state s, quad *abcd, quad *efgh) {
  const __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b), dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);
  *abcd = _mm_blend_epi16(feba, dchg, 0xf0);
  *efgh = _mm_alignr_epi8(dchg, feba, 8);
}

POW_INLINE state state_add(state a, state b) {
  return (state){_mm_add_epi32(a.abef, b.abef), _mm_add_epi32(a.cdgh, b.cdgh)};
}

/* Two rounds with the lower two words of `kw`, constants + words. */
POW_INLINE void two_rounds(state *s, __m128i kw) {
  const __m128i abef = s->abef;
  s->abef = _mm_sha256rnds2_epu32(s->cdgh, abef, kw);
  s->cdgh = abef;
}

POW_INLINE void four_rounds(state *s, __m128i kw) {
  two_rounds(s, kw);
  two_rounds(s, _mm_shuffle_epi32(kw, 0x0e));
}

/* Words 4 * i to 4 * i + 3, added to their constants. */
POW_INLINE __m128i with_constants(quad w, const int i) { return _mm_add_epi32(w, load(sha256_k + 4 * i)); }

/* Sixteen words behind w[0], w[1], w[2] and w[3]. */
POW_INLINE quad next_quad(quad w0, quad w1, quad w2, quad w3) {
  return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)), w3);
}

#define EACH for (int i = 0; i < STREAMS; i++)

/* What the rounds of all streams work on: the state, and as many words as the message schedule looks back. */
typedef struct {
  state s[STREAMS];
  quad w[4][STREAMS];
} streams;

/* Rounds 4 * n to 4 * n + 3, with words that are there. */
POW_INLINE void rounds(streams *x, const int n) {
  EACH four_rounds(&x->s[i], with_constants(x->w[n & 3][i], n));
}

/* The same with words computed now. */
POW_INLINE void next_rounds(streams *x, const int n) {
  EACH {
    x->w[n & 3][i] = next_quad(x->w[n & 3][i], x->w[(n + 1) & 3][i], x->w[(n + 2) & 3][i], x->w[(n + 3) & 3][i]);
    four_rounds(&x->s[i], with_constants(x->w[n & 3][i], n));
  }
}

/* Mix a block, the words in x->w, into the states. */
POW_INLINE void compress(streams *x) {
  state before[STREAMS];
  EACH before[i] = x->s[i];
  rounds(x, 0), rounds(x, 1), rounds(x, 2), rounds(x, 3);
  next_rounds(x, 4), next_rounds(x, 5), next_rounds(x, 6), next_rounds(x, 7);
  next_rounds(x, 8), next_rounds(x, 9), next_rounds(x, 10), next_rounds(x, 11);
  next_rounds(x, 12), next_rounds(x, 13), next_rounds(x, 14), next_rounds(x, 15);
  EACH x->s[i] = state_add(x->s[i], before[i]);
}

#define NAME(verb) sha256d_##verb##_shani
#define LANES STREAMS

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  (void)scratch;
  streams x;
  EACH x.s[i] = state_from(sha256_iv);
  for (size_t number = 0; number < (len + 8) / 64 + 1; number++) {
    EACH {
      uint32_t words[16];
      sha256d_block(data + (size_t)i * len, len, number, words);
      for (int n = 0; n < 4; n++) x.w[n][i] = load(words + 4 * n);
    }
    compress(&x);
  }
  EACH {
    state_words(x.s[i], &x.w[0][i], &x.w[1][i]);
    x.w[2][i] = _mm_set_epi32(0, 0, 0, INT32_MIN), x.w[3][i] = _mm_set_epi32(256, 0, 0, 0);
    x.s[i] = state_from(sha256_iv);
  }
  compress(&x);
  const __m128i order = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
  EACH {
    quad abcd, efgh;
    state_words(x.s[i], &abcd, &efgh);
    __m128i *digest = (__m128i *)(void *)(digests + (size_t)i * POW_DIGEST_LEN);
    _mm_storeu_si128(digest, _mm_shuffle_epi8(abcd, order));
    _mm_storeu_si128(digest + 1, _mm_shuffle_epi8(efgh, order));
  }
}

SHA256D_CANDIDATES NAME(candidates)(const sha256d_common *common, uint32_t low, uint32_t limit) {
  streams x;
  const state middle = state_from(common->midstate), two = state_from(common->two);
  const quad schedule6 = _mm_sub_epi32(load(common->schedule + 24), _mm_cvtsi32_si128((int)common->schedule[17]));
  EACH {
    const quad nonce = _mm_slli_si128(_mm_cvtsi32_si128((int)__builtin_bswap32(low + (uint32_t)i)), 12);
    x.s[i] = two;
    two_rounds(&x.s[i], _mm_shuffle_epi32(_mm_add_epi32(load(common->round), nonce), 0x0e));
    /* Its first words are nothing here, which leaves the small sigma of the nonce and the nonce. */
    x.w[0][i] = _mm_add_epi32(load(common->schedule + 16), _mm_sha256msg1_epu32(nonce, _mm_setzero_si128()));
  }
  EACH four_rounds(&x.s[i], load(common->round + 4));
  EACH four_rounds(&x.s[i], load(common->round + 8));
  EACH four_rounds(&x.s[i], load(common->round + 12));
  rounds(&x, 4);
  EACH x.w[1][i] = _mm_sha256msg2_epu32(load(common->schedule + 20), x.w[0][i]);
  rounds(&x, 5);
  EACH x.w[2][i] =
      _mm_sha256msg2_epu32(_mm_add_epi32(schedule6, _mm_alignr_epi8(x.w[1][i], x.w[0][i], 4)), x.w[1][i]);
  rounds(&x, 6);
  EACH x.w[3][i] = _mm_sha256msg2_epu32(
      _mm_add_epi32(load(common->schedule + 28), _mm_alignr_epi8(x.w[2][i], x.w[1][i], 4)), x.w[2][i]);
  rounds(&x, 7);
  next_rounds(&x, 8), next_rounds(&x, 9), next_rounds(&x, 10), next_rounds(&x, 11);
  next_rounds(&x, 12), next_rounds(&x, 13), next_rounds(&x, 14), next_rounds(&x, 15);

  const quad one = _mm_set_epi32(0, 0, 0, INT32_MIN), bits = _mm_set_epi32(256, 0, 0, 0);
  EACH {
    state_words(state_add(x.s[i], middle), &x.w[0][i], &x.w[1][i]);
    x.s[i] = state_from(sha256_iv);
  }
  rounds(&x, 0), rounds(&x, 1);
  EACH four_rounds(&x.s[i], with_constants(one, 2));
  EACH four_rounds(&x.s[i], with_constants(bits, 3));
  EACH x.w[0][i] = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(x.w[0][i], x.w[1][i]), bits);
  rounds(&x, 4);
  EACH x.w[1][i] = _mm_sha256msg2_epu32(
      _mm_add_epi32(_mm_sha256msg1_epu32(x.w[1][i], one), _mm_alignr_epi8(x.w[0][i], bits, 4)), x.w[0][i]);
  rounds(&x, 5);
  EACH x.w[2][i] =
      _mm_sha256msg2_epu32(_mm_add_epi32(one, _mm_alignr_epi8(x.w[1][i], x.w[0][i], 4)), x.w[1][i]);
  rounds(&x, 6);
  EACH x.w[3][i] = bits;
  next_rounds(&x, 7), next_rounds(&x, 8), next_rounds(&x, 9), next_rounds(&x, 10);
  next_rounds(&x, 11), next_rounds(&x, 12), next_rounds(&x, 13), next_rounds(&x, 14);
  uint32_t good = 0;
  EACH {
    /* The e of round 60 is the h of round 63. */
    const quad w = next_quad(x.w[3][i], x.w[0][i], x.w[1][i], x.w[2][i]);
    two_rounds(&x.s[i], with_constants(w, 15));
    const uint32_t last = (uint32_t)_mm_cvtsi128_si32(x.s[i].abef) + sha256_iv[7];
    good |= (uint32_t)(__builtin_bswap32(last) <= limit) << i;
  }
  return good;
}

#include "sha256d_scan.h"

#include "target_end.h"
#endif
