/* What the text processors do to an exact str of ASCII alone, as its own methods do it; without Python calls
   but for the new str. A text that would not change comes back as the same object. */

#ifndef FOOBARA_ACCEL_TEXTS_H
#define FOOBARA_ACCEL_TEXTS_H

#include <Python.h>
#include <string.h>

static inline int fa_is_ascii(PyObject *text) {
    return PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text);
}

static inline const Py_UCS1 *fa_letters(PyObject *text) { return PyUnicode_1BYTE_DATA(text); }

/* str.isspace of an ASCII character. */
static inline int fa_is_space(Py_UCS1 c) { return c == 32 || (c >= 9 && c <= 13) || (c >= 28 && c <= 31); }
static inline int fa_is_upper(Py_UCS1 c) { return (Py_UCS1)(c - 'A') < 26; }
static inline int fa_is_lower(Py_UCS1 c) { return (Py_UCS1)(c - 'a') < 26; }

static inline PyObject *fa_same(PyObject *text) {
    Py_INCREF(text);
    return text;
}

/* A new str of n > 0 characters; of one, the interpreter has its own object. */
static inline PyObject *fa_text_of(const Py_UCS1 *letters, Py_ssize_t n) {
    PyObject *made;
    if (n == 1) return PyUnicode_FromOrdinal(letters[0]);
    made = PyUnicode_New(n, 127);
    if (made != NULL) memcpy(PyUnicode_1BYTE_DATA(made), letters, (size_t)n);
    return made;
}

static PyObject *fa_stripped(PyObject *text) {
    const Py_UCS1 *s = fa_letters(text);
    Py_ssize_t size = PyUnicode_GET_LENGTH(text), first = 0, end = size;
    while (first < end && fa_is_space(s[first])) first++;
    while (end > first && fa_is_space(s[end - 1])) end--;
    if (end - first == size) return fa_same(text);
    if (end == first) return PyUnicode_New(0, 0);
    return fa_text_of(s + first, end - first);
}

/* As much of a text as is put together on the stack. */
#define FA_SHORT 512

/* " ".join(text.split()) */
static PyObject *fa_normalized(PyObject *text) {
    const Py_UCS1 *s = fa_letters(text);
    Py_ssize_t size = PyUnicode_GET_LENGTH(text), n = 0, i;
    Py_UCS1 stack[FA_SHORT], *out = size <= FA_SHORT ? stack : (Py_UCS1 *)PyMem_Malloc((size_t)size);
    int space = 1, same = 1;           /* as if a space stood before it */
    PyObject *made;
    if (out == NULL) return PyErr_NoMemory();
    for (i = 0; i < size; i++) {
        Py_UCS1 c = s[i];
        if (c > 32 && c < 128) {
            out[n++] = c;
            space = 0;
        } else if (!fa_is_space(c)) {
            out[n++] = c;
            space = 0;
        } else {
            same &= c == 32 && !space;
            if (!space) out[n++] = 32;
            space = 1;
        }
    }
    if (n > 0) n -= space;             /* one at the end */
    if (same && !space) made = fa_same(text);
    else made = n == 0 ? PyUnicode_New(0, 0) : fa_text_of(out, n);
    if (out != stack) PyMem_Free(out);
    return made;
}

enum { FA_LOWER, FA_UPPER, FA_TITLE };

static inline Py_UCS1 fa_lowered(Py_UCS1 c) { return (Py_UCS1)(c + 32 * fa_is_upper(c)); }
static inline Py_UCS1 fa_uppered(Py_UCS1 c) { return (Py_UCS1)(c - 32 * fa_is_lower(c)); }

/* lower(), upper() or title(), where a letter that follows a letter is a small one. */
static PyObject *fa_in_case(PyObject *text, int how) {
    const Py_UCS1 *s = fa_letters(text);
    Py_ssize_t size = PyUnicode_GET_LENGTH(text), i;
    Py_UCS1 stack[FA_SHORT], *out = size <= FA_SHORT ? stack : (Py_UCS1 *)PyMem_Malloc((size_t)size);
    Py_UCS1 changed = 0;
    int after = 0;
    PyObject *made;
    if (out == NULL) return PyErr_NoMemory();
    /* Loops without branches: the compiler does many characters at once in the first two. */
    if (how == FA_LOWER) {
        for (i = 0; i < size; i++) {
            out[i] = fa_lowered(s[i]);
            changed |= out[i] ^ s[i];
        }
    } else if (how == FA_UPPER) {
        for (i = 0; i < size; i++) {
            out[i] = fa_uppered(s[i]);
            changed |= out[i] ^ s[i];
        }
    } else {
        for (i = 0; i < size; i++) {
            Py_UCS1 low = fa_lowered(s[i]);
            int letter = fa_is_lower(low);
            out[i] = (Py_UCS1)(low - 32 * (letter & !after));
            changed |= out[i] ^ s[i];
            after = letter;
        }
    }
    made = changed ? fa_text_of(out, size) : fa_same(text);
    if (out != stack) PyMem_Free(out);
    return made;
}

/* The int of one to eighteen digits 0-9, -1 for any other text. */
static inline long long fa_digits(PyObject *text) {
    const Py_UCS1 *s = fa_letters(text);
    Py_ssize_t size = PyUnicode_GET_LENGTH(text), i;
    long long made = 0;
    if (size < 1 || size > 18) return -1;
    for (i = 0; i < size; i++) {
        if ((Py_UCS1)(s[i] - '0') > 9) return -1;
        made = 10 * made + (s[i] - '0');
    }
    return made;
}

#endif
