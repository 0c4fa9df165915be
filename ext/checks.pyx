# cython: language_level=3
# cython: boundscheck=False, wraparound=False
"""Luhn, IBAN and plain text of one string, compiled. Twin of foobara_accel._pure.checks; the arithmetic is in
kernels/checks.h and kernels/html.h.

Strict means the electronic form, character for character. ``lenient=True`` also takes the display form:
blanks (U+0020, U+0009) around it; inside, spaces, and for a card hyphens between digits; IBAN letters in
either case. Nothing but ASCII is ever accepted. A rule is named, never the value.
"""

from operator import index

include "texts.pxi"

cdef extern from "Python.h":
    unsigned char *PyUnicode_1BYTE_DATA(object value)
    unsigned short *PyUnicode_2BYTE_DATA(object value)
    unsigned int *PyUnicode_4BYTE_DATA(object value)
    int PyUnicode_KIND(object value)
    int PyUnicode_1BYTE_KIND, PyUnicode_2BYTE_KIND
    object PyUnicode_New(Py_ssize_t size, unsigned int most)
    object PyUnicode_DecodeASCII(const char *data, Py_ssize_t size, const char *errors)

cdef extern from "kernels/checks.h":
    int FA_OK, FA_EMPTY, FA_CHARACTER
    int FA_CARD_LEAST, FA_CARD_MIN, FA_CARD_MAX, FA_IBAN_LISTED, FA_IBAN_ASPIRATIONAL
    bint fa_card_ok(const unsigned char *s, size_t n) noexcept nogil
    int fa_card_rule(const unsigned char *s, size_t n, size_t least) noexcept nogil
    int fa_card_display(const unsigned char *s, size_t n, unsigned char *out, size_t *count) noexcept nogil
    bint fa_alphanumeric(const unsigned char *s, size_t n) noexcept nogil
    int fa_iban_rule(const unsigned char *s, size_t n, int admitted) noexcept nogil
    int fa_iban_display(const unsigned char *s, size_t n, unsigned char *out, size_t *count) noexcept nogil

cdef extern from "kernels/html.h":
    bint fa_html_plain_1(const unsigned char *s, size_t n) noexcept nogil
    bint fa_html_plain_2(const unsigned short *s, size_t n) noexcept nogil
    bint fa_html_plain_4(const unsigned int *s, size_t n) noexcept nogil
    int fa_html_setup(int most) noexcept

__all__ = ["capitalized_ascii", "is_plain_html", "is_valid_card", "is_valid_iban", "parse_card", "parse_iban"]

# In the order of the enum in kernels/checks.h.
cdef tuple RULES = ("", "empty", "character", "length", "country", "structure", "check_digits", "checksum")


def is_valid_card(value, /, *, lenient=False):
    """Return True for 12 to 19 digits with a right Luhn sum (ISO/IEC 7812-1).

    ``lenient=True`` takes the display form too. Raises TypeError for anything but a str.
    """
    cdef unsigned char digits[20]
    cdef size_t count = 0
    cdef str text = _text(value, "is_valid_card")
    if _card_rule(text, False, FA_CARD_MIN, digits, &count) == FA_OK:
        return True
    return bool(lenient) and _card_rule(text, True, FA_CARD_MIN, digits, &count) == FA_OK


def is_valid_iban(value, /, *, lenient=False, aspirational=False):
    """Return True for an IBAN of a registered country: structure, length, check digits 02-98, ISO 7064 sum.

    ``lenient=True`` takes the display form too, and AX, which the registry lists under FI;
    ``aspirational=True`` countries that use IBANs without being in the registry. Raises TypeError for
    anything but a str.
    """
    cdef unsigned char letters[34]
    cdef size_t count = 0
    cdef str text = _text(value, "is_valid_iban")
    cdef int admitted = FA_IBAN_ASPIRATIONAL if aspirational else 0
    if _iban_rule(text, False, admitted, letters, &count) == FA_OK:
        return True
    return bool(lenient) and _iban_rule(text, True, admitted, letters, &count) == FA_OK


def parse_card(value, /, *, lenient=False, min_digits=FA_CARD_MIN):
    """Return ``(canonical, "")``, or ``("", rule)`` with the first rule broken.

    Rules: empty, character, length, checksum. Raises TypeError for anything but a str, ValueError for
    *min_digits* outside 8 to 19.
    """
    cdef unsigned char digits[20]
    cdef size_t count = 0
    cdef str text = _text(value, "parse_card")
    cdef bint display = lenient
    min_digits = index(min_digits)
    if not FA_CARD_LEAST <= min_digits <= FA_CARD_MAX:
        raise ValueError(f"min_digits is {FA_CARD_LEAST} to {FA_CARD_MAX}, not {min_digits!r}")
    cdef int rule = _card_rule(text, display, min_digits, digits, &count)
    if rule != FA_OK:
        return "", RULES[rule]
    return PyUnicode_DecodeASCII(<const char *>digits, count, NULL) if display else text, ""


