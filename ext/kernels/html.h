/* What an HTML sanitizer leaves as it is, with no Python in it.
 *
 * A parser and serializer of HTML change NUL, CR, & < > and U+00A0 anywhere, U+FEFF at the start, and cannot take a
 * surrogate; text without them comes out as it went in. Nothing outside [s, s + n) is read.
 *
 * 1. Four vectors are compared at a time, then one; the last is read once more where the length is no multiple.
 * 2. The vectors are of 16 bytes with SSE2, which every x86-64 has; of 32 where fa_html_setup() found AVX2 and the text
 *    is long enough for it to pay. There a shuffle looks up, by its lower half, the only ASCII character that a byte
 *    could be to be found, as no two of them have the same.
 * 3. Elsewhere, and for what is shorter than a vector, the characters are compared one by one; 64 at a time without a
 *    branch, which compilers turn into vectors.
 *
 * Measured by benchmarks/scalars.py (rows html).
 */
#ifndef FA_HTML_H
#define FA_HTML_H

#include <stddef.h>
#include <stdint.h>

#if !defined(FA_PORTABLE) && defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define FA_HTML_SSE2 1
#define FA_HTML_AVX2 1
#elif !defined(FA_PORTABLE) && (defined(__SSE2__) || defined(_M_X64))
#include <emmintrin.h>
#define FA_HTML_SSE2 1
#define FA_HTML_AVX2 0
#else
#define FA_HTML_SSE2 0
#define FA_HTML_AVX2 0
#endif

/* All bits of each character that is found; `<` and `>` differ in one bit. */
#define FA_HTML_FOUND(target, name, vector, mm, bits, width, space, more)                                              \
    target static inline vector name(const void *s) {                                                                  \
        vector c = mm##_loadu_si##bits((const vector *)s);                                                             \
        vector markup = mm##_cmpeq_epi##width(mm##_or_si##bits(c, mm##_set1_epi##width(2)), mm##_set1_epi##width('>')); \
        vector other = mm##_or_si##bits(mm##_cmpeq_epi##width(c, mm##_setzero_si##bits()),                             \
                                        mm##_cmpeq_epi##width(c, mm##_set1_epi##width('\r')));                         \
        markup = mm##_or_si##bits(markup, mm##_cmpeq_epi##width(c, mm##_set1_epi##width('&')));                        \
        other = mm##_or_si##bits(other, mm##_cmpeq_epi##width(c, mm##_set1_epi##width(space)));                        \
        return mm##_or_si##bits(mm##_or_si##bits(markup, other), more);                                                \
    }
#define FA_HTML_SURROGATE(mm, width)                                                                                   \
    mm##_cmpeq_epi##width(mm##_srli_epi##width(c, 11), mm##_set1_epi##width(0xd800 >> 11))

