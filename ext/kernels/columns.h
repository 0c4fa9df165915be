/* Cards, IBANs and phone numbers of many rows, with no Python in it: the verdict of checks.h and phone.h for each, by the
 * widest vectors there are.
 *
 * 1. A column is described by fa_rows: rows of one width padded with NUL, Arrow offsets, or Arrow views. fa_judge()
 *    gives one byte per row.
 * 2. fa_resolve() makes pointers and lengths of a block of rows. What the vector kernels may read beside a row (32 bytes
 *    that end with a card, 34 that begin with an IBAN) lies inside the column's own memory; where it would not, at its
 *    edges, the row is copied first. So nothing outside [low, high) is ever read.
 * 3. The layouts that need no such block go to the kernels of columns_avx2.h directly.
 * 4. A phone number is a walk through a table, one row after the other. What the table cannot decide is FA_OTHER_ROW.
 * 5. The level is chosen once, by fa_columns_setup(): 2 AVX2, 1 SSE2, 0 the portable functions of checks.h, which every
 *    other processor and compiler takes.
 *
 * Measured by benchmarks/columns.py.
 */
#ifndef FA_COLUMNS_H
#define FA_COLUMNS_H

#include "checks.h"
#include "phone.h"

/* FA_PORTABLE: as on a processor or compiler without vectors. */
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(FA_PORTABLE)
#define FA_X86 1
#define FA_LINE __attribute__((aligned(64)))
#include <immintrin.h>
#else
#define FA_X86 0
#define FA_LINE
#endif

#define FA_BLOCK 256
#define FA_CARD_BEFORE 32 /* a card's kernel reads this much before its end */
#define FA_IBAN_AFTER 34  /* an IBAN's this much after its start */
#define FA_OFFSETS_BLOCK 2048
#define FA_IBAN_PREFIXES 127
#define FA_PHONE_BYTES (4 * FA_PHONE_LONGEST) /* more are too many characters in UTF-8, too */

enum { FA_CARDS, FA_IBANS, FA_BRANDS, FA_COUNTRIES, FA_PHONES };   /* what is asked */
enum { FA_FIXED, FA_OFFSETS32, FA_OFFSETS64, FA_VIEWS };            /* how rows lie in memory */
enum { FA_NONE = -1, FA_NULL_ROW = -2, FA_BAD_VIEW = -3, FA_OTHER_ROW = -4 }; /* answers beside 0, 1 and a code */

typedef struct {
    int layout;
    const unsigned char *data;            /* the first row; the text buffer; the first view */
    const void *offsets;                  /* of the first row */
    size_t width;                         /* FA_FIXED: bytes of a row */
    ptrdiff_t stride;                     /* FA_FIXED: from row to row */
    const unsigned char *low, *high;      /* all that may be read; of views: the views themselves */
    const unsigned char *const *buffers;  /* FA_VIEWS: what views point into, and how long each is */
    const int64_t *sizes;
    int64_t buffer_count;
} fa_rows;

/* Card prefixes: by the first four digits a brand, or FA_NULL_ROW where eight decide: then that of the last of `starts`
 * not above them. lengths: bit n is set where the brand has cards of n digits. */
typedef struct {
    const int8_t *four;
    const uint32_t *starts;
    const int8_t *brands;
    size_t count;
    const uint32_t *lengths;
} fa_brands;

/* What some questions are answered with: FA_BRANDS with brands; FA_PHONES with phones, and whether numbers without "+"
 * and calling code are dialled from somewhere. */
typedef struct {
    fa_brands brands;
    fa_phone_table phones;
    int dialled;
} fa_tables;

typedef struct {
    const unsigned char *s[FA_BLOCK + 8];
    uint32_t n[FA_BLOCK + 8];
    size_t bad;
    unsigned char slots[FA_BLOCK][64];
} fa_block;

/* Of every prefix with an IBAN of its own: what each character after the country must be less, and may then be at most;
 * what it weighs (byte 31, never part of an IBAN: the constant); which may be a letter as well as a digit. loose: span,
 * but anything may follow. */
typedef struct { uint8_t base[32], span[32]; int8_t weight[32]; uint8_t either[32], loose[32]; } fa_iban_vectors;

