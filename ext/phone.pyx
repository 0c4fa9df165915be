# cython: language_level=3
# cython: boundscheck=False, wraparound=False
"""Phone numbers as "+" and digits, compiled. Twin of foobara_accel._pure.phone; the walk is in kernels/phone.h.

The verdict of such a text is a walk through a table of the numbering plans (_phone_table.py); any other text
goes to the judge, which is phonenumbers. Table and judge are given by types.phones at the first call.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Malloc

include "texts.pxi"

cdef extern from *:
    """
    /* Without a GIL a thread that sees the table must see what is in it. */
    #if defined(_MSC_VER)
    #include <intrin.h>
    #define FA_PUBLISH(where, table) _InterlockedExchangePointer((void *volatile *)&(where), (table))
    #else
    #define FA_PUBLISH(where, table) __atomic_store_n(&(where), (table), __ATOMIC_RELEASE)
    #endif
    """
    void FA_PUBLISH(void *where, void *table) noexcept

cdef extern from "kernels/phone.h":
    ctypedef unsigned short uint16_t
    ctypedef struct fa_phone_table:
        const uint16_t *verdicts
        const uint16_t *details
        unsigned valid
    int FA_PHONE_OTHER, FA_PHONE_NO_CODE, FA_PHONE_VALID
    Py_ssize_t FA_PHONE_LONGEST
    int fa_phone_walk(const fa_phone_table *table, const unsigned char *s, size_t n) noexcept nogil
    int fa_phone_kind(const fa_phone_table *table, const unsigned char *s, size_t n) noexcept nogil

__all__ = ["bind", "examine", "is_valid_phone", "known_region", "use"]

cdef object prepare_first = None
cdef object judge_other = None
cdef object known_regions = None
# What was in use is never written to again and never freed: without a GIL a thread may be in the middle of it.
cdef fa_phone_table NONE
cdef fa_phone_table *in_use = &NONE
cdef list kept = []


def bind(prepare, judge):
    """Set what is called before the first verdict, to call :func:`use`, and what judges any other text."""
    global prepare_first, judge_other
    prepare_first, judge_other = prepare, judge


def use(regions, bytes verdicts not None, unsigned valid, bytes details not None):
    """Set the known regions and the tables, in native byte order; without rows, the judge decides."""
    global known_regions, in_use
    cdef fa_phone_table *table = &NONE
    if verdicts:
        table = <fa_phone_table *>PyMem_Malloc(sizeof(fa_phone_table))
        if table == NULL:
            raise MemoryError()
        table.verdicts = <const uint16_t *>PyBytes_AS_STRING(verdicts)
        table.details = <const uint16_t *>PyBytes_AS_STRING(details)
        table.valid = valid
    found = frozenset(regions)
    kept.append((verdicts, details, found))
    FA_PUBLISH(in_use, table)
    known_regions = found


def is_valid_phone(value, /, region=None):
    """Return what libphonenumber says: a valid number of its region, in any form that parse reads.

    *region* (ISO 3166-1 alpha-2, such as "US") is where a number without "+" is dialled from. Raises
    TypeError for anything but a str, ValueError for an unknown region, ImportError where phonenumbers is
    needed and missing: for any other form than "+" and digits.
    """
    cdef str text = _text(value, "is_valid_phone")
    cdef int verdict
    if region is not None or known_regions is None:
        region = known_region(region, "is_valid_phone")
    verdict = _walk(in_use, text)
    if verdict == FA_PHONE_OTHER or (verdict == FA_PHONE_NO_CODE and region is not None):
        if PyUnicode_GET_LENGTH(text) > FA_PHONE_LONGEST:
            return False
        return judge_other(text, region)
    return verdict >= FA_PHONE_VALID


def examine(text, /):
    """Return the kind of a valid number (2 and more), or why there is none.

    0: no number begins so; 1: no such calling code; -1: not "+" and 1 to 249 digits, or without a table;
    -2: too short; -3: too long.
    """
    cdef str plain = _text(text, "examine")
    cdef fa_phone_table *table
    cdef int verdict
    if known_regions is None:
        known_region(None, "examine")
    table = in_use
    verdict = _walk(table, plain)
    if verdict < FA_PHONE_VALID:
        return verdict
    return fa_phone_kind(table, fa_characters(<PyObject *>plain), fa_length(<PyObject *>plain))


def known_region(region, str name not None, /):
    """Return *region* as a plain str, or None; TypeError or ValueError that names *name* for any other.

    Errors never show it: swapped arguments would put a number there.
    """
    if known_regions is None:
        if prepare_first is None:
            raise RuntimeError("import foobara_accel.types.phones first")
        prepare_first()
    if region is None:
        return None
    if not PyUnicode_Check(region):
        raise TypeError(f"{name}() takes a region as str or None, not {type(region).__name__}")
    region = PyUnicode_FromObject(region)
    if region not in known_regions:
        raise ValueError(
            f"{name}() does not know this region: give two capital letters (ISO 3166-1 alpha-2), such as 'US'"
        )
    return region


cdef int _walk(fa_phone_table *table, str text) noexcept:
    if not fa_plain(<PyObject *>text):
        return FA_PHONE_OTHER
    return fa_phone_walk(table, fa_characters(<PyObject *>text), fa_length(<PyObject *>text))


# One positional str is the common call: a builtin of the same name and signature answers it without unpacking
# arguments (python -m benchmarks.phones) and hands every other call to the function above.
cdef object _phone_of_any = is_valid_phone
cdef PyMethodDef _phone_method


cdef object _call_phone(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names):
    cdef int verdict
    if count == 1 and names == NULL and fa_plain(args[0]):
        verdict = fa_phone_walk(in_use, fa_characters(args[0]), fa_length(args[0]))
        if verdict != FA_PHONE_OTHER:
            return True if verdict >= FA_PHONE_VALID else False
    return PyObject_Vectorcall(_phone_of_any, args, count, names)


is_valid_phone = _builtin(_phone_of_any, &_phone_method, <void *>_call_phone)
