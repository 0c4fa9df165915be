/* The kernels of columns.h in AVX2, included by it.
 *
 * 1. A card is loaded with the 32 bytes that end with it, so the doubled digits are always the same bytes. A digit's
 *    share comes from a 16-byte table, psadbw adds the shares of a row, and the sums of eight rows lie in one register
 *    for the division by ten. Whether all are digits is asked once for the eight. Of sixteen digits alone, side by side,
 *    thirty-two rows are judged at once.
 * 2. An IBAN is loaded from its check digits on: 32 bytes hold the rest of any. Each character less the least of its
 *    class must not be above the class's span, and times its weight (10^k mod 97, between -48 and 48) adds to a sum that
 *    97 divides. What may be a digit or a letter is taken for a digit; a row where it is a letter is judged on its own.
 */
#ifndef FA_COLUMNS_AVX2_H
#define FA_COLUMNS_AVX2_H

#define FA_AVX2 __attribute__((target("avx2,popcnt")))
#define FA_AVX2_INLINE static inline __attribute__((always_inline, target("avx2,popcnt")))

/* The shares of 32 characters less '0', those outside the row 0. */
FA_AVX2_INLINE __m256i fa_shares(__m256i values) {
    const __m256i more = _mm256_setr_epi8(0, 1, 2, 3, 4, -4, -3, -2, -1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, -4, -3, -2,
                                          -1, 0, 0, 0, 0, 0, 0, 0);
    __m256i doubled = _mm256_and_si256(_mm256_shuffle_epi8(more, values), _mm256_set1_epi16(0x00ff));
    return _mm256_add_epi8(values, doubled);
}

/* The last n of the 32 characters before `end`, less '0'; those before them 0. */
FA_AVX2_INLINE __m256i fa_card_values(const unsigned char *end, size_t n) {
    __m256i text = _mm256_loadu_si256((const __m256i *)(end - 32));
    return _mm256_and_si256(_mm256_sub_epi8(text, _mm256_set1_epi8('0')),
                            _mm256_loadu_si256((const __m256i *)(fa_last + n)));
}

FA_AVX2_INLINE __m256i fa_four_sums(__m256i a, __m256i b, __m256i c, __m256i d) {
    a = _mm256_or_si256(a, _mm256_slli_epi64(b, 16));
    c = _mm256_or_si256(_mm256_slli_epi64(c, 32), _mm256_slli_epi64(d, 48));
    return _mm256_or_si256(a, c);
}

/* 0xffff for each of eight rows that is digits alone. */
FA_AVX2 static __attribute__((noinline)) __m128i fa_card_digits(const unsigned char *const *ends, const uint32_t *n) {
    uint16_t digits[8];
    unsigned k;
    for (k = 0; k < 8; k++) {
        __m256i over = _mm256_subs_epu8(fa_card_values(ends[k], n[k]), _mm256_set1_epi8(9));
        digits[k] = _mm256_testz_si256(over, over) ? 0xffff : 0;
    }
    return _mm_loadu_si128((const __m128i *)digits);
}

/* Eight rows: where each ends, how long it is, and all eight lengths as u32. A row of a wrong length is masked by the
 * low bits of it, so that the loads need not wait for the comparison. */