static FA_LINE fa_iban_vectors fa_vectors[FA_IBAN_PREFIXES + 1];
static uint8_t fa_vector_length[FA_IBAN_PREFIXES + 1];
static uint8_t fa_vector_head[FA_IBAN_PREFIXES + 1];
static uint8_t fa_vector_index[32 * 32]; /* by the low five bits of both letters */
static uint8_t fa_power[192];            /* 10^k modulo 97 */
static int64_t fa_eighth[256];           /* eight weights by which of eight characters are letters */
static int8_t fa_country_code[26][26];   /* rank among all prefixes, FA_NONE for no prefix */
/* Masks at any place of 32 bytes: for the last n of them from [n] on, for the first n from [32 - n] on. The lengths that
 * there are do not cross a cache line. */
static FA_LINE unsigned char fa_last[64], fa_first[64];
static const unsigned char fa_nothing[64] = {0};

typedef void fa_pointers_kernel(const unsigned char *const *s, const uint32_t *n, size_t count, int8_t *out);
static fa_pointers_kernel *fa_card_pointers, *fa_iban_pointers;
static int fa_level = -1;

static inline int fa_card_row(const unsigned char *s, size_t n) {
    uint64_t all;
    if (n - FA_CARD_MIN > FA_CARD_MAX - FA_CARD_MIN) return 0;
    all = fa_load(s) | fa_load(s + n - 8) | (n > 16 ? fa_load(s + n - 16) : 0);
    return !(all & FA_HIGH) && fa_card_ok(s, n);
}

static inline int fa_ascii(const unsigned char *s, size_t n) {
    uint64_t all = 0;
    for (; n >= 8; s += 8, n -= 8) all |= fa_load(s);
    for (; n; s++, n--) all |= *s;
    return !(all & FA_HIGH);
}

static inline int fa_iban_row(const unsigned char *s, size_t n) {
    return n <= FA_IBAN_MAX && fa_ascii(s, n) && fa_iban_rule(s, n, 0) == FA_OK;
}

static void fa_card_pointers_any(const unsigned char *const *s, const uint32_t *n, size_t count, int8_t *out) {
    size_t i;
    for (i = 0; i < count; i++) out[i] = (int8_t)fa_card_row(s[i], n[i]);
}

static void fa_iban_pointers_any(const unsigned char *const *s, const uint32_t *n, size_t count, int8_t *out) {
    size_t i;
    for (i = 0; i < count; i++) out[i] = (int8_t)fa_iban_row(s[i], n[i]);
}

/* The length of a row without the NULs at its end. */
static inline size_t fa_fixed_length(const unsigned char *s, size_t width) {
    while (width >= 8 && !fa_load(s + width - 8)) width -= 8;
    while (width && !s[width - 1]) width--;
    return width;
}

/* Where row i lies and its length; the edges [*low, *high) it may be read within; NULL for a view out of bounds. */
static inline const unsigned char *fa_row(const fa_rows *rows, size_t i, size_t *n, const unsigned char **low,
                                          const unsigned char **high) {
    const unsigned char *s;
    int32_t view[4];
    *low = rows->low;
    *high = rows->high;
    switch (rows->layout) {
    case FA_FIXED:
        s = rows->data + (ptrdiff_t)i * rows->stride;
        *n = fa_fixed_length(s, rows->width);
        return s;
    case FA_OFFSETS32: {
        int32_t ends[2];
        memcpy(ends, (const unsigned char *)rows->offsets + 4 * i, sizeof ends);
        *n = (size_t)((int64_t)ends[1] - ends[0]);
        return rows->data + ends[0];
    }
    case FA_OFFSETS64: {
        int64_t ends[2];
        memcpy(ends, (const unsigned char *)rows->offsets + 8 * i, sizeof ends);
        *n = (size_t)(ends[1] - ends[0]);
        return rows->data + ends[0];
    }
    default:
        s = rows->data + 16 * i;
        memcpy(view, s, sizeof view);
        *n = 0;
        if (view[0] < 0) return NULL;
        *n = (size_t)view[0];
        if (view[0] <= 12) return s + 4;
        if (view[2] < 0 || view[2] >= rows->buffer_count || view[3] < 0) return NULL;
        if ((int64_t)view[3] + view[0] > rows->sizes[view[2]]) return NULL;
        *low = rows->buffers[view[2]];
        *high = *low + rows->sizes[view[2]];
        return *low + view[3];
    }
}