/* The verdict on n characters, of which `one` vector holds no more than there are. */
#define FA_HTML_BLOCKS(found, mm, bits, one)                                                                           \
    {                                                                                                                  \
        size_t left = n;                                                                                               \
        for (; left >= 4 * (one); s += 4 * (one), left -= 4 * (one))                                                   \
            if (mm##_movemask_epi8(mm##_or_si##bits(mm##_or_si##bits(found(s), found(s + (one))),                      \
                                                    mm##_or_si##bits(found(s + 2 * (one)), found(s + 3 * (one))))))    \
                return 0;                                                                                              \
        for (; left >= (one); s += (one), left -= (one))                                                               \
            if (mm##_movemask_epi8(found(s))) return 0;                                                                \
        return !left || !mm##_movemask_epi8(found(s + left - (one)));                                                  \
    }

#if FA_HTML_SSE2
FA_HTML_FOUND(, fa_html_found_8, __m128i, _mm, 128, 8, (char)0xa0, _mm_setzero_si128())
FA_HTML_FOUND(, fa_html_found_16, __m128i, _mm, 128, 16, 0xa0, FA_HTML_SURROGATE(_mm, 16))
FA_HTML_FOUND(, fa_html_found_32, __m128i, _mm, 128, 32, 0xa0, FA_HTML_SURROGATE(_mm, 32))
#define FA_HTML_NARROW(width)                                                                                          \
    if (n >= 128 / width) FA_HTML_BLOCKS(fa_html_found_##width, _mm, 128, 128 / width)
#else
#define FA_HTML_NARROW(width)
#endif

#if FA_HTML_AVX2
#define FA_HTML_TARGET __attribute__((target("avx2")))

/* A shuffle gives 0 for a byte that is no ASCII, which is not that byte. */
FA_HTML_TARGET static inline __m256i fa_html_found_wide_8(const void *s) {
    const __m256i only = _mm256_setr_epi8(0, -1, -1, -1, -1, -1, '&', -1, -1, -1, -1, -1, '<', '\r', '>', -1,
                                          0, -1, -1, -1, -1, -1, '&', -1, -1, -1, -1, -1, '<', '\r', '>', -1);
    __m256i c = _mm256_loadu_si256((const __m256i *)s);
    return _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(only, c), c),
                           _mm256_cmpeq_epi8(c, _mm256_set1_epi8((char)0xa0)));
}
FA_HTML_FOUND(FA_HTML_TARGET, fa_html_found_wide_16, __m256i, _mm256, 256, 16, 0xa0, FA_HTML_SURROGATE(_mm256, 16))
FA_HTML_FOUND(FA_HTML_TARGET, fa_html_found_wide_32, __m256i, _mm256, 256, 32, 0xa0, FA_HTML_SURROGATE(_mm256, 32))

#define FA_HTML_LONG(type, width)                                                                                      \
    FA_HTML_TARGET static int fa_html_long_##width(const type *s, size_t n)                                            \
        FA_HTML_BLOCKS(fa_html_found_wide_##width, _mm256, 256, 256 / width)
FA_HTML_LONG(uint8_t, 8)
FA_HTML_LONG(uint16_t, 16)
FA_HTML_LONG(uint32_t, 32)

static int fa_html_level = 0;
#define FA_HTML_WIDE(width)                                                                                            \
    if (n >= 1024 / width && fa_html_level) return fa_html_long_##width(s, n);
#else
#define FA_HTML_WIDE(width)
#endif

#define FA_HTML_PLAIN(name, type, width)                                                                               \
    static inline int name(const type *s, size_t n) {                                                                  \
        type found = 0;                                                                                                \
        FA_HTML_WIDE(width)                                                                                            \
        FA_HTML_NARROW(width)                                                                                          \
        while (n) {                                                                                                    \
            size_t i, some = n < 64 ? n : 64;                                                                          \
            for (i = 0; i < some; i++) {                                                                               \
                type c = s[i];                                                                                         \
                found |= (type)((c == 0) | (c == '\r') | (c == '&') | ((type)(c | 2) == '>') | (c == 0xa0) |           \
                                ((uint32_t)c >> 11 == 0xd800 >> 11));                                                  \
            }                                                                                                          \
            if (found) return 0;                                                                                       \
            s += some;                                                                                                 \
            n -= some;                                                                                                 \
        }                                                                                                              \
        return 1;                                                                                                      \
    }

/* 1 when text of characters of one, two or four bytes has none of these; U+FEFF is looked for by the caller. */
FA_HTML_PLAIN(fa_html_plain_1, uint8_t, 8)
FA_HTML_PLAIN(fa_html_plain_2, uint16_t, 16)
FA_HTML_PLAIN(fa_html_plain_4, uint32_t, 32)

/* Chooses the vectors: of 32 bytes where the processor has them and `most` is 2; returns 2, 1 for 16 bytes, or 0. */
static int fa_html_setup(int most) {
#if FA_HTML_AVX2
    __builtin_cpu_init();
    fa_html_level = most >= 2 && __builtin_cpu_supports("avx2") != 0;
    return 1 + fa_html_level;
#else
    (void)most;
    return FA_HTML_SSE2;
#endif
}

#endif