#define FA_EIGHT_CARDS(END, LENGTH, LENGTHS, OUT)                                                           \
    do {                                                                                                    \
        const __m256i zero_ = _mm256_setzero_si256();                                                       \
        __m256i low_ = zero_, high_ = zero_, most_ = zero_, fits_;                                          \
        __m128i right_;                                                                                     \
        unsigned k_;                                                                                        \
        fits_ = _mm256_sub_epi32((LENGTHS), _mm256_set1_epi32(FA_CARD_MIN));                                \
        fits_ = _mm256_cmpeq_epi32(fits_, _mm256_min_epu32(fits_, _mm256_set1_epi32(FA_CARD_MAX - FA_CARD_MIN))); \
        right_ = _mm_packs_epi32(_mm256_castsi256_si128(fits_), _mm256_extracti128_si256(fits_, 1));        \
        FA_ROW_OF_FOUR(low_, END, LENGTH, 0, 0)                                                             \
        FA_ROW_OF_FOUR(low_, END, LENGTH, 1, 16)                                                            \
        FA_ROW_OF_FOUR(low_, END, LENGTH, 2, 32)                                                            \
        FA_ROW_OF_FOUR(low_, END, LENGTH, 3, 48)                                                            \
        FA_ROW_OF_FOUR(high_, END, LENGTH, 4, 0)                                                            \
        FA_ROW_OF_FOUR(high_, END, LENGTH, 5, 16)                                                           \
        FA_ROW_OF_FOUR(high_, END, LENGTH, 6, 32)                                                           \
        FA_ROW_OF_FOUR(high_, END, LENGTH, 7, 48)                                                           \
        most_ = _mm256_subs_epu8(most_, _mm256_set1_epi8(9));                                               \
        if (!_mm256_testz_si256(most_, most_)) {                                                            \
            const unsigned char *ends_[8];                                                                  \
            uint32_t lengths_[8];                                                                           \
            for (k_ = 0; k_ < 8; k_++) ends_[k_] = (END), lengths_[k_] = (uint32_t)(LENGTH) & 31;           \
            right_ = _mm_and_si128(right_, fa_card_digits(ends_, lengths_));                                \
        }                                                                                                   \
        low_ = _mm256_add_epi16(_mm256_unpacklo_epi64(low_, high_), _mm256_unpackhi_epi64(low_, high_));    \
        fa_ten_divides(_mm_add_epi16(_mm256_castsi256_si128(low_), _mm256_extracti128_si256(low_, 1)),      \
                       right_, (OUT));                                                                      \
    } while (0)

#define FA_ROW_OF_FOUR(SUMS, END, LENGTH, K, SHIFT)                                                         \
    k_ = (K);                                                                                               \
    {                                                                                                       \
        __m256i values_ = fa_card_values((END), (size_t)(LENGTH) & 31);                                     \
        most_ = _mm256_max_epu8(most_, values_);                                                            \
        (SUMS) = _mm256_or_si256((SUMS), _mm256_slli_epi64(_mm256_sad_epu8(fa_shares(values_), zero_), (SHIFT))); \
    }

FA_AVX2 static void fa_card_pointers_avx2(const unsigned char *const *s, const uint32_t *n, size_t count,
                                          int8_t *out) {
    size_t i;
    for (i = 0; i < count; i += 8)
        FA_EIGHT_CARDS(s[i + k_] + n[i + k_], n[i + k_], _mm256_loadu_si256((const __m256i *)(n + i)), out + i);
}

/* The sums of four rows of sixteen digits, rows a, c, b, d each in 64 bits, as the halves of a register are kept apart.
 * The digits that count as they are and those that are doubled go to registers of their own: so one look-up serves four
 * rows, and psadbw adds a row in one step. What lies FA_AHEAD further is asked for: the processor's own prefetching stops
 * at pages, and judging takes long enough for it to fall behind (benchmarks/columns.py: a third of the time from L3). */
#define FA_AHEAD 8192
FA_AVX2_INLINE __m256i fa_four_sixteens(const unsigned char *s, __m256i *most) {
    const __m256i apart = _mm256_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 14,
                                           1, 3, 5, 7, 9, 11, 13, 15);
    const __m256i twice = _mm256_setr_epi8(0, 2, 4, 6, 8, 1, 3, 5, 7, 9, 0, 0, 0, 0, 0, 0, 0, 2, 4, 6, 8, 1, 3, 5, 7, 9, 0,
                                           0, 0, 0, 0, 0);
    __m256i a = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)s), _mm256_set1_epi8('0'));
    __m256i b = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(s + 32)), _mm256_set1_epi8('0')), doubled;
    _mm_prefetch((const char *)((uintptr_t)s + FA_AHEAD), _MM_HINT_T0); /* beyond the rows it does nothing */
    *most = _mm256_max_epu8(*most, _mm256_max_epu8(a, b));
    a = _mm256_shuffle_epi8(a, apart);
    b = _mm256_shuffle_epi8(b, apart);
    doubled = _mm256_shuffle_epi8(twice, _mm256_unpacklo_epi64(a, b));
    return _mm256_sad_epu8(_mm256_add_epi8(doubled, _mm256_unpackhi_epi64(a, b)), _mm256_setzero_si256());
}