/* Pointers and lengths of rows [first, first + count), and of none up to a multiple of eight. */
static void fa_resolve(const fa_rows *rows, size_t first, size_t count, int iban, fa_block *block) {
    const unsigned char *s, *low, *high;
    size_t i, n, least = iban ? 15 : FA_CARD_MIN, most = iban ? FA_IBAN_MAX : FA_CARD_MAX, used = 0;
    block->bad = 0;
    for (i = 0; i < count; i++) {
        s = fa_row(rows, first + i, &n, &low, &high);
        block->bad += s == NULL;
        if (s == NULL || n < least || n > most) {
            s = fa_nothing + 32;
            n = 0;
        } else if (iban ? high - s < FA_IBAN_AFTER : s + n - low < FA_CARD_BEFORE) {
            unsigned char *slot = block->slots[used++];
            memset(slot, 0, sizeof block->slots[0]);
            if (!iban) slot += FA_CARD_BEFORE - n;
            memcpy(slot, s, n);
            s = slot;
        }
        block->s[i] = iban && !n ? fa_nothing : s;
        block->n[i] = (uint32_t)n;
    }
    for (; i & 7; i++) {
        block->s[i] = iban ? fa_nothing : fa_nothing + 32;
        block->n[i] = 0;
    }
}

#if FA_X86
#include "columns_sse2.h"
#include "columns_avx2.h"
#endif

/* Verdicts of up to FA_BLOCK rows by way of pointers. */
static void fa_judge_block(const fa_rows *rows, size_t first, size_t count, int iban, int8_t *out) {
    fa_block block;
    int8_t answers[FA_BLOCK + 8];
    fa_resolve(rows, first, count, iban, &block);
    (iban ? fa_iban_pointers : fa_card_pointers)(block.s, block.n, (count + 7) & ~(size_t)7, answers);
    memcpy(out, answers, count);
    if (block.bad) {
        const unsigned char *low, *high;
        size_t i, n;
        for (i = 0; i < count; i++)
            if (fa_row(rows, first + i, &n, &low, &high) == NULL) out[i] = FA_BAD_VIEW;
    }
}

static void fa_judge_blocks(const fa_rows *rows, size_t first, size_t count, int iban, int8_t *out) {
    while (count) {
        size_t some = count < FA_BLOCK ? count : FA_BLOCK;
        fa_judge_block(rows, first, some, iban, out);
        first += some;
        out += some;
        count -= some;
    }
}

/* Strict verdicts of rows [first, first + count), whose offsets have been looked at. */
static void fa_judge_strict(const fa_rows *rows, size_t first, size_t count, int iban, int8_t *out) {
#if FA_X86
    if (fa_level == 2) {
        size_t done = 0;
        while (done < count) {
            size_t some = iban ? fa_iban_direct_avx2(rows, first + done, count - done, out + done)
                               : fa_card_direct_avx2(rows, first + done, count - done, out + done);
            done += some;
            if (done == count) break;
            /* What the direct kernels leave: rows at an edge, a layout they do not know, less than eight rows. */
            if (some || rows->layout == FA_OFFSETS32 || rows->layout == FA_OFFSETS64)
                some = count - done < 8 ? count - done : 8;
            else
                some = count - done < FA_BLOCK ? count - done : FA_BLOCK;
            fa_judge_block(rows, first + done, some, iban, out + done);
            done += some;
        }
        return;
    }
#endif
    fa_judge_blocks(rows, first, count, iban, out);
}

/* The first of rows [first, first + count) whose offsets are negative, decreasing or above the last; -1 for none. */
static int64_t fa_bad_offset(const fa_rows *rows, size_t first, size_t count) {
    int64_t most = rows->high - rows->data;
    size_t i;
#define FA_LOOK(type)                                                                                     \
    do {                                                                                                  \
        const unsigned char *at = (const unsigned char *)rows->offsets + sizeof(type) * first;            \
        type here, next = 0;                                                                              \
        int bad = 0;                                                                                      \
        memcpy(&here, at, sizeof here);                                                                   \
        bad |= here < 0;                                                                                  \
        for (i = 1; i <= count; i++) {                                                                    \
            type before;                                                                                  \
            memcpy(&before, at + sizeof(type) * (i - 1), sizeof before);                                  \
            memcpy(&next, at + sizeof(type) * i, sizeof next);                                            \
            bad |= next < before;                                                                         \
        }                                                                                                 \
        if (count) bad |= (int64_t)next > most;                                                           \
        if (!bad) return -1;                                                                              \
        for (i = 0; i < count; i++) {                                                                     \
            memcpy(&here, at + sizeof(type) * i, sizeof here);                                            \
            memcpy(&next, at + sizeof(type) * (i + 1), sizeof next);                                      \
            if (here < 0 || next < here || (int64_t)next > most) return (int64_t)(first + i);             \
        }                                                                                                 \
        return (int64_t)first;                                                                            \
    } while (0)
    if (rows->layout == FA_OFFSETS32) FA_LOOK(int32_t);
    if (rows->layout == FA_OFFSETS64) FA_LOOK(int64_t);
#undef FA_LOOK
    return -1;
}

