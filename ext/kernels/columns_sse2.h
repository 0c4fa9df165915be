/* The kernels of columns.h in SSE2, which every x86-64 has; as columns_avx2.h, in halves of 16 bytes. */
#ifndef FA_COLUMNS_SSE2_H
#define FA_COLUMNS_SSE2_H

#define FA_SSE2_INLINE static inline __attribute__((always_inline))

/* Verdicts of eight Luhn sums (u16), each 0xffff in `right` where the row is 12 to 19 digits. */
FA_SSE2_INLINE void fa_ten_divides(__m128i sums, __m128i right, int8_t *out) {
    __m128i tenth = _mm_mulhi_epu16(sums, _mm_set1_epi16(6554));
    __m128i fits = _mm_cmpeq_epi16(sums, _mm_mullo_epi16(tenth, _mm_set1_epi16(10)));
    fits = _mm_and_si128(fits, right);
    _mm_storel_epi64((__m128i *)out, _mm_and_si128(_mm_packs_epi16(fits, fits), _mm_set1_epi8(1)));
}

FA_SSE2_INLINE __m128i fa_load16(const void *s) { return _mm_loadu_si128((const __m128i *)s); }

FA_SSE2_INLINE __m128i fa_half_sums(const unsigned char *s, const unsigned char *keep) {
    __m128i values = _mm_and_si128(_mm_sub_epi8(fa_load16(s), _mm_set1_epi8('0')), fa_load16(keep));
    __m128i wrong = _mm_cmpgt_epi8(_mm_xor_si128(values, _mm_set1_epi8(-128)), _mm_set1_epi8(9 - 128));
    __m128i nine = _mm_and_si128(_mm_cmpgt_epi8(values, _mm_set1_epi8(4)), _mm_set1_epi8(9));
    __m128i doubled = _mm_and_si128(_mm_sub_epi8(values, nine), _mm_set1_epi16(0x00ff));
    return _mm_sad_epu8(_mm_or_si128(_mm_add_epi8(values, doubled), wrong), _mm_setzero_si128());
}

static void fa_card_pointers_sse2(const unsigned char *const *s, const uint32_t *n, size_t count, int8_t *out) {
    size_t i;
    unsigned k;
    for (i = 0; i < count; i += 8) {
        __m128i four[2], sums;
        uint16_t right[8];
        four[0] = four[1] = _mm_setzero_si128();
        for (k = 0; k < 8; k++) {
            const unsigned char *end = s[i + k] + n[i + k];
            unsigned fits = n[i + k] - FA_CARD_MIN <= FA_CARD_MAX - FA_CARD_MIN;
            const unsigned char *keep = fa_last + (fits ? n[i + k] : 0);
            right[k] = fits ? 0xffff : 0;
            sums = _mm_add_epi64(fa_half_sums(end - 32, keep), fa_half_sums(end - 16, keep + 16));
            four[k >> 2] = _mm_or_si128(four[k >> 2], _mm_sll_epi64(sums, _mm_cvtsi32_si128((int)(k & 3) * 16)));
        }
        sums = _mm_add_epi16(_mm_unpacklo_epi64(four[0], four[1]), _mm_unpackhi_epi64(four[0], four[1]));
        /* A sum from 255 up holds something else than digits. */
        fa_ten_divides(sums, _mm_and_si128(fa_load16(right), _mm_cmpgt_epi16(_mm_set1_epi16(255), sums)), out + i);
    }
}

/* The weighted sum of sixteen characters; 0xff in *right where one is of the class it is taken for, 0 elsewhere. */
FA_SSE2_INLINE __m128i fa_half_product(__m128i text, const fa_iban_vectors *of, int half, __m128i *right) {
    const __m128i zero = _mm_setzero_si128();
    __m128i value = _mm_sub_epi8(text, fa_load16(of->base + 16 * half)), weight = fa_load16(of->weight + 16 * half);
    *right = _mm_cmpeq_epi8(_mm_subs_epu8(value, fa_load16(of->span + 16 * half)), zero);
    if (half) value = _mm_or_si128(value, _mm_setr_epi32(0, 0, 0, 0x01000000));
    return _mm_add_epi32(
        _mm_madd_epi16(_mm_unpacklo_epi8(value, zero), _mm_srai_epi16(_mm_unpacklo_epi8(weight, weight), 8)),
        _mm_madd_epi16(_mm_unpackhi_epi8(value, zero), _mm_srai_epi16(_mm_unpackhi_epi8(weight, weight), 8)));
}

static int fa_iban_one_sse2(const unsigned char *s, uint32_t n) {
    unsigned letters = s[0] | (unsigned)s[1] << 8, entry, check;
    const unsigned char *keep = fa_first + 32 + 2 - (n < 2 ? 2 : n);
    __m128i low, high, right[2], sum;
    const fa_iban_vectors *of;
    entry = fa_vector_index[(letters & 31) << 5 | (letters >> 8 & 31)];
    if ((letters & 0xe0e0) != 0x4040 || !entry || fa_vector_length[entry] != n) return 0;
    of = &fa_vectors[entry];
    low = _mm_and_si128(fa_load16(s + 2), fa_load16(keep));
    high = _mm_and_si128(fa_load16(s + 18), fa_load16(keep + 16));
    sum = _mm_add_epi32(fa_half_product(low, of, 0, &right[0]), fa_half_product(high, of, 1, &right[1]));
    if (_mm_movemask_epi8(_mm_and_si128(right[0], right[1])) != 0xffff) {
        right[0] = _mm_or_si128(right[0], fa_load16(of->either));
        right[1] = _mm_or_si128(right[1], fa_load16(of->either + 16));
        return _mm_movemask_epi8(_mm_and_si128(right[0], right[1])) == 0xffff
               && !_mm_movemask_epi8(_mm_or_si128(low, high)) && fa_iban_rule(s, n, 0) == FA_OK;
    }
    check = (s[2] - '0') * 10u + (s[3] - '0') - 2;
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    return check <= 96 && (_mm_cvtsi128_si32(sum) + 97000) % 97 == 0;
}

static void fa_iban_pointers_sse2(const unsigned char *const *s, const uint32_t *n, size_t count, int8_t *out) {
    size_t i;
    for (i = 0; i < count; i++) out[i] = (int8_t)fa_iban_one_sse2(s[i], n[i]);
}

#endif
