/* The verdict on "+" and digits, with no Python in it.
 *
 * 1. The table is that of src/foobara_accel/_pure/_phone_table.py, in native byte order: rows of ten 16-bit entries.
 *    An entry is the next row, or FA_PHONE_TERMINAL and a bit for each number of further digits, whichever they are,
 *    that makes a valid number. So a walk ends where the numbering plan ends, after five digits or so, not with the
 *    number.
 * 2. That all characters are digits is looked at first, eight at a time; the steps then only load and add.
 * 3. Nothing outside [s, s + n) is read.
 *
 * Measured by `python -m benchmarks.phones`.
 */
#ifndef FA_PHONE_H
#define FA_PHONE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FA_PHONE_TERMINAL 0x8000u
#define FA_PHONE_JUDGE 0xffffu
#define FA_PHONE_LENGTHS 15
#define FA_PHONE_LONGEST 250

/* What a walk answers; FA_PHONE_VALID and more is a valid number. */
enum {
    FA_PHONE_TOO_LONG = -3, FA_PHONE_TOO_SHORT, FA_PHONE_OTHER, FA_PHONE_UNASSIGNED, FA_PHONE_NO_CODE, FA_PHONE_VALID
};

typedef struct {
    const uint16_t *verdicts; /* NULL: no table, every text is FA_PHONE_OTHER */
    const uint16_t *details;
    unsigned valid; /* a valid number ends in rows 2 to valid - 1 */
} fa_phone_table;

static inline int fa_phone_eight(const unsigned char *s) {
    uint64_t word;
    memcpy(&word, s, 8);
    return ((word & 0xf0f0f0f0f0f0f0f0ull) | (((word + 0x0606060606060606ull) & 0xf0f0f0f0f0f0f0f0ull) >> 4))
           == 0x3333333333333333ull;
}

static inline int fa_phone_digits(const unsigned char *s, size_t n) {
    size_t i;
    if (n < 8) {
        for (i = 0; i < n; i++)
            if ((unsigned)s[i] - '0' > 9) return 0;
        return 1;
    }
    for (i = 0; i + 8 < n; i += 8)
        if (!fa_phone_eight(s + i)) return 0;
    return fa_phone_eight(s + n - 8);
}

/* FA_PHONE_OTHER for anything but "+" and 1 to 249 digits. */
static inline int fa_phone_walk(const fa_phone_table *table, const unsigned char *s, size_t n) {
    const uint16_t *rows = table->verdicts;
    const unsigned char *end = s + n;
    unsigned at = 1, ended = 0, left;
    if (rows == NULL || n - 2 > FA_PHONE_LONGEST - 2 || s[0] != '+' || !fa_phone_digits(s + 1, n - 1))
        return FA_PHONE_OTHER;
    if (n < 4) return FA_PHONE_TOO_SHORT;
    for (s++; s < end; s++) {
        at = rows[at * 10 + (*s - '0')];
        if (at & FA_PHONE_TERMINAL) {
            if (at == FA_PHONE_JUDGE) return FA_PHONE_OTHER;
            left = (unsigned)(end - s) - 1;
            if (left < FA_PHONE_LENGTHS && at >> left & 1) return FA_PHONE_VALID;
            at &= ~FA_PHONE_TERMINAL;
            if (left < FA_PHONE_LENGTHS && at >> left) return FA_PHONE_TOO_SHORT;
            return at || ended ? FA_PHONE_TOO_LONG : FA_PHONE_UNASSIGNED;
        }
        ended |= at - 2 < table->valid - 2;
    }
    return at - 2 < table->valid - 2 ? FA_PHONE_VALID : at ? FA_PHONE_TOO_SHORT : FA_PHONE_NO_CODE;
}

/* Which kind of number a valid one is: 2 and more. */
static inline int fa_phone_kind(const fa_phone_table *table, const unsigned char *s, size_t n) {
    const uint16_t *rows = table->details;
    unsigned at = 0;
    size_t i;
    for (i = 1; i < n; i++) {
        at = rows[at * 11 + (s[i] - '0')];
        if (at & FA_PHONE_TERMINAL) return (int)(at & ~FA_PHONE_TERMINAL);
    }
    return rows[at * 11 + 10];
}

#endif