static inline int8_t fa_brand_of(const fa_brands *table, const unsigned char *digits, size_t n) {
    uint64_t word = fa_load(digits) ^ FA_EACH(0x30);
    uint32_t number = (uint32_t)fa_eight_digits(word);
    int8_t brand = table->four[number / 10000];
    if (brand == FA_NULL_ROW) {
        size_t low = 0, high = table->count;
        while (high - low > 1) {
            size_t middle = (low + high) / 2;
            if (table->starts[middle] <= number) low = middle;
            else high = middle;
        }
        brand = table->brands[low];
    }
    return brand >= 0 && (table->lengths[brand] >> n & 1) ? brand : (int8_t)FA_NONE;
}

/* The answer for one text of n characters, given its strict verdict. */
static inline int8_t fa_answer(int kind, const unsigned char *s, size_t n, int8_t strict, int lenient,
                               const fa_brands *table) {
    unsigned char own[FA_IBAN_MAX + 1];
    int iban = kind == FA_IBANS || kind == FA_COUNTRIES;
    if (!strict && lenient && n && fa_ascii(s, n)) {
        size_t count = 0;
        int rule = iban ? fa_iban_display(s, n, own, &count) : fa_card_display(s, n, own, &count);
        /* own holds the first digits alone, at most one more than a card may have. */
        if (rule == FA_OK && count <= (iban ? FA_IBAN_MAX : FA_CARD_MAX)) {
            rule = iban ? fa_iban_rule(own, count, 1) : fa_card_rule(own, count, FA_CARD_MIN);
            if (rule == FA_OK) {
                strict = 1;
                s = own;
                n = count;
            }
        }
    }
    if (kind == FA_CARDS || kind == FA_IBANS) return strict;
    if (!strict) return FA_NONE;
    return kind == FA_BRANDS ? fa_brand_of(table, s, n) : fa_country_code[s[0] - 'A'][s[1] - 'A'];
}

/* 1, 0, or FA_OTHER_ROW for what libphonenumber reads and the table does not. */
static inline int8_t fa_phone_row(const fa_tables *tables, const unsigned char *s, size_t n) {
    int verdict = fa_phone_walk(&tables->phones, s, n);
    if (verdict == FA_PHONE_OTHER || (verdict == FA_PHONE_NO_CODE && tables->dialled))
        return n - 1 < FA_PHONE_BYTES ? FA_OTHER_ROW : 0;
    return verdict >= FA_PHONE_VALID;
}

static void fa_judge_phones(const fa_rows *rows, size_t first, size_t count, const fa_tables *tables, int8_t *out) {
    const unsigned char *low, *high, *s;
    size_t i, n;
    for (i = 0; i < count; i++) {
        s = fa_row(rows, first + i, &n, &low, &high);
        out[i] = s ? fa_phone_row(tables, s, n) : FA_BAD_VIEW;
    }
}

/* Writes the answer of each of rows [first, first + count) to out; returns the first row whose offsets are wrong, -1
 * for none. lenient: the display form too. */
static int64_t fa_judge(int kind, const fa_rows *rows, size_t first, size_t count, int lenient,
                        const fa_tables *tables, int8_t *out) {
    int iban = kind == FA_IBANS || kind == FA_COUNTRIES;
    while (count) {
        size_t some = count < FA_OFFSETS_BLOCK ? count : FA_OFFSETS_BLOCK, i, n;
        int64_t bad = fa_bad_offset(rows, first, some);
        if (bad >= 0) return bad;
        if (kind == FA_PHONES) fa_judge_phones(rows, first, some, tables, out);
        else fa_judge_strict(rows, first, some, iban, out);
        if (kind != FA_PHONES && (lenient || kind == FA_BRANDS || kind == FA_COUNTRIES)) {
            for (i = 0; i < some; i++) {
                const unsigned char *low, *high, *s;
                if (out[i] == FA_BAD_VIEW || (out[i] == 1 && (kind == FA_CARDS || kind == FA_IBANS))) continue;
                if (out[i] == 0 && !lenient) {
                    out[i] = FA_NONE;
                    continue;
                }
                s = fa_row(rows, first + i, &n, &low, &high);
                out[i] = fa_answer(kind, s, n, out[i], lenient, &tables->brands);
            }
        }
        first += some;
        out += some;
        count -= some;
    }
    return -1;
}

