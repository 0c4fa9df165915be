/* What an HTML sanitizer leaves as it is, with no Python in it.
 *
 * A parser and serializer of HTML change NUL, CR, & < > and U+00A0 anywhere, U+FEFF at the start, and cannot take a
 * surrogate; text without them comes out as it went in. Where there is SSE2, 16 bytes are compared at a time, the last
 * of them once more where the length is no multiple; nothing outside [s, s + n) is read.
 *
 * Measured by benchmarks/scalars.py (rows html).
 */
#ifndef FA_HTML_H
#define FA_HTML_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

/* `<` and `>` differ in one bit. */
#define FA_HTML_BLOCK(width)                                                                                           \
    static inline __m128i fa_html_found_##width(__m128i c) {                                                           \
        __m128i markup = _mm_cmpeq_epi##width(_mm_or_si128(c, _mm_set1_epi##width(2)), _mm_set1_epi##width('>'));      \
        __m128i other = _mm_or_si128(_mm_cmpeq_epi##width(c, _mm_setzero_si128()),                                     \
                                     _mm_cmpeq_epi##width(c, _mm_set1_epi##width('\r')));                              \
        other = _mm_or_si128(other, _mm_cmpeq_epi##width(c, _mm_set1_epi##width('&')));                                \
        other = _mm_or_si128(other, _mm_cmpeq_epi##width(c, _mm_set1_epi##width(FA_HTML_SPACE_##width)));              \
        return _mm_or_si128(markup, other);                                                                            \
    }
#define FA_HTML_SPACE_8 ((char)0xa0)
#define FA_HTML_SPACE_16 0xa0
#define FA_HTML_SPACE_32 0xa0
FA_HTML_BLOCK(8)
FA_HTML_BLOCK(16)
FA_HTML_BLOCK(32)

static inline __m128i fa_html_more_8(__m128i c) { (void)c; return _mm_setzero_si128(); }
static inline __m128i fa_html_more_16(__m128i c) {
    return _mm_cmpeq_epi16(_mm_srli_epi16(c, 11), _mm_set1_epi16(0xd800 >> 11));
}
static inline __m128i fa_html_more_32(__m128i c) {
    return _mm_cmpeq_epi32(_mm_srli_epi32(c, 11), _mm_set1_epi32(0xd800 >> 11));
}

#define FA_HTML_BLOCKS(type, width)                                                                                    \
    if (n >= 128 / width) {                                                                                            \
        const type *last = s + n - 128 / width;                                                                        \
        for (;;) {                                                                                                     \
            __m128i c = _mm_loadu_si128((const __m128i *)s);                                                           \
            if (_mm_movemask_epi8(_mm_or_si128(fa_html_found_##width(c), fa_html_more_##width(c)))) return 0;          \
            if (s == last) return 1;                                                                                   \
            s += 128 / width;                                                                                          \
            if (s > last) s = last;                                                                                    \
        }                                                                                                              \
    }
#else
#define FA_HTML_BLOCKS(type, width)
#endif

#define FA_HTML_PLAIN(name, type, width)                                                                               \
    static inline int name(const type *s, size_t n) {                                                                  \
        size_t i;                                                                                                      \
        int found = 0;                                                                                                 \
        FA_HTML_BLOCKS(type, width)                                                                                    \
        for (i = 0; i < n && !found; i++) {                                                                            \
            uint32_t c = s[i];                                                                                         \
            found = (c == 0) | (c == '\r') | (c == '&') | ((c | 2) == '>') | (c == 0xa0) | (c >> 11 == 0xd800 >> 11);  \
        }                                                                                                              \
        return !found;                                                                                                 \
    }

/* 1 when text of characters of one, two or four bytes has none of these; U+FEFF is looked for by the caller. */
FA_HTML_PLAIN(fa_html_plain_1, uint8_t, 8)
FA_HTML_PLAIN(fa_html_plain_2, uint16_t, 16)
FA_HTML_PLAIN(fa_html_plain_4, uint32_t, 32)

#endif