/* Those of eight as u32: of even rows in the lower half, of odd ones in the upper. */
FA_AVX2_INLINE __m256i fa_eight_sixteens(const unsigned char *s, __m256i *most) {
    __m256 a = _mm256_castsi256_ps(fa_four_sixteens(s, most));
    __m256 b = _mm256_castsi256_ps(fa_four_sixteens(s + 64, most));
    return _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
}

/* Thirty-two rows of sixteen digits at a time; returns how many were judged, up to the first that are not digits alone.
 * On its own, so that its constants have all registers: in the loop below it takes a fifth longer. */
FA_AVX2 static __attribute__((noinline)) size_t fa_many_sixteens(const unsigned char *s, size_t count, int8_t *out) {
    /* What is missing to a multiple of ten from the sixteens of a sum, and its rest, modulo ten; no sum is above 144. */
    const __m256i missing = _mm256_setr_epi8(0, 4, 8, 2, 6, 0, 4, 8, 2, 6, 0, 0, 0, 0, 0, 0, 0, 4, 8, 2, 6, 0, 4, 8, 2, 6,
                                             0, 0, 0, 0, 0, 0);
    const __m256i rest = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0,
                                          1, 2, 3, 4, 5);
    const __m256i low = _mm256_set1_epi8(15);
    size_t i;
    for (i = 0; i + 32 <= count; i += 32, s += 512) {
        __m256i most = _mm256_setzero_si256(), sums, more;
        __m128i even, odd;
        sums = fa_eight_sixteens(s, &most);
        sums = _mm256_packus_epi32(sums, fa_eight_sixteens(s + 128, &most));
        more = fa_eight_sixteens(s + 256, &most);
        more = _mm256_packus_epi32(more, fa_eight_sixteens(s + 384, &most));
        sums = _mm256_packus_epi16(sums, more);
        most = _mm256_subs_epu8(most, _mm256_set1_epi8(9));
        if (!_mm256_testz_si256(most, most)) break;
        more = _mm256_shuffle_epi8(missing, _mm256_and_si256(_mm256_srli_epi16(sums, 4), low));
        sums = _mm256_cmpeq_epi8(more, _mm256_shuffle_epi8(rest, _mm256_and_si256(sums, low)));
        sums = _mm256_and_si256(sums, _mm256_set1_epi8(1));
        even = _mm256_castsi256_si128(sums);
        odd = _mm256_extracti128_si256(sums, 1);
        _mm_storeu_si128((__m128i *)(out + i), _mm_unpacklo_epi8(even, odd));
        _mm_storeu_si128((__m128i *)(out + i + 16), _mm_unpackhi_epi8(even, odd));
    }
    return i;
}

/* Sixteen digits each, rows side by side: two in a register. Returns how many rows were judged: a multiple of eight,
 * up to the first eight that are not digits alone. */
FA_AVX2 static size_t fa_card_sixteen_avx2(const unsigned char *s, size_t count, int8_t *out) {
    const __m256i zero = _mm256_setzero_si256(), nine = _mm256_set1_epi8(9), first = _mm256_set1_epi8('0');
    size_t i = fa_many_sixteens(s, count, out);
    for (s += 16 * i; i + 8 <= count; i += 8, s += 128) {
        __m256i a = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)s), first);
        __m256i b = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(s + 32)), first);
        __m256i c = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(s + 64)), first);
        __m256i d = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(s + 96)), first);
        __m256i most = _mm256_max_epu8(_mm256_max_epu8(a, b), _mm256_max_epu8(c, d)), sums;
        __m128i even, odd;
        most = _mm256_subs_epu8(most, nine);
        if (!_mm256_testz_si256(most, most)) break;
        sums = fa_four_sums(_mm256_sad_epu8(fa_shares(a), zero), _mm256_sad_epu8(fa_shares(b), zero),
                            _mm256_sad_epu8(fa_shares(c), zero), _mm256_sad_epu8(fa_shares(d), zero));
        sums = _mm256_add_epi16(sums, _mm256_shuffle_epi32(sums, 0x4e));
        even = _mm256_castsi256_si128(sums);
        odd = _mm256_extracti128_si256(sums, 1);
        fa_ten_divides(_mm_unpacklo_epi16(even, odd), _mm_set1_epi8(-1), out + i);
    }
    return i;
}