/* Rows of UCS-4 as rows of bytes: what is no ASCII becomes 0xff, which is in no card and no IBAN. swap: of the other
 * byte order. */
static void fa_narrow(const unsigned char *data, ptrdiff_t stride, size_t width, size_t count, int swap,
                      unsigned char *out) {
    size_t i, j;
    for (i = 0; i < count; i++, data += stride, out += width) {
        for (j = 0; j < width; j++) {
            uint32_t code;
            memcpy(&code, data + 4 * j, 4);
            if (swap) code = code >> 24 | (code >> 8 & 0xff00) | (code << 8 & 0xff0000) | code << 24;
            out[j] = code < 0x80 ? (unsigned char)code : 0xff;
        }
    }
}

static inline int8_t fa_signed97(unsigned number) { return (int8_t)(number > 48 ? (int)number - 97 : (int)number); }

static void fa_make_vectors(void) {
    unsigned first, second, entry = 0, code = 0, i, mask;
    fa_power[0] = 1;
    for (i = 1; i < sizeof fa_power; i++) fa_power[i] = (uint8_t)(fa_power[i - 1] * 10 % 97);
    for (mask = 0; mask < 256; mask++) {
        unsigned power = 0;
        int8_t weights[8];
        for (i = 8; i--;) {
            weights[i] = fa_signed97(fa_power[power]);
            power += 1 + (mask >> i & 1);
        }
        memcpy(&fa_eighth[mask], weights, 8);
    }
    memset(fa_vectors, 0, sizeof fa_vectors);
    fa_vectors[0].weight[31] = 1; /* of no country: the sum is never 0 */
    for (first = 0; first < 26; first++) {
        for (second = 0; second < 26; second++) {
            unsigned number = fa_iban_index[first][second], power = 6, constant, place;
            const fa_iban_country *country = &fa_iban_countries[number & 0x7f];
            fa_iban_vectors *to;
            if ((number & 0x7f) > FA_IBAN_REGISTERED) number = 0;
            fa_country_code[first][second] = number ? (int8_t)code++ : FA_NONE;
            if (!number || number & 0x80) continue;
            to = &fa_vectors[++entry];
            fa_vector_index[(first + 1) << 5 | (second + 1)] = (uint8_t)entry;
            fa_vector_length[entry] = country->length;
            constant = ((first + 10) * 100 + second + 10) * 100 % 97;
            fa_vector_head[entry] = (uint8_t)constant;
            to->base[0] = to->base[1] = '0';
            to->span[0] = to->span[1] = 9;
            to->weight[0] = 10;
            to->weight[1] = 1;
            for (i = country->length - 4u; i--;) {
                unsigned word = i >> 3, rest = (country->length - 4u) & 7, letter;
                unsigned weight = fa_power[power];
                /* The word after the whole ones ends with the BBAN. */
                unsigned byte = word == (country->length - 4u) >> 3 ? i - 8 * word + 8 - rest : i & 7;
                letter = (unsigned)(country->upper[word] >> (8 * byte + 7)) & 1;
                place = i + 2;
                to->base[place] = letter ? 'A' : '0';
                to->span[place] = letter ? 25 : 9;
                to->either[place] = country->any[word] >> (8 * byte + 7) & 1 ? 0xff : 0;
                to->weight[place] = fa_signed97(weight);
                if (letter) constant = (constant + 10 * weight) % 97;
                power += 1 + letter;
            }
            to->weight[31] = fa_signed97((constant + 96) % 97);
            memset(to->loose, 0xff, sizeof to->loose);
            memcpy(to->loose, to->span, country->length - 2u);
        }
    }
    memset(fa_last + 32, 0xff, 32);
    memset(fa_first, 0xff, 32);
}

/* Chooses the kernels: the widest the processor has, not above `most`; returns the level. Call it before fa_judge(),
 * and not while one runs. */
static int fa_columns_setup(int most) {
    if (fa_level < 0) fa_make_vectors();
    fa_level = 0;
    fa_card_pointers = fa_card_pointers_any;
    fa_iban_pointers = fa_iban_pointers_any;
#if FA_X86
    if (most >= 1) {
        fa_level = 1;
        fa_card_pointers = fa_card_pointers_sse2;
        fa_iban_pointers = fa_iban_pointers_sse2;
    }
    __builtin_cpu_init();
    if (most >= 2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt")) {
        fa_level = 2;
        fa_card_pointers = fa_card_pointers_avx2;
        fa_iban_pointers = fa_iban_pointers_avx2;
    }
#else
    (void)most;
#endif
    return fa_level;
}

#endif
