/* Luhn and IBAN of one ASCII string, with no Python in it.
 *
 * 1. Eight characters are read as one 64-bit word, first character in the lowest byte; nothing outside [s, s + n) is
 *    read.
 * 2. Luhn: words are aligned to the end, so the doubled digits are always the even bytes. 2d - 9[d > 4] = 2d + [d > 4]
 *    modulo 10, so no table is needed.
 * 3. IBAN: one mask per class and word from the generated table tells whether each character is of its class. A word of
 *    digits becomes a number by three multiplications; with letters in it each character is weighted by 10^k mod 97.
 *    Words are summed from the last to the first, so that a letter (two digits) only shifts what comes before it.
 *
 * Measured by `foobara-accel bench` (cases luhn and iban).
 */
#ifndef FA_CHECKS_H
#define FA_CHECKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "iban_table.h"

#define FA_EACH(byte) (0x0101010101010101ull * (byte))
#define FA_HIGH FA_EACH(0x80)

#define FA_CARD_LEAST 8
#define FA_CARD_MIN 12
#define FA_CARD_MAX 19
#define FA_IBAN_MAX 34

/* Rules, in the order in which they are looked at. */
enum {
    FA_OK = 0, FA_EMPTY, FA_CHARACTER, FA_LENGTH, FA_COUNTRY, FA_STRUCTURE, FA_CHECK_DIGITS, FA_CHECKSUM
};

