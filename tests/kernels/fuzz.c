/* The column kernels held against checks.h row by row, checks.h against loops of one character a step, the HTML kernel
 * against one too; in memory between two pages that nobody may touch.
 *
 *     fuzz RUNS SEED CORPUS...     each file as it is, then RUNS mutations of them
 *
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined -DFA_LIBFUZZER -I ext fuzz.c. The first byte of an input
 * chooses question, form and layout, the second the width of fixed rows (from 192 on the question is of phone numbers),
 * the rest is rows between newlines. Each input
 * is judged at every level and at both ends of its memory; a difference ends the program with status 1.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/columns.h"
#include "kernels/html.h"

#define MOST_ROWS 400
#define ROOM (1u << 18)

static unsigned char *rooms[4]; /* text, offsets or views, a second text, answers: each between two guards */

static unsigned char *room(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *all = mmap(NULL, ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + page, ROOM, PROT_READ | PROT_WRITE)) {
        perror("fuzz: mmap");
        exit(2);
    }
    return all + page;
}

/* `size` bytes at the begin or the end of a room. */
static unsigned char *place(int which, size_t size, int at_end) {
    unsigned char *start = rooms[which];
    if (size > ROOM) exit(2);
    memset(start, 0x5a, ROOM);
    return at_end ? start + ROOM - size : start;
}