/* Whether eight views at once point into one buffer, each with 13 to 34 characters that have `before` more before them
 * and FA_IBAN_AFTER of memory from the first on; *lengths as u32. */
FA_AVX2_INLINE int fa_eight_views(const fa_rows *rows, const unsigned char *view, int32_t which, int32_t before,
                                  __m256i *lengths) {
    const int64_t last = which < 0 ? -1 : rows->sizes[which] - FA_IBAN_AFTER - before;
    const __m256i most = _mm256_set1_epi32((int32_t)(last < INT32_MAX ? last : INT32_MAX));
    __m256i half[4], starts, fits;
    unsigned k;
    if (last < 0) return 0;
    for (k = 0; k < 4; k++)
        half[k] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(view + 16 * k))),
                                          _mm_loadu_si128((const __m128i *)(view + 16 * k + 64)), 1);
    *lengths = _mm256_unpacklo_epi64(_mm256_unpacklo_epi32(half[0], half[1]), _mm256_unpacklo_epi32(half[2], half[3]));
    half[0] = _mm256_unpackhi_epi32(half[0], half[1]);
    half[2] = _mm256_unpackhi_epi32(half[2], half[3]);
    fits = _mm256_cmpeq_epi32(_mm256_unpacklo_epi64(half[0], half[2]), _mm256_set1_epi32(which));
    starts = _mm256_unpackhi_epi64(half[0], half[2]);
    fits = _mm256_and_si256(fits, _mm256_cmpgt_epi32(starts, _mm256_set1_epi32(before - 1)));
    starts = _mm256_sub_epi32(starts, _mm256_set1_epi32(before));
    fits = _mm256_and_si256(fits, _mm256_cmpeq_epi32(_mm256_min_epu32(starts, most), starts));
    starts = _mm256_sub_epi32(*lengths, _mm256_set1_epi32(13));
    fits = _mm256_and_si256(fits, _mm256_cmpeq_epi32(_mm256_min_epu32(starts, _mm256_set1_epi32(21)), starts));
    return _mm256_movemask_epi8(fits) == -1;
}

/* The buffer that a view points into and where it lies; -1 if there is none such. */
static inline int32_t fa_view_buffer(const fa_rows *rows, const unsigned char *view, const unsigned char **data) {
    int32_t which;
    memcpy(&which, view + 8, sizeof which);
    if (which < 0 || which >= rows->buffer_count) return -1;
    *data = rows->buffers[which];
    return which;
}

static inline uint32_t fa_u32(const unsigned char *s) {
    uint32_t value;
    memcpy(&value, s, sizeof value);
    return value;
}

/* Judges rows from `first` on without a block of pointers; returns how many it judged, maybe none. */
FA_AVX2 static size_t fa_card_direct_avx2(const fa_rows *rows, size_t first, size_t count, int8_t *out) {
    const unsigned char *data = rows->data;
    size_t i = 0;
    if (rows->layout == FA_FIXED && rows->width == 16 && rows->stride == 16)
        return fa_card_sixteen_avx2(data + 16 * first, count, out);
    if (rows->layout == FA_OFFSETS32) {
        const int32_t *at = (const int32_t *)rows->offsets + first;
        if ((uintptr_t)at & 3 || count < 8 || at[1] < FA_CARD_BEFORE) return 0;
        for (; i + 8 <= count; i += 8)
            FA_EIGHT_CARDS(data + at[i + k_ + 1], at[i + k_ + 1] - at[i + k_],
                           _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(at + i + 1)),
                                            _mm256_loadu_si256((const __m256i *)(at + i))),
                           out + i);
    } else if (rows->layout == FA_OFFSETS64) {
        const int64_t *at = (const int64_t *)rows->offsets + first;
        if ((uintptr_t)at & 7 || count < 8 || at[1] < FA_CARD_BEFORE) return 0;
        for (; i + 8 <= count; i += 8) {
            uint32_t n[8];
            unsigned k;
            for (k = 0; k < 8; k++) {
                int64_t length = at[i + k + 1] - at[i + k];
                n[k] = length < 32 ? (uint32_t)length : 0;
            }
            FA_EIGHT_CARDS(data + at[i + k_ + 1], n[k_], _mm256_loadu_si256((const __m256i *)n), out + i);
        }
    } else if (rows->layout == FA_VIEWS && count >= 8) {
        const unsigned char *view = data + 16 * first;
        const int32_t which = fa_view_buffer(rows, view, &data);
        __m256i lengths;
        for (; i + 8 <= count && fa_eight_views(rows, view, which, FA_CARD_BEFORE, &lengths); i += 8, view += 128)
            FA_EIGHT_CARDS(data + fa_u32(view + 16 * k_ + 12) + fa_u32(view + 16 * k_), fa_u32(view + 16 * k_), lengths,
                           out + i);
    }
    return i;
}

