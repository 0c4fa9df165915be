# cython: language_level=3, binding=True, freethreading_compatible=True
# cython: boundscheck=False, wraparound=False, embedsignature=True, embedsignature.format=clinic
"""Luhn and IBAN of one string, compiled. Twin of foobara_accel._pure.checks; the arithmetic is in kernels/checks.h.

Strict means the electronic form, character for character. ``lenient=True`` also takes the display form: blanks
(U+0020, U+0009) around it; inside, spaces, and for a card hyphens between digits; letters of an IBAN in either case.
Nothing but ASCII is ever accepted. A rule is named, never the value.
"""

cimport cython

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object value)
    bint PyUnicode_Check(object value)
    bint PyUnicode_IS_COMPACT_ASCII(object value)
    Py_ssize_t PyUnicode_GET_LENGTH(object value)
    unsigned char *PyUnicode_1BYTE_DATA(object value)
    object PyUnicode_FromObject(object value)
    object PyUnicode_DecodeASCII(const char *data, Py_ssize_t size, const char *errors)

cdef extern from "kernels/checks.h":
    int FA_OK, FA_EMPTY, FA_CHARACTER
    int FA_CARD_MAX, FA_IBAN_MAX
    bint fa_card_ok(const unsigned char *s, size_t n) noexcept nogil
    int fa_card_rule(const unsigned char *s, size_t n) noexcept nogil
    int fa_card_display(const unsigned char *s, size_t n, unsigned char *out, size_t *count) noexcept nogil
    bint fa_alphanumeric(const unsigned char *s, size_t n) noexcept nogil
    int fa_iban_rule(const unsigned char *s, size_t n, bint listed) noexcept nogil
    int fa_iban_display(const unsigned char *s, size_t n, unsigned char *out, size_t *count) noexcept nogil

__all__ = ["is_valid_card", "is_valid_iban", "parse_card", "parse_iban"]

# In the order of the enum in kernels/checks.h.
cdef tuple RULES = ("", "empty", "character", "length", "country", "structure", "check_digits", "checksum")


# binding=False: a plain builtin, which the interpreter's adaptive calls know (bench case luhn).
@cython.binding(False)
def is_valid_card(value, /, *, lenient=False):
    """Return True for 12 to 19 digits with a right Luhn sum (ISO/IEC 7812-1).

    ``lenient=True`` takes the display form too. Raises TypeError for anything but a str.
    """
    if PyUnicode_CheckExact(value) and PyUnicode_IS_COMPACT_ASCII(value):
        if fa_card_ok(PyUnicode_1BYTE_DATA(value), PyUnicode_GET_LENGTH(value)):
            return True
        if lenient is False:
            return False
    cdef str text = _text(value, "is_valid_card")
    return not _card(text, False)[1] or (True if lenient and not _card(text, True)[1] else False)


@cython.binding(False)
def is_valid_iban(value, /, *, lenient=False):
    """Return True for an IBAN of a registered country: structure, length, check digits 02-98, ISO 7064 sum.

    ``lenient=True`` takes the display form too, and AX, which the registry lists under FI. Raises TypeError for
    anything but a str.
    """
    if PyUnicode_CheckExact(value) and PyUnicode_IS_COMPACT_ASCII(value):
        if fa_iban_rule(PyUnicode_1BYTE_DATA(value), PyUnicode_GET_LENGTH(value), False) == FA_OK:
            return True
        if lenient is False:
            return False
    cdef str text = _text(value, "is_valid_iban")
    return not _iban(text, False)[1] or (True if lenient and not _iban(text, True)[1] else False)


@cython.binding(False)
def parse_card(value, /, *, lenient=False):
    """Return ``(canonical, "")``, or ``("", rule)`` with the first rule broken.

    Rules: empty, character, length, checksum. Raises TypeError for anything but a str.
    """
    return _card(_text(value, "parse_card"), lenient)


@cython.binding(False)
def parse_iban(value, /, *, lenient=False):
    """Return ``(canonical, "")``, or ``("", rule)`` with the first rule broken; canonical is in upper case.

    Rules: empty, character, country, length, structure, check_digits, checksum. Raises TypeError for anything but
    a str.
    """
    return _iban(_text(value, "parse_iban"), lenient)


cdef str _text(object value, str name):
    if PyUnicode_CheckExact(value):
        return value
    if not PyUnicode_Check(value):
        raise TypeError(f"{name}() takes a str, not {type(value).__name__}")
    return PyUnicode_FromObject(value)


cdef tuple _card(str text, object lenient):
    cdef unsigned char digits[20]
    cdef const unsigned char *data
    cdef size_t count = 0
    cdef int rule
    cdef bint display = lenient
    if not text.isascii():
        return "", RULES[FA_CHARACTER]
    data = PyUnicode_1BYTE_DATA(text)
    if not display:
        rule = fa_card_rule(data, PyUnicode_GET_LENGTH(text))
        return ("", RULES[rule]) if rule != FA_OK else (text, "")
    rule = fa_card_display(data, PyUnicode_GET_LENGTH(text), digits, &count)
    if rule == FA_OK:
        rule = fa_card_rule(digits, min(count, <size_t>(FA_CARD_MAX + 1)))
    if rule != FA_OK:
        return "", RULES[rule]
    return PyUnicode_DecodeASCII(<const char *>digits, count, NULL), ""


cdef tuple _iban(str text, object lenient):
    cdef unsigned char letters[34]
    cdef const unsigned char *data
    cdef size_t count = 0
    cdef int rule
    cdef bint display = lenient
    if not text.isascii():
        return "", RULES[FA_CHARACTER]
    data = PyUnicode_1BYTE_DATA(text)
    count = PyUnicode_GET_LENGTH(text)
    if not display:
        if not count:
            rule = FA_EMPTY
        elif not fa_alphanumeric(data, count):
            rule = FA_CHARACTER
        else:
            rule = fa_iban_rule(data, count, False)
        return ("", RULES[rule]) if rule != FA_OK else (text.upper(), "")
    rule = fa_iban_display(data, count, letters, &count)
    if rule == FA_OK:
        rule = fa_iban_rule(letters, count, True)
    if rule != FA_OK:
        return "", RULES[rule]
    return PyUnicode_DecodeASCII(<const char *>letters, count, NULL), ""


for _function in (is_valid_card, is_valid_iban, parse_card, parse_iban):
    _function.__module__ = "foobara_accel.types"
del _function