def parse_iban(value, /, *, lenient=False, aspirational=False):
    """Return ``(canonical, "")``, or ``("", rule)`` with the first rule broken; canonical is in upper case.

    ``aspirational=True`` takes countries that use IBANs without being in the registry.
    Rules: empty, character, country, length, structure, check_digits, checksum. Raises TypeError for anything
    but a str.
    """
    cdef unsigned char letters[34]
    cdef size_t count = 0
    cdef str text = _text(value, "parse_iban")
    cdef bint display = lenient
    cdef int rule = _iban_rule(text, display, FA_IBAN_ASPIRATIONAL if aspirational else 0, letters, &count)
    if rule != FA_OK:
        return "", RULES[rule]
    return PyUnicode_DecodeASCII(<const char *>letters, count, NULL) if display else text.upper(), ""


def is_plain_html(value, /):
    """Return True for text that a parser and writer of HTML gives back unchanged: it has no markup.

    False for ``& < >``, NUL, CR, U+00A0 and surrogates anywhere, and for U+FEFF at the start. Raises
    TypeError for anything but a str.
    """
    cdef str text = _text(value, "is_plain_html")
    cdef size_t length = PyUnicode_GET_LENGTH(text)
    cdef int kind = PyUnicode_KIND(text)
    if kind == PyUnicode_1BYTE_KIND:
        return fa_html_plain_1(PyUnicode_1BYTE_DATA(text), length)
    if kind == PyUnicode_2BYTE_KIND:
        return PyUnicode_2BYTE_DATA(text)[0] != 0xfeff and fa_html_plain_2(PyUnicode_2BYTE_DATA(text), length)
    return PyUnicode_4BYTE_DATA(text)[0] != 0xfeff and fa_html_plain_4(PyUnicode_4BYTE_DATA(text), length)


def capitalized_ascii(value, /):
    """Return a str of ASCII with each word as ``str.capitalize`` writes it, None for anything else.

    A word ends at white space, which stays as it is.
    """
    cdef const unsigned char *given
    cdef unsigned char *made
    cdef unsigned char char
    cdef bint begins = True
    cdef Py_ssize_t at, length
    if type(value) is not str or not (<str>value).isascii():
        return None
    length = PyUnicode_GET_LENGTH(value)
    found = PyUnicode_New(length, 127)
    if not length:
        return found
    given, made = PyUnicode_1BYTE_DATA(value), PyUnicode_1BYTE_DATA(found)
    for at in range(length):
        char = given[at]
        if begins:
            made[at] = char - 32 if 97 <= char <= 122 else char
        else:
            made[at] = char + 32 if 65 <= char <= 90 else char
        begins = char == 32 or 9 <= char <= 13 or 28 <= char <= 31
    return found


def _html_limit(int most):
    # For tests: 2 as at the start, 1 without AVX2; what the processor has of it.
    return fa_html_setup(most)


fa_html_setup(2)


cdef int _card_rule(str text, bint display, size_t least, unsigned char *digits, size_t *count) except -1:
    cdef const unsigned char *data
    cdef int rule
    if not text.isascii():
        return FA_CHARACTER
    data = PyUnicode_1BYTE_DATA(text)
    if not display:
        return fa_card_rule(data, PyUnicode_GET_LENGTH(text), least)
    rule = fa_card_display(data, PyUnicode_GET_LENGTH(text), digits, count)
    # digits holds one more than a card may have, which is enough to be too long.
    return fa_card_rule(digits, min(count[0], <size_t>(FA_CARD_MAX + 1)), least) if rule == FA_OK else rule


cdef int _iban_rule(str text, bint display, int admitted, unsigned char *letters, size_t *count) except -1:
    cdef const unsigned char *data
    cdef size_t length
    cdef int rule
    if not text.isascii():
        return FA_CHARACTER
    data = PyUnicode_1BYTE_DATA(text)
    length = PyUnicode_GET_LENGTH(text)
    if display:
        rule = fa_iban_display(data, length, letters, count)
        return fa_iban_rule(letters, count[0], admitted | FA_IBAN_LISTED) if rule == FA_OK else rule
    if not length:
        return FA_EMPTY
    return fa_iban_rule(data, length, admitted) if fa_alphanumeric(data, length) else FA_CHARACTER


# One positional str is the common call: a builtin of the same name and signature answers it without unpacking
# arguments (bench cases luhn, iban) and hands every other call to the function above.
cdef object _card_of_any = is_valid_card
cdef object _iban_of_any = is_valid_iban
cdef PyMethodDef _card_method
cdef PyMethodDef _iban_method


cdef object _call_card(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names):
    if count == 1 and names == NULL and fa_plain(args[0]):
        return True if fa_card_ok(fa_characters(args[0]), fa_length(args[0])) else False
    return PyObject_Vectorcall(_card_of_any, args, count, names)


cdef object _call_iban(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names):
    if count == 1 and names == NULL and fa_plain(args[0]):
        return True if fa_iban_rule(fa_characters(args[0]), fa_length(args[0]), False) == FA_OK else False
    return PyObject_Vectorcall(_iban_of_any, args, count, names)


is_valid_card = _builtin(_card_of_any, &_card_method, <void *>_call_card)
is_valid_iban = _builtin(_iban_of_any, &_iban_method, <void *>_call_iban)
parse_card.__module__ = parse_iban.__module__ = is_plain_html.__module__ = "foobara_accel.types"