/* A row whose characters are not all of the class they were taken for: only letters that may be digits can save it.
 * Each letter moves what stands before it by one more power of ten. So the characters of an eighth get their weights by
 * the letters among them, and the sum of an eighth that of all letters after it. */
FA_AVX2 static int fa_iban_again(const unsigned char *s, size_t n, __m256i text, __m256i wrong, unsigned entry) {
    const uint8_t length = fa_vector_length[entry];
    const uint8_t *power = fa_power + 96 + 6 + length - FA_IBAN_MAX;
    __m256i right = _mm256_cmpeq_epi8(wrong, _mm256_setzero_si256()), values, letter, folded, weights;
    __m128i sums, powers;
    unsigned letters, check = (s[2] - '0') * 10u + (s[3] - '0');
    if (!entry || n < length) return 0;
    text = _mm256_and_si256(text, _mm256_loadu_si256((const __m256i *)(fa_first + FA_IBAN_MAX - length)));
    right = _mm256_or_si256(right, _mm256_loadu_si256((const __m256i *)fa_vectors[entry].either));
    folded = _mm256_sub_epi8(_mm256_or_si256(text, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
    letter = _mm256_cmpeq_epi8(_mm256_min_epu8(folded, _mm256_set1_epi8(25)), folded);
    right = _mm256_and_si256(right, _mm256_or_si256(letter, _mm256_cmpeq_epi8(wrong, _mm256_setzero_si256())));
    if (_mm256_movemask_epi8(right) != -1 || check - 2 > 96) return 0;
    values = _mm256_blendv_epi8(_mm256_subs_epu8(text, _mm256_set1_epi8('0')),
                                _mm256_add_epi8(folded, _mm256_set1_epi8(10)), letter);
    values = _mm256_andnot_si256(_mm256_setr_epi32(0xffff, 0, 0, 0, 0, 0, 0, 0), values);
    letters = (unsigned)_mm256_movemask_epi8(letter);
    weights = _mm256_setr_epi64x(fa_eighth[letters & 255], fa_eighth[letters >> 8 & 255], fa_eighth[letters >> 16 & 255],
                                 fa_eighth[letters >> 24]);
    values = _mm256_madd_epi16(_mm256_maddubs_epi16(values, weights), _mm256_set1_epi16(1));
    sums = _mm_hadd_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    powers = _mm_setr_epi32(power[24 + __builtin_popcount(letters >> 8)], power[16 + __builtin_popcount(letters >> 16)],
                            power[8 + __builtin_popcount(letters >> 24)], power[0]);
    sums = _mm_mullo_epi32(sums, powers);
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
    return (_mm_cvtsi128_si32(sums) + (int)(fa_vector_head[entry] + check) + 97 * 100000 - 1) % 97 == 0;
}

/* Whether a row cannot be an IBAN whatever its characters: by the letters of its country, or by its length where that
 * is known. */
#define FA_UNLIKE(S, N, KNOWN, ENTRY)                                                                       \
    (((((S)[0] | (unsigned)(S)[1] << 8) & 0xe0e0) ^ 0x4040) | ((KNOWN) ? (N) ^ fa_vector_length[ENTRY] : 0))

/* Four rows; verdicts as four i32, 0 or -1. Where lengths are known, what follows a row is not looked at; else it is
 * LENGTH bytes with NUL after the last character. */
#define FA_FOUR_IBANS(START, LENGTH, KNOWN, VERDICTS)                                                       \
    do {                                                                                                    \
        const unsigned char *s_[4];                                                                         \
        __m256i text_[4], wrong_[4], product_[4], low_, high_, sums_, any_;                                 \
        __m128i sum_, check_, fits_;                                                                        \
        unsigned entry_[4], k_;                                                                             \
        size_t unlike_ = 0;                                                                                 \
        for (k_ = 0; k_ < 4; k_++) {                                                                        \
            const fa_iban_vectors *of_;                                                                     \
            __m256i value_;                                                                                 \
            unsigned letters_;                                                                              \
            s_[k_] = (START);                                                                               \
            letters_ = s_[k_][0] | (unsigned)s_[k_][1] << 8;                                                \
            entry_[k_] = fa_vector_index[(letters_ & 31) << 5 | (letters_ >> 8 & 31)];                      \
            unlike_ |= FA_UNLIKE(s_[k_], (size_t)(LENGTH), KNOWN, entry_[k_]);                              \
            of_ = &fa_vectors[entry_[k_]];                                                                  \
            text_[k_] = _mm256_loadu_si256((const __m256i *)(s_[k_] + 2));                                  \
            text_[k_] = _mm256_and_si256(                                                                   \
                text_[k_], (KNOWN) ? others_ : _mm256_loadu_si256((const __m256i *)(fa_first + 34 - (LENGTH)))); \
            value_ = _mm256_sub_epi8(text_[k_], _mm256_loadu_si256((const __m256i *)of_->base));            \
            wrong_[k_] = _mm256_subs_epu8(                                                                  \
                value_, _mm256_loadu_si256((const __m256i *)((KNOWN) ? of_->loose : of_->span)));           \
            value_ = _mm256_or_si256(value_, one_);                                                         \
            product_[k_] = _mm256_maddubs_epi16(value_, _mm256_loadu_si256((const __m256i *)of_->weight));  \
        }                                                                                                   \
        low_ = _mm256_unpacklo_epi32(product_[0], product_[1]);                                             \
        high_ = _mm256_unpacklo_epi32(product_[2], product_[3]);                                            \
        /* The check digits weigh 10 and 1: their product is the number they write. */                      \
        check_ = _mm_unpacklo_epi64(_mm256_castsi256_si128(low_), _mm256_castsi256_si128(high_));           \
        check_ = _mm_sub_epi32(_mm_and_si128(check_, _mm_set1_epi32(0xffff)), _mm_set1_epi32(2));           \
        low_ = _mm256_add_epi16(low_, _mm256_unpackhi_epi32(product_[0], product_[1]));                     \
        high_ = _mm256_add_epi16(high_, _mm256_unpackhi_epi32(product_[2], product_[3]));                   \
        sums_ = _mm256_add_epi16(_mm256_unpacklo_epi64(low_, high_), _mm256_unpackhi_epi64(low_, high_));   \
        sums_ = _mm256_madd_epi16(sums_, _mm256_set1_epi16(1));                                             \
        sum_ = _mm_add_epi32(_mm256_castsi256_si128(sums_), _mm256_extracti128_si256(sums_, 1));            \
        /* 97 divides what times its inverse modulo 2^32 is no more than 2^32 / 97; 97000 against signs. */ \
        sum_ = _mm_mullo_epi32(_mm_add_epi32(sum_, _mm_set1_epi32(97000)), _mm_set1_epi32(1594008481));     \
        fits_ = _mm_cmpeq_epi32(_mm_min_epu32(sum_, _mm_set1_epi32(44278013)), sum_);                       \
        fits_ = _mm_and_si128(fits_, _mm_cmpeq_epi32(_mm_min_epu32(check_, _mm_set1_epi32(96)), check_));   \
        any_ = _mm256_or_si256(_mm256_or_si256(wrong_[0], wrong_[1]), _mm256_or_si256(wrong_[2], wrong_[3])); \
        if (unlike_ || !_mm256_testz_si256(any_, any_)) {                                                   \
            int32_t each_[4];                                                                               \
            _mm_storeu_si128((__m128i *)each_, fits_);                                                      \
            for (k_ = 0; k_ < 4; k_++)                                                                      \
                if (FA_UNLIKE(s_[k_], (size_t)(LENGTH), KNOWN, entry_[k_]))                                 \
                    each_[k_] = 0;                                                                          \
                else if (!_mm256_testz_si256(wrong_[k_], wrong_[k_]))                                       \
                    each_[k_] = -fa_iban_again(s_[k_], (LENGTH), text_[k_], wrong_[k_], entry_[k_]);        \
            fits_ = _mm_loadu_si128((const __m128i *)each_);                                                \
        }                                                                                                   \
        (VERDICTS) = fits_;                                                                                 \
    } while (0)

#define FA_EIGHT_IBANS(START, LENGTH, KNOWN, OUT)                                                           \
    do {                                                                                                    \
        __m128i few_, more_;                                                                                \
        {                                                                                                   \
            const size_t o_ = 0;                                                                            \
            FA_FOUR_IBANS(START, LENGTH, KNOWN, few_);                                                      \
        }                                                                                                   \
        {                                                                                                   \
            const size_t o_ = 4;                                                                            \
            FA_FOUR_IBANS(START, LENGTH, KNOWN, more_);                                                     \
        }                                                                                                   \
        few_ = _mm_packs_epi32(few_, more_);                                                                \
        few_ = _mm_and_si128(_mm_packs_epi16(few_, few_), _mm_set1_epi8(1));                                \
        _mm_storel_epi64((__m128i *)(OUT), few_);                                                           \
    } while (0)

/* What FA_FOUR_IBANS is to find in registers: a byte for the constant, and all others. */
#define FA_IBAN_BYTES                                                                                       \
    const __m256i one_ = _mm256_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0x01000000);                                \
    const __m256i others_ = _mm256_setr_epi32(-1, -1, -1, -1, -1, -1, -1, 0x00ffffff)

FA_AVX2 static void fa_iban_pointers_avx2(const unsigned char *const *s, const uint32_t *n, size_t count,
                                          int8_t *out) {
    FA_IBAN_BYTES;
    size_t i;
    for (i = 0; i < count; i += 8)
        FA_EIGHT_IBANS(s[i + o_ + k_], (size_t)n[i + o_ + k_], 1, out + i);
}

FA_AVX2 static size_t fa_iban_direct_avx2(const fa_rows *rows, size_t first, size_t count, int8_t *out) {
    FA_IBAN_BYTES;
    const unsigned char *data = rows->data;
    size_t i = 0;
    if (rows->layout == FA_FIXED && rows->width >= 2 && rows->width <= FA_IBAN_MAX && rows->stride > 0) {
        const size_t width = rows->width, stride = (size_t)rows->stride;
        const unsigned char *s = data + first * stride;
        if (width == FA_IBAN_MAX && stride == FA_IBAN_MAX) {
            for (; i + 8 <= count; i += 8, s += 8 * FA_IBAN_MAX)
                FA_EIGHT_IBANS(s + (o_ + k_) * FA_IBAN_MAX, FA_IBAN_MAX, 0, out + i);
        } else {
            for (; i + 8 <= count && rows->high - (s + 7 * stride) >= FA_IBAN_AFTER; i += 8, s += 8 * stride)
                FA_EIGHT_IBANS(s + (o_ + k_) * stride, width, 0, out + i);
        }
    } else if (rows->layout == FA_OFFSETS32) {
        const int32_t *at = (const int32_t *)rows->offsets + first;
        if ((uintptr_t)at & 3) return 0;
        for (; i + 8 <= count && rows->high - (data + at[i + 7]) >= FA_IBAN_AFTER; i += 8)
            FA_EIGHT_IBANS(data + at[i + o_ + k_], (size_t)(at[i + o_ + k_ + 1] - at[i + o_ + k_]), 1,
                           out + i);
    } else if (rows->layout == FA_OFFSETS64) {
        const int64_t *at = (const int64_t *)rows->offsets + first;
        if ((uintptr_t)at & 7) return 0;
        for (; i + 8 <= count && rows->high - (data + at[i + 7]) >= FA_IBAN_AFTER; i += 8)
            FA_EIGHT_IBANS(data + at[i + o_ + k_], (size_t)(at[i + o_ + k_ + 1] - at[i + o_ + k_]), 1,
                           out + i);
    } else if (rows->layout == FA_VIEWS && count >= 8) {
        const unsigned char *view = data + 16 * first;
        const int32_t which = fa_view_buffer(rows, view, &data);
        __m256i lengths;
        for (; i + 8 <= count && fa_eight_views(rows, view, which, 0, &lengths); i += 8, view += 128)
            FA_EIGHT_IBANS(data + fa_u32(view + 16 * (o_ + k_) + 12), fa_u32(view + 16 * (o_ + k_)), 1, out + i);
    }
    return i;
}

#endif
