/* What an HTML sanitizer leaves as it is, with no Python in it.
 *
 * A parser and serializer of HTML change NUL, CR, & < > and U+00A0 anywhere, U+FEFF at the start, and cannot take a
 * surrogate; text without them comes out as it went in. Where there is SSE2, 16 bytes are compared at a time, the last
 * ones once more where the length is no multiple; nothing outside [s, s + n) is read.
 *
 * Measured by benchmarks/scalars.py (rows html).
 */
#ifndef FA_HTML_H
#define FA_HTML_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

/* All bits of each character that is found; `<` and `>` differ in one bit. */
#define FA_HTML_FOUND(width, space, more)                                                                              \
    static inline __m128i fa_html_found_##width(const void *s) {                                                       \
        __m128i c = _mm_loadu_si128((const __m128i *)s);                                                               \
        __m128i markup = _mm_cmpeq_epi##width(_mm_or_si128(c, _mm_set1_epi##width(2)), _mm_set1_epi##width('>'));      \
        __m128i other = _mm_or_si128(_mm_cmpeq_epi##width(c, _mm_setzero_si128()),                                     \
                                     _mm_cmpeq_epi##width(c, _mm_set1_epi##width('\r')));                              \
        markup = _mm_or_si128(markup, _mm_cmpeq_epi##width(c, _mm_set1_epi##width('&')));                              \
        other = _mm_or_si128(other, _mm_cmpeq_epi##width(c, _mm_set1_epi##width(space)));                              \
        return _mm_or_si128(_mm_or_si128(markup, other), more);                                                        \
    }
#define FA_HTML_SURROGATE(width)                                                                                       \
    _mm_cmpeq_epi##width(_mm_srli_epi##width(c, 11), _mm_set1_epi##width(0xd800 >> 11))

FA_HTML_FOUND(8, (char)0xa0, _mm_setzero_si128())
FA_HTML_FOUND(16, 0xa0, FA_HTML_SURROGATE(16))
FA_HTML_FOUND(32, 0xa0, FA_HTML_SURROGATE(32))

#define FA_HTML_BLOCKS(type, width)                                                                                    \
    if (n >= 128 / width) {                                                                                            \
        const type *last = s + n - 128 / width;                                                                        \
        for (; n >= 512 / width; s += 512 / width, n -= 512 / width) {                                                 \
            __m128i first = _mm_or_si128(fa_html_found_##width(s), fa_html_found_##width(s + 128 / width));            \
            __m128i second = _mm_or_si128(fa_html_found_##width(s + 256 / width),                                      \
                                          fa_html_found_##width(s + 384 / width));                                     \
            if (_mm_movemask_epi8(_mm_or_si128(first, second))) return 0;                                              \
        }                                                                                                              \
        for (; s < last; s += 128 / width)                                                                             \
            if (_mm_movemask_epi8(fa_html_found_##width(s))) return 0;                                                 \
        return !_mm_movemask_epi8(fa_html_found_##width(last));                                                        \
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