/* ISO/IEC 7812-1 by the letter: from the right, every second digit twice. */
static int wanted_card(const unsigned char *s, size_t n, size_t least) {
    unsigned sum = 0;
    size_t i;
    if (!n) return FA_EMPTY;
    for (i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9') return FA_CHARACTER;
    if (n < least || n > 19) return FA_LENGTH;
    for (i = 0; i < n; i++) {
        unsigned digit = s[n - 1 - i] - '0', twice = 2 * digit;
        sum += i % 2 ? twice / 10 + twice % 10 : digit;
    }
    return sum % 10 ? FA_CHECKSUM : FA_OK;
}

static int is_upper(unsigned char c) { return c >= 'A' && c <= 'Z'; }
static int is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

/* ISO 13616: one character of the structure after the other, the remainder of 97 digit by digit. */
static int wanted_iban(const unsigned char *s, size_t n, int admitted) {
    const fa_iban_country *country;
    unsigned number, check, rest = 0;
    size_t i;
    if (n < 2 || !is_upper(s[0]) || !is_upper(s[1])) return FA_COUNTRY;
    number = fa_iban_index[s[0] - 'A'][s[1] - 'A'];
    if (number == 0 || (number > 128 + FA_IBAN_REGISTERED && admitted < 2)) return FA_COUNTRY;
    if (number >= 128 && number <= 128 + FA_IBAN_REGISTERED && admitted % 2 == 0) return FA_COUNTRY;
    country = &fa_iban_countries[number % 128];
    if (n != country->length) return FA_LENGTH;
    for (i = 2; i < n; i++) {
        size_t word = (i - 4) / 8, byte = (i - 4) % 8, last = (n - 4) % 8;
        uint64_t bit;
        if (i < 4) {
            if (!is_digit(s[i])) return FA_STRUCTURE;
            continue;
        }
        if (word == (n - 4) / 8) byte += 8 - last; /* the last word ends with the IBAN */
        bit = (uint64_t)0x80 << 8 * byte;
        if (country->digit[word] & bit ? !is_digit(s[i])
            : country->upper[word] & bit ? !is_upper(s[i])
                                         : !is_digit(s[i]) && !is_upper(s[i]) && !is_upper(s[i] - 32))
            return FA_STRUCTURE;
    }
    check = (s[2] - '0') * 10u + s[3] - '0';
    if (check < 2 || check > 98) return FA_CHECK_DIGITS;
    for (i = 4; i < n + 4; i++) {
        unsigned char c = s[i < n ? i : i - n];
        if (is_digit(c)) rest = (rest * 10 + c - '0') % 97;
        else rest = (rest * 100 + (is_upper(c) ? c - 'A' : c - 'a') + 10) % 97;
    }
    return rest == 1 ? FA_OK : FA_CHECKSUM;
}

/* The display form of either, by way of a copy without what it may have; of a card hyphens stand between digits. */
static int wanted_display(const unsigned char *s, size_t n, int iban, unsigned char *out, size_t *count) {
    size_t i;
    *count = 0;
    while (n && strchr(" \t", s[n - 1]) && s[n - 1]) n--;
    for (i = 0; i < n && s[i] && strchr(" \t", s[i]); i++) {}
    if (i == n) return FA_EMPTY;
    if (!iban && (s[i] == '-' || s[n - 1] == '-')) return FA_CHARACTER;
    for (; i < n; i++) {
        unsigned char c = s[i];
        if (c == ' ' || (c == '-' && !iban)) continue;
        if (iban && is_upper(c - 32)) c -= 32;
        if (!is_digit(c) && !(iban && is_upper(c))) return FA_CHARACTER;
        if (*count < (iban ? 34u : 20u)) out[*count] = c;
        ++*count;
    }
    return FA_OK;
}

/* checks.h of one row, in memory of its size at both ends. */
static int scalars(const unsigned char *row, size_t n, int at_end) {
    const unsigned char *s = memcpy(place(0, n, at_end), row, n);
    unsigned char got[FA_IBAN_MAX + 1], want[FA_IBAN_MAX + 1];
    size_t least, count = 0, wanted_count, i;
    int iban, rule, failed = 0, alone = 1;
    for (i = 0; i < n; i++) {
        if (s[i] > 0x7f) return 0;
        alone &= is_digit(s[i]) || is_upper(s[i]) || is_upper(s[i] - 32);
    }
    failed |= fa_alphanumeric(s, n) != alone;
    for (least = FA_CARD_LEAST; least <= FA_CARD_MAX; least++) {
        failed |= fa_card_rule(s, n, least) != wanted_card(s, n, least);
        failed |= fa_luhn_ok(s, n, least) != (wanted_card(s, n, least) == FA_OK);
    }
    for (i = 0; i < 4; i++) failed |= fa_iban_rule(s, n, (int)i) != wanted_iban(s, n, (int)i);
    for (iban = 0; iban < 2; iban++) {
        rule = iban ? fa_iban_display(s, n, got, &count) : fa_card_display(s, n, got, &count);
        failed |= rule != wanted_display(s, n, iban, want, &wanted_count);
        if (rule != FA_OK) continue;
        failed |= count != wanted_count;
        if (count > (iban ? 34u : 20u)) count = iban ? 34 : 20;
        failed |= memcmp(got, want, count) != 0;
    }
    if (failed) printf("checks.h: a row of %zu, at_end %d\n", n, at_end);
    return failed;
}

/* html.h: the input as characters of one, two and four bytes, and each of its bytes as one. */
static int html(const unsigned char *text, size_t size, int at_end) {
    static const uint32_t rare[] = {0xd800, 0xdfff, 0xa0, 0xe000, 0xd7ff, 0x26, 0x26 << 16 | 'a', 0x10ffff};
    size_t width, n, i;
    int level, widened, failed = 0;
    for (width = 1; width <= 4; width *= 2)
        for (widened = 0; widened < (width > 1 ? 2 : 1); widened++) {
            unsigned char *s;
            int plain = 1;
            n = widened ? size : size / width;
            s = place(0, n * width, at_end);
            if (!widened) memcpy(s, text, n * width);
            for (i = 0; i < n; i++) {
                uint32_t c = text[i] < 0x80 ? text[i] : rare[text[i] & 7];
                uint16_t narrow = (uint16_t)c;
                if (widened) memcpy(s + width * i, width == 2 ? (void *)&narrow : (void *)&c, width);
                memcpy(&narrow, s + width * i, width == 2 ? 2 : 1);
                if (width == 4) memcpy(&c, s + 4 * i, 4);
                else c = width == 2 ? narrow : s[i];
                if (c == 0 || c == '\r' || c == '&' || c == '<' || c == '>' || c == 0xa0) plain = 0;
                if (c >= 0xd800 && c <= 0xdfff) plain = 0;
            }
            for (level = 0; level <= 2; level++) {
                int found;
                fa_html_setup(level);
                found = width == 1   ? fa_html_plain_1(s, n)
                        : width == 2 ? fa_html_plain_2((const uint16_t *)(const void *)s, n)
                                     : fa_html_plain_4((const uint32_t *)(const void *)s, n);
                if (found == plain) continue;
                printf("html.h: %zu characters of %zu bytes, level %d, at_end %d: %d, not %d\n", n, width, level,
                       at_end, found, plain);
                failed = 1;
            }
        }
    return failed;
}

/* One digit after the other, as _pure/phone.py has it. */
static int8_t wanted_phone(const unsigned char *s, size_t n, const fa_tables *tables) {
    int8_t other = n && n <= FA_PHONE_BYTES ? FA_OTHER_ROW : 0;
    unsigned at = 1, entry;
    size_t i;
    if (n < 2 || n > FA_PHONE_LONGEST || s[0] != '+') return other;
    for (i = 1; i < n; i++)
        if (s[i] < '0' || s[i] > '9') return other;
    if (n < 4) return 0;
    for (i = 1; i < n; i++) {
        entry = tables->phones.verdicts[10 * at + s[i] - '0'];
        if (entry == FA_PHONE_JUDGE) return other;
        if (entry >= FA_PHONE_TERMINAL) return n - 1 - i < 15 && entry >> (n - 1 - i) & 1;
        at = entry;
    }
    return at ? at >= 2 && at < tables->phones.valid : tables->dialled ? other : 0;
}

static int8_t wanted(int kind, const unsigned char *s, size_t n, int lenient, const fa_tables *tables) {
    const fa_brands *table = &tables->brands;
    unsigned char own[FA_IBAN_MAX + 1];
    size_t count = 0;
    int iban = kind == FA_IBANS || kind == FA_COUNTRIES, rule = FA_EMPTY;
    if (kind == FA_PHONES) return wanted_phone(s, n, tables);
    if (n && fa_ascii(s, n)) {
        rule = iban ? wanted_iban(s, n, 0) : wanted_card(s, n, FA_CARD_MIN);
        if (rule != FA_OK && lenient) {
            rule = wanted_display(s, n, iban, own, &count);
            if (rule == FA_OK && count > (iban ? FA_IBAN_MAX : FA_CARD_MAX)) rule = FA_LENGTH;
            if (rule == FA_OK) rule = iban ? wanted_iban(own, count, 1) : wanted_card(own, count, FA_CARD_MIN);
            s = own;
            n = count;
        }
    }
    if (kind == FA_CARDS || kind == FA_IBANS) return rule == FA_OK;
    if (rule != FA_OK) return FA_NONE;
    if (kind == FA_COUNTRIES) return fa_country_code[s[0] - 'A'][s[1] - 'A'];
    return fa_brand_of(table, s, n);
}

/* Rows of bytes as rows of UCS-4 in either byte order, unaligned, and back. */
static int narrows(const unsigned char *rows, size_t width, size_t stride, size_t count, int at_end) {
    size_t i, j, size = 4 * width * count;
    unsigned char *wide = place(1, size, at_end), *back = malloc(width * count + 1);
    int failed = 0, swap;
    for (swap = 0; swap < 2; swap++) {
        for (i = 0; i < count; i++)
            for (j = 0; j < width; j++) {
                uint32_t code = rows[stride * i + j];
                if (code == 0x80) code = 0x660; /* a digit, and none of 0-9 */
                if (code == 0x81) code = 0xffffffff;
                if (swap) code = code >> 24 | (code >> 8 & 0xff00) | (code << 8 & 0xff0000) | code << 24;
                memcpy(wide + 4 * (width * i + j), &code, 4);
            }
        fa_narrow(wide, (ptrdiff_t)(4 * width), width, count, swap, back);
        for (i = 0; i < count; i++)
            for (j = 0; j < width; j++) {
                unsigned char was = rows[stride * i + j];
                failed |= back[width * i + j] != (was < 0x80 ? was : 0xff);
            }
    }
    free(back);
    if (failed) printf("UCS-4 of width %zu does not come back\n", width);
    return failed;
}

static int judge(int kind, int lenient, int layout, size_t width, size_t stride, const unsigned char *text,
                 const size_t *starts, const size_t *lengths, size_t count, int at_end, const fa_tables *table) {
    fa_rows rows;
    const unsigned char *buffers[2];
    int64_t sizes[2], bad;
    size_t total = count ? starts[count - 1] + lengths[count - 1] : 0, i;
    int8_t want[MOST_ROWS], *out = NULL;
    int level, failed = 0;
    unsigned char *own;
    memset(&rows, 0, sizeof rows);
    rows.layout = layout;
    for (i = 0; i < count; i++) {
        size_t n = lengths[i];
        if (layout == FA_FIXED) {
            if (n > width) n = width;
            while (n && !text[starts[i] + n - 1]) n--;
        }
        want[i] = wanted(kind, text + starts[i], n, lenient, table);
    }
    if (layout == FA_FIXED) {
        own = place(0, count ? stride * (count - 1) + width : 0, at_end);
        for (i = 0; i < count; i++) {
            memset(own + stride * i, 0, width);
            memcpy(own + stride * i, text + starts[i], lengths[i] < width ? lengths[i] : width);
        }
        failed |= narrows(own, width, stride, count, at_end);
        rows.data = rows.low = own;
        rows.high = own + (count ? stride * (count - 1) + width : 0);
        rows.width = width;
        rows.stride = (ptrdiff_t)stride;
        if (stride & 1 && count) { /* from the last row to the first */
            int8_t turn;
            rows.data = own + stride * (count - 1);
            rows.stride = -rows.stride;
            for (i = 0; i < count / 2; i++) {
                turn = want[i];
                want[i] = want[count - 1 - i];
                want[count - 1 - i] = turn;
            }
        }
    } else if (layout == FA_VIEWS) {
        unsigned char *views = place(1, 16 * count, at_end);
        size_t half = count / 2 < count ? starts[count / 2] : 0;
        rows.data = rows.low = views;
        rows.high = views + 16 * count;
        buffers[0] = memcpy(place(0, half, at_end), text, half);
        buffers[1] = memcpy(place(2, total - half, at_end), text + half, total - half);
        sizes[0] = (int64_t)half;
        sizes[1] = (int64_t)(total - half);
        rows.buffers = buffers;
        rows.sizes = sizes;
        rows.buffer_count = 2;
        for (i = 0; i < count; i++) {
            int second = i >= count / 2;
            int32_t view[4] = {0};
            view[0] = (int32_t)lengths[i];
            if (lengths[i] <= 12) {
                memcpy(&view[1], text + starts[i], lengths[i]);
            } else {
                view[2] = second;
                view[3] = (int32_t)(starts[i] - (second ? half : 0));
                if (lengths[i] % 13 == 5 && width & 1) { /* out of bounds, each in its own way */
                    int32_t all = (int32_t)total + 1;
                    int32_t wrong[7][2] = {{2, 3}, {2, 2}, {2, -1}, {3, INT32_MIN + 5}, {3, all}, {0, -7}, {0, all}};
                    view[wrong[i % 7][0]] = wrong[i % 7][1];
                    want[i] = FA_BAD_VIEW;
                }
            }
            memcpy(views + 16 * i, view, 16);
        }
    } else {
        size_t size = layout == FA_OFFSETS32 ? 4 : 8;
        unsigned char *offsets = place(1, size * (count + 1), at_end);
        own = memcpy(place(0, total, at_end), text, total);
        for (i = 0; i <= count; i++) {
            int64_t wide = (int64_t)(i < count ? starts[i] : total);
            int32_t narrow = (int32_t)wide;
            memcpy(offsets + size * i, size == 4 ? (void *)&narrow : (void *)&wide, size);
        }
        for (i = 0; i + 1 < count; i++) /* what lies between two rows belongs to the first */
            want[i] = wanted(kind, text + starts[i], starts[i + 1] - starts[i], lenient, table);
        rows.data = rows.low = own;
        rows.high = own + total;
        rows.offsets = offsets;
    }
    for (level = 0; level <= 2; level++) {
        if (fa_columns_setup(level) != level) continue;
        out = (int8_t *)place(3, count, at_end);
        bad = fa_judge(kind, &rows, 0, count, lenient, table, out);
        for (i = 0; bad == -1 && i < count && out[i] == want[i]; i++) {}
        if (bad != -1 || i < count) {
            printf("level %d kind %d lenient %d layout %d width %zu stride %zu at_end %d: row %zu of %zu: %d, not %d\n",
                   level, kind, lenient, layout, width, stride, at_end, i, count, i < count ? out[i] : 0,
                   i < count ? want[i] : 0);
            failed = 1;
        }
    }
    if ((layout == FA_OFFSETS32 || layout == FA_OFFSETS64) && count > 2) {
        /* One wrong offset is found before anything is read with it. */
        size_t size = layout == FA_OFFSETS32 ? 4 : 8, at = width % (count + 1);
        int64_t wide = width & 1 ? -1 - (int64_t)width : (int64_t)total + 1;
        int32_t narrow = (int32_t)wide;
        memcpy((unsigned char *)rows.offsets + size * at, size == 4 ? (void *)&narrow : (void *)&wide, size);
        bad = fa_judge(kind, &rows, 0, count, lenient, table, out);
        if (bad < 0 || (size_t)bad > at) {
            printf("layout %d: offset %zu of %zu is wrong, answer %lld\n", layout, at, count, (long long)bad);
            failed = 1;
        }
    }
    return failed;
}

static const fa_tables *tables(int dialled) {
    static int8_t four[10000];
    static const uint32_t starts[] = {0, 41111112, 50000000}, lengths[] = {1u << 16 | 1u << 13, 0xff000};
    static const int8_t codes[] = {0, 1, FA_NONE};
    static uint16_t steps[64 * 10]; /* all kinds of entries; nothing leads from row 0 */
    static fa_tables all;
    fa_brands table;
    uint32_t i, random = 1;
    for (i = 10; i < 640; i++) {
        random = random * 1664525u + 1013904223u;
        steps[i] = (uint16_t)(random >> 28 < 9 ? (random >> 20 & 63) : random >> 28 < 15 ? 0x8000 | random >> 13 : 0xffff);
    }
    all.phones.verdicts = steps;
    all.phones.valid = 20;
    all.dialled = dialled;
    for (i = 0; i < sizeof four; i++) four[i] = i == 4111 ? FA_NULL_ROW : i / 1000 == 3 ? FA_NONE : (int8_t)(i & 1);
    table.four = four;
    table.starts = starts;
    table.brands = codes;
    table.count = 3;
    table.lengths = lengths;
    all.brands = table;
    return &all;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    size_t starts[MOST_ROWS], lengths[MOST_ROWS], count = 0, from, to;
    unsigned char *text;
    int failed, kind, lenient, layout;
    if (!rooms[0])
        for (from = 0; from < 4; from++) rooms[from] = room();
    if (size < 2 || size > ROOM / 512) return 0;
    kind = data[1] >= 192 ? FA_PHONES : data[0] & 3;
    lenient = data[0] >> 2 & 1;
    layout = data[0] >> 3 & 3;
    text = malloc(size); /* its own, so that the sanitizer sees its end */
    if (!text) return 0;
    memcpy(text, data + 2, size - 2);
    for (from = 0; from < size - 2 && count < MOST_ROWS; from = to + 1) {
        for (to = from; to < size - 2 && text[to] != '\n'; to++) {}
        starts[count] = from;
        lengths[count++] = to - from;
    }
    failed = 0;
    for (to = 0; to < 2; to++) {
        size_t width = 1 + data[1] % 48;
        failed |= html(text, size - 2, (int)to);
        for (from = 0; from < count; from++) failed |= scalars(text + starts[from], lengths[from], (int)to);
        failed |= judge(kind, lenient, layout, width, width + (data[0] >> 5), text, starts, lengths, count, (int)to,
                        tables(lenient));
    }
    if (layout == FA_FIXED && count) { /* rows side by side, as many as the widest kernel takes at once and more */
        size_t width = kind & 1 ? 34 : 16;
        for (from = count; from < 70; from++) {
            starts[from] = starts[from % count];
            lengths[from] = lengths[from % count];
        }
        if (count < 70) count = 70;
        for (to = 0; to < 2; to++)
            failed |= judge(kind, lenient, layout, width, width, text, starts, lengths, count, (int)to, tables(lenient));
    }
    free(text);
    if (failed) {
#ifdef FA_LIBFUZZER
        abort();
#else
        exit(1);
#endif
    }
    return 0;
}

#ifndef FA_LIBFUZZER
static uint64_t state;

static uint32_t chance(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static size_t mutate(unsigned char *data, size_t size, size_t room, const unsigned char *other, size_t other_size) {
    static const unsigned char likely[] = "0123456789AZaz@[`{/: -\t\n\0\x7f\x80\xff";
    uint32_t times = 1 + chance(6), at, n;
    if (chance(2)) data[0] = (unsigned char)chance(256);
    if (chance(2)) data[1] = (unsigned char)chance(256);
    while (times--) {
        if (size < 3) return size;
        at = 2 + chance((uint32_t)size - 2);
        switch (chance(6)) {
        case 0: data[at] = likely[chance(sizeof likely - 1)]; break;
        case 1: data[at] = (unsigned char)chance(256); break;
        case 2: /* drop */
            memmove(data + at, data + at + 1, size - at - 1);
            size--;
            break;
        case 3: /* insert */
            if (size == room) break;
            memmove(data + at + 1, data + at, size - at);
            data[at] = likely[chance(sizeof likely - 1)];
            size++;
            break;
        case 4: /* a piece of another input */
            if (other_size < 3) break;
            n = chance((uint32_t)other_size - 2);
            if (n > 80) n = 80;
            if (size + n > room) break;
            memmove(data + at + n, data + at, size - at);
            memcpy(data + at, other + 2 + chance((uint32_t)(other_size - 2 - n)), n);
            size += n;
            break;
        default: /* exchange neighbours */
            if (at + 1 < size) {
                unsigned char first = data[at];
                data[at] = data[at + 1];
                data[at + 1] = first;
            }
        }
    }
    return size;
}

int main(int count, char **names) {
    static unsigned char inputs[256][512], now[ROOM / 512];
    size_t sizes[256], size;
    int files = 0, i;
    unsigned long runs, run;
    FILE *file;
    if (count < 4) {
        fprintf(stderr, "usage: fuzz RUNS SEED CORPUS...\n");
        return 2;
    }
    runs = strtoul(names[1], NULL, 10);
    state = 0x9e3779b97f4a7c15ull ^ strtoull(names[2], NULL, 10);
    for (i = 3; i < count && files < 256; i++) {
        file = fopen(names[i], "rb");
        if (!file) {
            perror(names[i]);
            return 2;
        }
        sizes[files] = fread(inputs[files], 1, sizeof inputs[0], file);
        fclose(file);
        LLVMFuzzerTestOneInput(inputs[files], sizes[files]);
        for (run = 0; run < 32 && sizes[files]; run++) { /* every question and layout of it */
            inputs[files][0] = (unsigned char)((inputs[files][0] & 0xe0) | run);
            LLVMFuzzerTestOneInput(inputs[files], sizes[files]);
        }
        files++;
    }
    for (run = 0; run < runs; run++) {
        int which = (int)chance((uint32_t)files), other = (int)chance((uint32_t)files);
        memcpy(now, inputs[which], sizes[which]);
        size = mutate(now, sizes[which], sizeof now, inputs[other], sizes[other]);
        LLVMFuzzerTestOneInput(now, size);
    }
    printf("%d files, %lu mutations, highest level %d: no difference\n", files, runs, fa_columns_setup(2));
    return 0;
}
#endif