static inline uint64_t fa_load(const unsigned char *s) {
    uint64_t word;
    memcpy(&word, s, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* 0x80 in each byte that is not below 10, for bytes below 0x80. */
static inline uint64_t fa_not_digit(uint64_t values) { return (values + FA_EACH(0x76)) & FA_HIGH; }

/* The Luhn sum of a word per byte: at most 19 in each. */
static inline uint64_t fa_luhn_word(uint64_t values) {
    uint64_t above_four = ((values + FA_EACH(0x7b)) >> 7) & FA_EACH(1);
    return values + ((values + above_four) & 0x00ff00ff00ff00ffull);
}

/* 1 when s is `least` (FA_CARD_LEAST or more) to 19 digits with a right Luhn sum. All bytes of s are below 0x80. */
static inline int fa_luhn_ok(const unsigned char *s, size_t n, size_t least) {
    uint64_t last, middle, first, bad, sum;
    if (n < least || n > FA_CARD_MAX) return 0;
    last = fa_load(s + n - 8) ^ FA_EACH(0x30);
    first = fa_load(s) ^ FA_EACH(0x30);
    bad = fa_not_digit(last) | fa_not_digit(first);
    if (n > 16) {
        middle = fa_load(s + n - 16) ^ FA_EACH(0x30);
        bad |= fa_not_digit(middle);
        sum = fa_luhn_word(middle) + fa_luhn_word(first << (8 * (24 - n)));
    } else if (n > 8) {
        sum = fa_luhn_word(first << (8 * (16 - n)));
    } else {
        sum = 0;
    }
    sum += fa_luhn_word(last);
    if (bad) return 0;
    sum = (sum & 0x00ff00ff00ff00ffull) + ((sum >> 8) & 0x00ff00ff00ff00ffull);
    sum = (sum * 0x0001000100010001ull) >> 48;
    return sum % 10 == 0;
}

/* The same of a card number: 12 to 19 digits. */
static inline int fa_card_ok(const unsigned char *s, size_t n) { return fa_luhn_ok(s, n, FA_CARD_MIN); }

static const uint8_t fa_pow97[72] = {
    1, 10, 3, 30, 9, 90, 27, 76, 81, 34, 49, 5, 50, 15, 53, 45, 62, 38, 89, 17, 73, 51, 25, 56,
    75, 71, 31, 19, 93, 57, 85, 74, 61, 28, 86, 84, 64, 58, 95, 77, 91, 37, 79, 14, 43, 42, 32, 29,
    96, 87, 94, 67, 88, 7, 70, 21, 16, 63, 48, 92, 47, 82, 44, 52, 35, 59, 8, 80, 24, 46, 72, 41
};

static inline uint64_t fa_eight_digits(uint64_t values) {
    values = values * 10 + (values >> 8);
    return (((values & 0x000000ff000000ffull) * 0x000f424000000064ull)
            + (((values >> 16) & 0x000000ff000000ffull) * 0x0000271000000001ull)) >> 32;
}

/* Adds `count` characters (the last of the word) times their powers of ten to *sum; returns 0 when one is not of its
 * class. *digits is how many decimal digits follow the word, and is moved before it. */
static inline int fa_iban_word(uint64_t word, uint64_t digit, uint64_t upper, uint64_t any, unsigned count,
                               uint64_t *sum, unsigned *digits) {
    uint64_t values = word ^ FA_EACH(0x30);
    uint64_t keep = digit | upper | any;
    uint64_t not_digit = fa_not_digit(values) & keep;
    uint64_t folded, letter, full;
    unsigned power, i;
    keep = (keep >> 7) * 0xff;
    values &= keep;
    if (!not_digit) {
        if (upper) return 0;
        *sum += fa_eight_digits(values) * fa_pow97[*digits];
        *digits += count;
        return 1;
    }
    folded = word | FA_EACH(0x20);
    letter = (folded + FA_EACH(0x1f)) & ~(folded + FA_EACH(0x05)) & FA_HIGH;
    if ((not_digit & digit) | (~(letter & ~(word << 2)) & upper) | (not_digit & ~letter & any)) return 0;
    letter &= not_digit;
    full = (letter >> 7) * 0xff;
    values = (values & ~full) | (((word & FA_EACH(0x1f)) + FA_EACH(9)) & full);
    power = *digits;
    for (i = 0; i < 8; i++) {
        *sum += (values >> 56) * fa_pow97[power];
        power += 1 + (unsigned)(letter >> 63);
        values <<= 8;
        letter <<= 8;
    }
    /* The bytes before the last `count` are 0 and not letters: they moved the power, and only it. */
    *digits = power - (8 - count);
    return 1;
}

/* Prefixes that are admitted only where they are asked for. */
#define FA_IBAN_LISTED 1       /* those of the display form */
#define FA_IBAN_ASPIRATIONAL 2 /* those that the registry does not hold */

/* The rule s breaks, FA_OK for none. All bytes of s are below 0x80. */
static inline int fa_iban_rule(const unsigned char *s, size_t n, int admitted) {
    const fa_iban_country *country;
    unsigned first, second, check, number, rest, digits = 6;
    uint64_t sum;
    size_t whole;
    if (n < 2) return FA_COUNTRY;
    first = (unsigned)s[0] - 'A';
    second = (unsigned)s[1] - 'A';
    if (first > 25 || second > 25) return FA_COUNTRY;
    number = fa_iban_index[first][second];
    if (!number) return FA_COUNTRY;
    if (number & 0x80
        && !(admitted & ((number & 0x7f) > FA_IBAN_REGISTERED ? FA_IBAN_ASPIRATIONAL : FA_IBAN_LISTED)))
        return FA_COUNTRY;
    country = &fa_iban_countries[number & 0x7f];
    if (n != country->length) return FA_LENGTH;
    if ((unsigned)s[2] - '0' > 9 || (unsigned)s[3] - '0' > 9) return FA_STRUCTURE;
    check = (s[2] - '0') * 10u + (s[3] - '0');
    sum = ((first + 10) * 100ull + (second + 10)) * 100ull + check;
    whole = (n - 4) >> 3;
    rest = (unsigned)(n - 4) & 7;
    if (rest && !fa_iban_word(fa_load(s + n - 8), country->digit[whole], country->upper[whole], country->any[whole],
                              rest, &sum, &digits))
        return FA_STRUCTURE;
    while (whole--) {
        if (!fa_iban_word(fa_load(s + 4 + 8 * whole), country->digit[whole], country->upper[whole],
                          country->any[whole], 8, &sum, &digits))
            return FA_STRUCTURE;
    }
    if (check < 2 || check > 98) return FA_CHECK_DIGITS;
    return sum % 97 == 1 ? FA_OK : FA_CHECKSUM;
}

/* Writes the digits of the display form of a card to out (the first FA_CARD_MAX + 1) and their number to *count;
 * returns FA_EMPTY, FA_CHARACTER or FA_OK. Blanks around it are dropped; between digits, spaces and hyphens. */
static inline int fa_card_display(const unsigned char *s, size_t n, unsigned char *out, size_t *count) {
    size_t kept = 0, i;
    while (n && (s[0] == ' ' || s[0] == '\t')) { s++; n--; }
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
    if (!n) return FA_EMPTY;
    if (s[0] == '-' || s[n - 1] == '-') return FA_CHARACTER;
    for (i = 0; i < n; i++) {
        if (s[i] == ' ' || s[i] == '-') continue;
        if ((unsigned)s[i] - '0' > 9) return FA_CHARACTER;
        if (kept <= FA_CARD_MAX) out[kept] = s[i];
        kept++;
    }
    *count = kept;
    return FA_OK;
}

/* The same for an IBAN: letters become upper case, spaces inside are dropped; out holds the first FA_IBAN_MAX. */
static inline int fa_iban_display(const unsigned char *s, size_t n, unsigned char *out, size_t *count) {
    size_t kept = 0, i;
    unsigned char c;
    while (n && (s[0] == ' ' || s[0] == '\t')) { s++; n--; }
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
    if (!n) return FA_EMPTY;
    for (i = 0; i < n; i++) {
        c = s[i];
        if (c == ' ') continue;
        if ((unsigned)(c | 0x20) - 'a' < 26) c &= 0xdf;
        else if ((unsigned)c - '0' > 9) return FA_CHARACTER;
        if (kept < FA_IBAN_MAX) out[kept] = c;
        kept++;
    }
    *count = kept;
    return FA_OK;
}

/* The first of the rules that a card of at least `least` digits breaks. All bytes of s are below 0x80. */
static inline int fa_card_rule(const unsigned char *s, size_t n, size_t least) {
    size_t i;
    if (!n) return FA_EMPTY;
    for (i = 0; i < n; i++)
        if ((unsigned)s[i] - '0' > 9) return FA_CHARACTER;
    if (n < least || n > FA_CARD_MAX) return FA_LENGTH;
    return fa_luhn_ok(s, n, least) ? FA_OK : FA_CHECKSUM;
}

/* 1 when s is ASCII letters and digits. */
static inline int fa_alphanumeric(const unsigned char *s, size_t n) {
    size_t i;
    for (i = 0; i < n; i++)
        if ((unsigned)s[i] - '0' > 9 && (unsigned)(s[i] | 0x20) - 'a' > 25) return 0;
    return 1;
}

#endif
