# cython: language_level=3
# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Builds the inputs of a command from its arguments (compiled twin of ``_pure/guards.py``).

1. **Guard**: every value already has the exact declared type, or is a text that a type of this package takes, so
   what pydantic would return is known; the instance is put together here. Which models allow it, and each field's
   test, come from ``core.inputs``.
2. **Fields**: pydantic-core's inner ``model-fields`` validator runs on the same arguments, and only the
   instance is put together here.
3. **Full**: the ``validate_python`` of the model's own validator.

A caller may ask level 1 for a **verdict**: where each value is either right or wrong in a way whose message
depends on the field alone, the rows that pydantic gave for these (field, class of failure) pairs the first time.

JSON goes the same ways: level 1 reads a flat object whose texts have no escapes, the others leave it to pydantic.

A value that level 1 does not know goes to level 2 with all the others, as if level 1 had not looked.
Everything below ``make_kw`` is plain C-API on owned or caller-owned pointers: a failure returns NULL with the
exception set, without the traceback entry that Cython would add on the way.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from libc.math cimport floor, isfinite
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcmp, memset

__all__ = ["FIELD_LIMIT", "ClassEntry", "Finder", "FixedEntry", "InputsBuilder"]


cdef enum:
    FA_FIELDS = 64             # so that the arguments of one call are matched on the C stack

FIELD_LIMIT = FA_FIELDS


# What is wrong with one value. Within a class and a field, neither pydantic's type nor its message varies.
cdef enum:
    RIGHT = 0
    MISSING = 1
    NOTHING = 2                # None
    WORD = 3                   # text that no lenient reading takes for a number or a truth value
    CONTAINER = 4              # a list or a dict
    SCALAR = 5                 # a number for a text, any scalar for None
    FRACTION = 6               # a float with a fractional part, for an int
    LOW = 7                    # below the bound, or shorter
    HIGH = 8                   # above the bound, or longer
    CLASSES = 9
    UNKNOWN = 255

cdef enum:
    INT_DIGITS = 18            # fit a long long
    NUMBER_LENGTH = 64         # a JSON number that is longer is left to pydantic-core
    WORD_LENGTH = 64           # longer digits have a message of their own; a word is nowhere near

cdef tuple _SYMBOLS = (
    (),
    ("missing",),
    ("int_type", "float_type", "string_type", "bool_type"),
    ("int_type", "float_type", "bool_type", "int_parsing", "float_parsing", "bool_parsing", "none_required"),
    ("int_type", "float_type", "string_type", "bool_type", "none_required"),
    ("string_type", "bool_type", "bool_parsing", "none_required"),
    ("int_type", "int_from_float"),
    ("greater_than", "greater_than_equal", "string_too_short"),
    ("less_than", "less_than_equal", "string_too_long"),
)


cdef extern from *:
    """
    #include "structmember.h"

    #include "foobara_accel/calls.h"

    #ifdef Py_GIL_DISABLED
    #define FA_FREE_THREADED 1
    #else
    #define FA_FREE_THREADED 0
    #endif
    #if PY_VERSION_HEX < 0x030C0000
    #define FA_STR_READY(s) PyUnicode_IS_READY(s)
    #else
    #define FA_STR_READY(s) 1
    #endif
    #define FA_COMPACT_ASCII(s) PyUnicode_IS_COMPACT_ASCII(s)
    static inline PyObject *FA_OWN(PyObject *made) { return made; }
    static inline void FA_UNTRACK(PyObject *rows) { PyObject_GC_UnTrack(rows); }

    /* Not for a free-threaded build, where the class may go meanwhile. */
    #define FA_REFERS(reference, target) (((PyWeakReference *)(reference))->wr_object == (target))

    /* Whether the instance holds its attributes itself, beside the keys of its class. Makes its dict, so: for a
       sample only. From 3.13 on a class with slots, as every model has, always makes a dict. */
    static inline int FA_SHARES_KEYS(PyObject *instance) {
        PyObject *attributes;
    #if PY_VERSION_HEX >= 0x030D0000
        if (!PyType_HasFeature(Py_TYPE(instance), Py_TPFLAGS_INLINE_VALUES)) return 0;
    #endif
        attributes = PyObject_GenericGetDict(instance, NULL);
        int shares = attributes != NULL && ((PyDictObject *)attributes)->ma_values != NULL;
        Py_XDECREF(attributes);
        return shares;
    }

    /* The block of memory in which a dict keeps its entries. */
    static inline char *FA_KEYS(PyObject *values) { return (char *)((PyDictObject *)values)->ma_keys; }

    /* What setting an item does besides: a dict that holds a container becomes known to the collector. */
    static inline void FA_HOLDS(PyObject *values, PyObject *value) {
        if (!PyObject_IS_GC(value) || PyObject_GC_IsTracked(values)) return;
        if (!PyTuple_CheckExact(value) || PyObject_GC_IsTracked(value)) PyObject_GC_Track(values);
    }

    /* A new set of the same strings. Those of a small set are in the object itself, and are hashed already. */
    static inline PyObject *FA_SET_LIKE(PyObject *names) {
    #ifndef Py_GIL_DISABLED
        PySetObject *from = (PySetObject *)names, *to;
        int i;
        if (from->table == from->smalltable && from->fill == from->used) {
            to = (PySetObject *)PySet_New(NULL);
            if (to == NULL) return NULL;
            for (i = 0; i < PySet_MINSIZE; i++) {
                Py_XINCREF(from->smalltable[i].key);
                to->smalltable[i] = from->smalltable[i];
            }
            to->fill = from->fill;
            to->used = from->used;
            return (PyObject *)to;
        }
    #endif
        return PySet_New(names);
    }

    /* The set in that slot, if it is as FA_SET_LIKE made it and an instance that only the caller refers to is all
       that refers to it: the slot is empty then, and the reference the caller's. Else NULL. */
    static inline PyObject *FA_TAKE_SET(PyObject *instance, Py_ssize_t offset, PyObject *names) {
    #ifndef Py_GIL_DISABLED
        PyObject **slot = (PyObject **)((char *)instance + offset);
        PySetObject *set = (PySetObject *)*slot, *like = (PySetObject *)names;
        if (Py_REFCNT(instance) != 1 || Py_TYPE(instance)->tp_finalize != NULL) return NULL;
        if (set == NULL || Py_REFCNT(set) != 1 || !Py_IS_TYPE(set, &PySet_Type) || set->weakreflist != NULL)
            return NULL;
        if (set->mask != like->mask || set->fill != like->fill || set->used != like->used || set->finger != 0)
            return NULL;
        /* The same strings, each in its place: nobody has changed it. */
        if (memcmp(set->table, like->table, (size_t)(like->mask + 1) * sizeof(setentry)) != 0) return NULL;
        *slot = NULL;
        return (PyObject *)set;
    #else
        return NULL;
    #endif
    }
    """
    bint FA_SHARES_KEYS(PyObject* instance) noexcept
    char* FA_KEYS(PyObject* values) noexcept
    void FA_HOLDS(PyObject* values, PyObject* value) noexcept
    PyObject* FA_SET_LIKE(PyObject* small) noexcept
    PyObject* FA_TAKE_SET(PyObject* instance, Py_ssize_t offset, PyObject* names) noexcept
    bint FA_FREE_THREADED
    bint FA_STR_READY(PyObject* s) noexcept
    bint FA_COMPACT_ASCII(PyObject* s) noexcept
    object FA_OWN(PyObject* made)      # NULL means that an exception is set
    void FA_UNTRACK(PyObject* rows) noexcept
    PyObject* fa_raised() noexcept
    void fa_raise_again(PyObject* value) noexcept
    bint FA_REFERS(PyObject* reference, PyObject* target) noexcept


cdef extern from "kernels/checks.h":
    int FA_OK
    bint fa_luhn_ok(const unsigned char* s, size_t n, size_t least) noexcept
    int fa_card_display(const unsigned char* s, size_t n, unsigned char* out, size_t* count) noexcept
    int fa_iban_rule(const unsigned char* s, size_t n, bint listed) noexcept
    int fa_iban_display(const unsigned char* s, size_t n, unsigned char* out, size_t* count) noexcept


cdef extern from "kernels/html.h":
    bint fa_html_plain_1(const unsigned char* s, size_t n) noexcept
    bint fa_html_plain_2(const uint16_t* s, size_t n) noexcept
    bint fa_html_plain_4(const uint32_t* s, size_t n) noexcept
    int fa_html_setup(int most) noexcept


cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        unsigned int tp_version_tag
        PyObject* tp_dict
        PyObject* (*tp_new)(PyTypeObject* cls, PyObject* args, PyObject* kwargs) noexcept
    ctypedef struct PyTupleObject:
        PyObject** ob_item
    ctypedef struct PyMemberDef:
        int type
        Py_ssize_t offset
        int flags
    ctypedef struct PyMemberDescrObject:
        PyMemberDef* d_member
    PyTypeObject PyMemberDescr_Type
    PyObject* Py_True
    PyObject* Py_False
    int T_OBJECT_EX
    PyTypeObject* Py_TYPE(PyObject* o) noexcept
    void Py_INCREF(PyObject* o) noexcept
    void Py_DECREF(PyObject* o) noexcept
    void Py_XINCREF(PyObject* o) noexcept
    void Py_XDECREF(PyObject* o) noexcept
    PyObject* PyErr_Occurred() noexcept
    void PyErr_Clear() noexcept
    bint PyErr_ExceptionMatches(PyObject* cls) noexcept
    int PyObject_IsTrue(PyObject* o) noexcept
    Py_ssize_t PyTuple_GET_SIZE(PyObject* t) noexcept
    PyObject* PyTuple_GET_ITEM(PyObject* t, Py_ssize_t i) noexcept
    bint PyTuple_CheckExact(PyObject* o) noexcept
    PyObject* PyTuple_New(Py_ssize_t size) noexcept
    void PyTuple_SET_ITEM(PyObject* t, Py_ssize_t i, PyObject* owned) noexcept
    bint PyList_CheckExact(PyObject* o) noexcept
    PyObject* PyList_GET_ITEM(PyObject* l, Py_ssize_t i) noexcept
    bint PyLong_CheckExact(PyObject* o) noexcept
    bint PyFloat_CheckExact(PyObject* o) noexcept
    bint PyUnicode_CheckExact(PyObject* o) noexcept
    bint PyBool_Check(PyObject* o) noexcept
    bint PyDict_CheckExact(PyObject* o) noexcept
    bint PyAnySet_CheckExact(PyObject* o) noexcept
    double PyFloat_AS_DOUBLE(PyObject* o) noexcept
    long long PyLong_AsLongLongAndOverflow(PyObject* o, int* overflow) noexcept
    Py_ssize_t PyLong_AsSsize_t(PyObject* o) noexcept
    int PyUnicode_KIND(PyObject* s) noexcept
    bint PyUnicode_IS_ASCII(PyObject* s) noexcept
    void* PyUnicode_DATA(PyObject* s) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* s) noexcept
    const char* PyUnicode_AsUTF8AndSize(PyObject* s, Py_ssize_t* length) noexcept
    PyObject* PyUnicode_DecodeUTF8(const char* s, Py_ssize_t length, const char* errors) noexcept
    bint PyBytes_CheckExact(PyObject* o) noexcept
    char* PyBytes_AS_STRING(PyObject* b) noexcept
    Py_ssize_t PyBytes_GET_SIZE(PyObject* b) noexcept
    PyObject* PyLong_FromLongLong(long long number) noexcept
    PyObject* PyFloat_FromDouble(double real) noexcept
    double PyOS_string_to_double(const char* s, char** end, PyObject* overflow) noexcept
    PyObject* PyDict_New() noexcept
    PyObject* PyDict_Copy(PyObject* d) noexcept
    int PyDict_SetItem(PyObject* d, PyObject* k, PyObject* v) noexcept
    PyObject* PyDict_GetItem(PyObject* d, PyObject* k) noexcept
    Py_ssize_t PyDict_GET_SIZE(PyObject* d) noexcept
    int PyDict_Next(PyObject* d, Py_ssize_t* at, PyObject** k, PyObject** v) noexcept
    PyObject* PySet_New(PyObject* iterable) noexcept
    int PySet_Add(PyObject* s, PyObject* k) noexcept
    int PyObject_GenericSetDict(PyObject* o, PyObject* value, void* context) noexcept
    int PyObject_GenericSetAttr(PyObject* o, PyObject* name, PyObject* value) noexcept
    PyObject* _PyType_Lookup(PyTypeObject* cls, PyObject* name) noexcept
    PyObject* PyObject_CallOneArg(PyObject* f, PyObject* a) noexcept
    PyObject* PyObject_CallFunctionObjArgs(PyObject* f, ...) noexcept
    PyObject* PyBytes_FromStringAndSize(const char* text, Py_ssize_t length) noexcept
    bint PyWeakref_CheckRef(PyObject* o) noexcept
    PyObject* PyObject_GetAttr(PyObject* o, PyObject* name) noexcept
    unsigned long PyType_GetFlags(PyTypeObject* cls) noexcept
    unsigned long Py_TPFLAGS_HEAPTYPE
    object PyLong_FromVoidPtr(void* p)


cdef enum:
    CODE_INT = 1
    CODE_FLOAT = 2
    CODE_STR = 3
    CODE_BOOL = 4
    CODE_NONE = 5
    CODE_ANY = 6
    CODE_CARD = 7              # this and the rest: a type of this package, with a Field.own
    CODE_IBAN = 8
    CODE_PHONE = 9
    CODE_HTML = 10
    CODE_CALL = 11


cdef struct Field:
    PyObject* name             # borrowed from InputsBuilder.names
    const char* text           # the same in UTF-8, NULL where it has none
    Py_ssize_t text_length
    int code
    bint optional
    bint bounded               # lo..hi (floats: also finite), or lengths
    bint finite
    bint required
    Py_ssize_t place           # of the value in FA_KEYS of a copy of the template; 0: not known
    bint judged                # at most one bound on each side: what a value outside violates is known
    long long lo
    long long hi
    double flo
    double fhi
    Py_ssize_t min_length
    Py_ssize_t max_length
    const Own* own             # of a type of this package; else NULL


cdef Py_ssize_t _slot(object model, str name) except -1:
    """Where instances of *model* keep *name*, from its member descriptor."""
    cdef object found = model.__dict__[name]
    if Py_TYPE(<PyObject*> found) != &PyMemberDescr_Type:
        raise ImportError(f"{model.__name__}.{name} is not a slot")
    cdef PyMemberDef* member = (<PyMemberDescrObject*> <PyObject*> found).d_member
    if member.type != T_OBJECT_EX or member.flags != 0:
        raise ImportError(f"{model.__name__}.{name} is not an ordinary slot")
    return member.offset


cdef Py_ssize_t SLOT_FIELDS_SET = 0
cdef Py_ssize_t SLOT_EXTRA = 0
cdef Py_ssize_t SLOT_PRIVATE = 0


cdef int _locate() except -1:
    """Look the slots up for a builder that needs them; any number of threads may write the same three numbers.

    Not at import: BaseModel costs more to import than this package.
    """
    from pydantic import BaseModel

    global SLOT_FIELDS_SET, SLOT_EXTRA, SLOT_PRIVATE
    SLOT_EXTRA = _slot(BaseModel, "__pydantic_extra__")
    SLOT_PRIVATE = _slot(BaseModel, "__pydantic_private__")
    SLOT_FIELDS_SET = _slot(BaseModel, "__pydantic_fields_set__")
    return 0


cdef tuple _NO_ARGUMENTS = ()
cdef str _VALIDATOR = "__pydantic_validator__"
cdef str _FINALISER = "__del__"


cdef inline bint _is_text(PyObject* s, Py_ssize_t length) noexcept:
    """No lone surrogate: pydantic-core cannot always represent such a string."""
    cdef Py_ssize_t i
    cdef int kind = PyUnicode_KIND(s)
    cdef const uint16_t* narrow
    cdef const uint32_t* wide
    cdef bint clean = True
    if kind == 1:
        return True
    if kind == 2:
        narrow = <const uint16_t*> PyUnicode_DATA(s)
        for i in range(length):
            clean &= (narrow[i] & 0xF800) != 0xD800
        return clean
    wide = <const uint32_t*> PyUnicode_DATA(s)
    for i in range(length):
        clean &= (wide[i] & 0xFFFFF800) != 0xD800
    return clean


cdef inline bint _accepts(const Field* field, PyObject* value) noexcept:
    """Whether pydantic would return this very object for *field*; False is "not known here"."""
    cdef int overflow = 0
    cdef long long number
    cdef double real
    cdef Py_ssize_t length
    if field.code == CODE_INT:
        if PyLong_CheckExact(value):
            if not field.bounded:
                return True
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            return overflow == 0 and field.lo <= number <= field.hi
    elif field.code == CODE_STR:
        if PyUnicode_CheckExact(value):
            if not FA_STR_READY(value):
                return False
            length = PyUnicode_GET_LENGTH(value)
            if field.bounded and not field.min_length <= length <= field.max_length:
                return False
            return _is_text(value, length)
    elif field.code == CODE_FLOAT:
        if PyFloat_CheckExact(value):
            real = PyFloat_AS_DOUBLE(value)
            if field.bounded and not field.flo <= real <= field.fhi:
                return False
            return not field.finite or isfinite(real)
    elif field.code == CODE_BOOL:
        if PyBool_Check(value):
            return True
    elif field.code == CODE_ANY:
        return True
    elif value == <PyObject*> None:
        return True
    return field.optional and value == <PyObject*> None


cdef inline bint _is_word(PyObject* s, const char* initials) noexcept:
    """ASCII text that begins with a letter, none of *initials* (lower case)."""
    cdef Py_ssize_t length
    cdef char first
    if not FA_STR_READY(s) or not PyUnicode_IS_ASCII(s):
        return False
    length = PyUnicode_GET_LENGTH(s)
    if length == 0 or length > WORD_LENGTH:
        return False
    first = (<const char*> PyUnicode_DATA(s))[0] | 0x20
    if first < b"a" or first > b"z":
        return False
    while initials[0]:
        if initials[0] == first:
            return False
        initials += 1
    return True


cdef unsigned char _classify(const Field* field, PyObject* value) noexcept:
    """The class of failure of *value*; UNKNOWN unless it is certain that pydantic refuses it, and how.

    Exact types only: an object of another type may be taken by its ``__int__``, as a subclass or as bytes.
    """
    cdef int overflow = 0
    cdef long long number
    cdef double real
    cdef Py_ssize_t length
    cdef PyObject* made
    if field.own != NULL:
        made = _own_value(field, value)
        if made != NULL:
            Py_DECREF(made)
            return RIGHT
        if PyErr_Occurred() != NULL:
            return UNKNOWN
        if PyList_CheckExact(value) or PyDict_CheckExact(value):
            return CONTAINER
        return NOTHING if value == <PyObject*> None else UNKNOWN
    if _accepts(field, value):
        return RIGHT
    if field.code == CODE_ANY:
        return UNKNOWN
    if PyList_CheckExact(value) or PyDict_CheckExact(value):
        return CONTAINER
    if value == <PyObject*> None:
        return NOTHING
    if field.code == CODE_INT:
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if overflow != 0 or not field.judged:
                return UNKNOWN
            return HIGH if number > field.hi else LOW
        if PyFloat_CheckExact(value):
            real = PyFloat_AS_DOUBLE(value)
            return FRACTION if isfinite(real) and floor(real) != real else UNKNOWN
        return WORD if PyUnicode_CheckExact(value) and _is_word(value, b"") else UNKNOWN
    if field.code == CODE_FLOAT:
        if PyFloat_CheckExact(value):
            real = PyFloat_AS_DOUBLE(value)
            if not isfinite(real) or not field.judged:
                return UNKNOWN
            return HIGH if real > field.fhi else LOW
        # inf, infinity and nan are floats
        return WORD if PyUnicode_CheckExact(value) and _is_word(value, b"in") else UNKNOWN
    if field.code == CODE_STR:
        if PyUnicode_CheckExact(value):
            if not field.judged or not FA_STR_READY(value):
                return UNKNOWN
            length = PyUnicode_GET_LENGTH(value)
            if not _is_text(value, length):
                return UNKNOWN
            return HIGH if length > field.max_length else LOW
        if PyLong_CheckExact(value) or PyFloat_CheckExact(value) or PyBool_Check(value):
            return SCALAR
        return UNKNOWN
    if field.code == CODE_BOOL:
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            # a number of more bits has another message
            return SCALAR if overflow == 0 and -1000000 < number < 1000000 and number >> 1 != 0 else UNKNOWN
        # true, t, yes, y, on; false, f, no, n, off
        return WORD if PyUnicode_CheckExact(value) and _is_word(value, b"tfyno") else UNKNOWN
    if PyUnicode_CheckExact(value):
        return WORD if _is_word(value, b"") else UNKNOWN
    if PyLong_CheckExact(value) or PyFloat_CheckExact(value) or PyBool_Check(value):
        return SCALAR
    return UNKNOWN


cdef inline const unsigned char* _skip(const unsigned char* at) noexcept:
    while at[0] == 32 or at[0] == 10 or at[0] == 13 or at[0] == 9:
        at += 1
    return at


cdef inline const unsigned char* _text_end(const unsigned char* at) noexcept:
    """The closing quote of a JSON text without escapes, or NULL. Bytes and str end in a NUL, which stops us."""
    while at[0] >= 32 and at[0] != c'"' and at[0] != c"\\":
        at += 1
    return at if at[0] == c'"' else NULL


cdef inline bint _is_digit(unsigned char c) noexcept:
    return c"0" <= c <= c"9"


cdef PyObject* _read_number(const unsigned char** where, bint real_wanted) noexcept:
    """The int or float at *where*, which is moved behind it; NULL, perhaps with an exception: not known here."""
    cdef const unsigned char* start = where[0]
    cdef const unsigned char* at = start
    cdef const unsigned char* digits
    cdef long long number = 0
    cdef double real
    cdef char* end = NULL
    if at[0] == c"-":
        at += 1
    digits = at
    while _is_digit(at[0]) and at - digits <= INT_DIGITS:
        number = number * 10 + (at[0] - c"0")
        at += 1
    if at == digits or at - digits > INT_DIGITS or (digits[0] == c"0" and at - digits > 1):
        return NULL
    if at[0] != c"." and at[0] != c"e" and at[0] != c"E":
        if digits != start:
            if number == 0:
                return NULL             # -0
            number = -number
        where[0] = at
        if real_wanted:                 # an int is a float in either mode, exactly so up to 2**53
            if not -9007199254740992 <= number <= 9007199254740992:
                return NULL
            return PyFloat_FromDouble(<double> number)
        return PyLong_FromLongLong(number)
    if at[0] == c".":
        at += 1
        digits = at
        while _is_digit(at[0]):
            at += 1
        if at == digits:
            return NULL
    if at[0] == c"e" or at[0] == c"E":
        at += 1
        if at[0] == c"-" or at[0] == c"+":
            at += 1
        digits = at
        while _is_digit(at[0]):
            at += 1
        if at == digits:
            return NULL
    if at - start > NUMBER_LENGTH:
        return NULL
    real = PyOS_string_to_double(<const char*> start, &end, NULL)
    if <const unsigned char*> end != at or not isfinite(real):
        return NULL
    where[0] = at
    return PyFloat_FromDouble(real)


cdef PyObject* _read_value(const unsigned char** where, bint real_wanted) noexcept:
    """The scalar at *where* as a new reference, as _read_number."""
    cdef const unsigned char* at = where[0]
    cdef const unsigned char* end
    cdef PyObject* found
    if at[0] == c'"':
        end = _text_end(at + 1)
        if end == NULL:
            return NULL
        where[0] = end + 1
        return PyUnicode_DecodeUTF8(<const char*> at + 1, end - at - 1, NULL)
    if at[0] == c"-" or _is_digit(at[0]):
        return _read_number(where, real_wanted)
    # the NUL behind the data ends a comparison early
    if at[0] == c"t" and at[1] == c"r" and at[2] == c"u" and at[3] == c"e":
        found = Py_True
        at += 4
    elif at[0] == c"f" and at[1] == c"a" and at[2] == c"l" and at[3] == c"s" and at[4] == c"e":
        found = Py_False
        at += 5
    elif at[0] == c"n" and at[1] == c"u" and at[2] == c"l" and at[3] == c"l":
        found = <PyObject*> None
        at += 4
    else:
        return NULL
    where[0] = at
    Py_INCREF(found)
    return found


cdef inline void _fill(PyObject* instance, Py_ssize_t offset, PyObject* owned) noexcept:
    """Hand *owned* to an empty slot of a new instance."""
    (<PyObject**> (<char*> instance + offset))[0] = owned


include "known.pxi"


@cython.final
@cython.no_gc_clear     # borrowed names and the class must outlive any finaliser that still calls us
cdef class InputsBuilder:
    """Builds instances of one model, from an ``InputsSpec`` of ``core.inputs``.

    *renew* gives the builder of a model whose validator was replaced (``model_rebuild``).
    """

    # Not in __init__, which __new__ alone leaves out and anybody may call again.
    def __cinit__(self, spec, renew=None):
        cdef Py_ssize_t i
        cdef Field* field
        self._fields = NULL
        self._own = NULL
        self._spares = 0
        if spec.level < 3 and (SLOT_FIELDS_SET == 0 or SLOT_EXTRA == 0 or SLOT_PRIVATE == 0):
            _locate()
        self.spec = spec
        self.model = spec.model
        self.validator = spec.validator
        self.level = spec.level
        self.reason = spec.reason
        self.guarded = spec.level == 1
        self.names = tuple([item.name for item in spec.fields])
        self._renew = renew
        self._call = None
        self._call_json = None
        self._whole = False
        self._next = None
        self._tag = 0
        self._shares_keys = False
        self._total = len(self.names)
        self._index = {}
        self._template = {}
        self._all_set = set()
        self._memo = [None] * (CLASSES * self._total)
        self._judging = self.guarded
        self._fields = <Field*> PyMem_Calloc(self._total + 1, sizeof(Field))
        self._own = <Own*> PyMem_Calloc(self._total + 1, sizeof(Own))
        if self._fields == NULL or self._own == NULL:
            raise MemoryError()
        for i, item in enumerate(spec.fields):
            field = &self._fields[i]
            field.name = <PyObject*> self.names[i]
            field.text = PyUnicode_AsUTF8AndSize(field.name, &field.text_length)
            if field.text == NULL:
                PyErr_Clear()
            field.code = item.code
            field.optional = item.optional
            field.bounded = item.bounded
            field.finite = item.finite
            field.required = item.required
            field.judged = item.judged
            field.lo = item.lo
            field.hi = item.hi
            field.flo = item.flo
            field.fhi = item.fhi
            field.min_length = item.min_length
            field.max_length = item.max_length
            if item.known is not None:
                _learn_own(&self._own[i], item.known)
                field.own = &self._own[i]
                self._converts = True
            self._index[item.name] = i
            self._template[item.name] = item.default
            self._all_set.add(item.name)
        if self.level == 1 and self._total > FA_FIELDS:
            raise ValueError(f"more than {FA_FIELDS} fields")
        self._placed = self.guarded and not FA_FREE_THREADED and self._find_places() and self._places_hold()

    def __dealloc__(self):
        PyMem_Free(self._fields)
        PyMem_Free(self._own)
        while self._spares:
            self._spares -= 1
            Py_DECREF(self._spare[self._spares])

    def __reduce__(self):
        raise TypeError("an InputsBuilder belongs to its model and is not pickled")

    def __repr__(self):
        return f"InputsBuilder({self.model.__name__}, level={self.level})"

    # -- Python's doors ------------------------------------------------------------------

    def build(self, /, **raw):
        """Return a valid instance of the model, or raise what building it in Python raises."""
        return FA_OWN(self.make_dict(<PyObject*> raw))

    cpdef object build_dict(self, dict raw):
        """``build(**raw)``; *raw* is not changed, and only an error about a missing field refers to it."""
        if raw is None:
            raise TypeError("Argument 'raw' has incorrect type (expected dict, got NoneType)")
        return FA_OWN(self.make_dict(<PyObject*> raw))

    def build_args(self, tuple names not None, tuple values not None):
        """``build(**dict(zip(names, values)))`` without making that dict where the guard applies."""
        if len(names) != len(values):
            raise ValueError(f"{len(names)} names for {len(values)} values")
        return FA_OWN(self.make_kw((<PyTupleObject*> values).ob_item, <PyObject*> names))

    def judge_args(self, tuple names not None, tuple values not None):
        """Return (what ``build_args`` makes, None), or (None, rows) where a verdict on them is known.

        A row is (path, symbol, message, context) of one error, as in ``errors_from_validation``.
        """
        cdef PyObject* made
        cdef PyObject* raw = NULL
        cdef PyObject* verdict = NULL
        if len(names) != len(values):
            raise ValueError(f"{len(names)} names for {len(values)} values")
        made = self.make_kw_from((<PyTupleObject*> values).ob_item, <PyObject*> names, &raw, &verdict)
        Py_XDECREF(raw)
        if verdict != NULL:
            return None, FA_OWN(verdict)
        return FA_OWN(made), None

    cpdef object build_json(self, data):
        """``build_dict`` of a JSON object in bytes, bytearray or str, read by pydantic-core."""
        return FA_OWN(self.make_json(data))

    def current(self):
        """Return the builder of the model's present validator: this one unless the model was rebuilt."""
        return self if self._is_current() else _successor(self)

    # -- C's doors (guards.pxd) ----------------------------------------------------------

    cdef object build_kw(self, PyObject* const* values, object kwnames):
        return FA_OWN(self.make_kw(values, <PyObject*> kwnames))

    cdef PyObject* make_kw(self, PyObject* const* values, PyObject* kwnames) noexcept:
        cdef PyObject* made
        cdef PyObject* raw
        if not self._is_current():
            raw = _pack(values, kwnames)
            if raw == NULL:
                return NULL
            made = self.make_dict(raw)
            Py_DECREF(raw)
            return made
        if self.guarded:
            made = self._guard_kw(values, kwnames)
            if made != NULL or PyErr_Occurred() != NULL:
                return made
        raw = _pack(values, kwnames)
        if raw == NULL:
            return NULL
        made = self._validate(raw)
        Py_DECREF(raw)
        return made

    cdef PyObject* make_kw_from(
        self, PyObject* const* values, PyObject* kwnames, PyObject** raw, PyObject** verdict
    ) noexcept:
        cdef unsigned char classes[FA_FIELDS]
        cdef Py_ssize_t count
        cdef PyObject* made
        if not (self.guarded and self._is_current()):
            raw[0] = _pack(values, kwnames)
            return NULL if raw[0] == NULL else self.make_dict(raw[0])
        made = self._guard_kw(values, kwnames)
        if made != NULL and self._converts:
            raw[0] = _pack(values, kwnames)
            if raw[0] == NULL:
                Py_DECREF(made)
                made = NULL
        if made != NULL or PyErr_Occurred() != NULL:
            return made
        count = self._sort_out(values, kwnames, classes) if verdict != NULL and self._judging else 0
        if self._converts and PyErr_Occurred() != NULL:
            return NULL
        if count > 0:
            made = self._rows(classes, count)
            if made != NULL:
                verdict[0] = made
                return NULL
            if PyErr_Occurred() != NULL:
                return NULL
        raw[0] = _pack(values, kwnames)
        if raw[0] == NULL:
            return NULL
        return self._make_and_learn(raw[0], classes) if count > 0 else self.make_dict(raw[0])

    cdef void take_back(self, PyObject* instance) noexcept:
        cdef PyObject* names
        if not self.guarded or Py_TYPE(instance) != <PyTypeObject*> self.model or self._spares == FA_SPARES:
            return
        names = FA_TAKE_SET(instance, SLOT_FIELDS_SET, <PyObject*> self._all_set)
        if names != NULL:
            self._spare[self._spares] = names
            self._spares += 1

    cdef PyObject* make_dict(self, PyObject* raw) noexcept:
        cdef PyObject* made
        cdef PyObject* other
        if not self._is_current():
            other = PyObject_CallOneArg(<PyObject*> _SUCCESSOR, <PyObject*> self)
            if other == NULL:
                return NULL
            made = (<InputsBuilder> other)._make_dict(raw)
            Py_DECREF(other)
            return made
        return self._make_dict(raw)

    cdef PyObject* _make_dict(self, PyObject* raw) noexcept:
        cdef PyObject* made
        cdef PyObject* own = NULL
        if FA_FREE_THREADED or self.level == 3:
            # another thread may change it while we look, a validator around the model may change it itself
            own = raw = PyDict_Copy(raw)
            if own == NULL:
                return NULL
        made = self._guard_dict(raw) if self.guarded else NULL
        if made == NULL and (not self.guarded or PyErr_Occurred() == NULL):
            made = self._validate(raw)
        Py_XDECREF(own)
        return made

    cdef PyObject* make_json(self, object data) noexcept:
        cdef PyObject* made
        cdef PyObject* other
        if self._is_current():
            return self._make_json(<PyObject*> data)
        other = PyObject_CallOneArg(<PyObject*> _SUCCESSOR, <PyObject*> self)
        if other == NULL:
            return NULL
        made = (<InputsBuilder> other)._make_json(<PyObject*> data)
        Py_DECREF(other)
        return made

    cdef PyObject* _make_json(self, PyObject* data) noexcept:
        cdef PyObject* answer
        if self.guarded:
            answer = self._guard_json(data)
            if answer != NULL or PyErr_Occurred() != NULL:
                return answer
        if self._call is None:
            answer = PyObject_CallOneArg(<PyObject*> _PREPARE, <PyObject*> self)
            if answer == NULL:
                return NULL
            Py_DECREF(answer)
        answer = PyObject_CallOneArg(<PyObject*> self._call_json, data)
        return answer if self._whole else self._take_parts(answer)

    # -- level 1 -------------------------------------------------------------------------

    cdef PyObject* _guard_kw(self, PyObject* const* values, PyObject* kwnames) noexcept:
        cdef PyObject* given[FA_FIELDS]
        cdef Py_ssize_t i, at, count = PyTuple_GET_SIZE(kwnames), total = self._total
        if count > total:
            return NULL
        i = 0
        if count == total and not self._converts:   # the usual call: all fields, in order
            while i < total:
                if PyTuple_GET_ITEM(kwnames, i) != self._fields[i].name:
                    break
                if not _accepts(&self._fields[i], values[i]):
                    return NULL
                i += 1
            if i == total:
                return self._assemble(values, count)
        memset(given, 0, total * sizeof(PyObject*))
        at = -1
        for i in range(count):
            at = self._find(PyTuple_GET_ITEM(kwnames, i), at + 1)
            if at < 0 or given[at] != NULL or not (self._converts or _accepts(&self._fields[at], values[i])):
                return NULL
            given[at] = values[i]
        return self._convert(given, count) if self._converts else self._assemble(given, count)

    cdef PyObject* _guard_dict(self, PyObject* raw) noexcept:
        cdef PyObject* given[FA_FIELDS]
        cdef PyObject* key
        cdef PyObject* value
        cdef PyObject* made = NULL
        cdef Py_ssize_t i, at = -1, step = 0, total = self._total, count = PyDict_GET_SIZE(raw)
        if count > total:
            return NULL
        memset(given, 0, total * sizeof(PyObject*))
        while PyDict_Next(raw, &step, &key, &value):
            at = self._find(key, at + 1)
            if at < 0 or not (self._converts or _accepts(&self._fields[at], value)):
                break
            given[at] = value
        else:
            if self._converts:
                return self._convert(given, count)
            for i in range(total):      # a collection while we allocate may run code that changes raw
                if given[i] != NULL:
                    Py_INCREF(given[i])
            made = self._assemble(given, count)
            for i in range(total):
                Py_XDECREF(given[i])
        return made

    cdef PyObject* _guard_json(self, PyObject* data) noexcept:
        """Level 1 for a flat JSON object of known fields; what it does not know is read by pydantic-core."""
        cdef PyObject* given[FA_FIELDS]
        cdef PyObject* made = NULL
        cdef const unsigned char* text
        cdef Py_ssize_t i, count = 0, total = self._total
        if PyBytes_CheckExact(data):
            text = <const unsigned char*> PyBytes_AS_STRING(data)
            i = PyBytes_GET_SIZE(data)
        elif PyUnicode_CheckExact(data) and FA_STR_READY(data) and PyUnicode_IS_ASCII(data):
            text = <const unsigned char*> PyUnicode_DATA(data)
            i = PyUnicode_GET_LENGTH(data)
        else:
            return NULL
        memset(given, 0, total * sizeof(PyObject*))
        if self._read_object(text, text + i, given, &count):
            made = self._assemble(given, count)
        elif PyErr_Occurred() != NULL and PyErr_ExceptionMatches(<PyObject*> Exception):
            PyErr_Clear()       # no UTF-8: pydantic-core says so in its own way
        for i in range(total):
            Py_XDECREF(given[i])
        return made

    cdef bint _read_object(
        self, const unsigned char* at, const unsigned char* end, PyObject** given, Py_ssize_t* count
    ) noexcept:
        """Read the object into *given*, new references; False: it is not known here, or not valid."""
        cdef const unsigned char* name
        cdef Field* field
        cdef PyObject* text
        cdef Py_ssize_t length, index = -1, tried
        at = _skip(at)
        if at[0] != c"{":
            return False
        at = _skip(at + 1)
        if at[0] == c"}":
            return _skip(at + 1) == end
        while True:
            if at[0] != c'"':
                return False
            name = at + 1
            at = _text_end(name)
            if at == NULL:
                return False
            length = at - name
            for tried in range(self._total):
                index += 1
                if index >= self._total:
                    index = 0
                field = &self._fields[index]
                if field.text_length == length and field.text != NULL and memcmp(field.text, name, length) == 0:
                    break
            else:
                return False
            if given[index] != NULL:
                return False
            at = _skip(at + 1)
            if at[0] != c":":
                return False
            at = _skip(at + 1)
            given[index] = _read_value(&at, field.code == CODE_FLOAT)
            if given[index] == NULL:
                return False
            if field.own != NULL:
                text = given[index]
                given[index] = _own_value(field, text)
                Py_DECREF(text)
                if given[index] == NULL:
                    return False
            elif not _accepts(field, given[index]):
                return False
            count[0] += 1
            at = _skip(at)
            if at[0] == c"}":
                return _skip(at + 1) == end
            if at[0] != c",":
                return False
            at = _skip(at + 1)

    cdef Py_ssize_t _sort_out(
        self, PyObject* const* values, PyObject* kwnames, unsigned char* classes
    ) noexcept:
        """Give each field its class of failure; return how many fail, 0 where there is any doubt."""
        cdef Py_ssize_t i, at = -1, failing = 0, total = self._total
        memset(classes, UNKNOWN, total)
        for i in range(PyTuple_GET_SIZE(kwnames)):
            at = self._find(PyTuple_GET_ITEM(kwnames, i), at + 1)
            if at < 0 or classes[at] != UNKNOWN:
                return 0
            classes[at] = _classify(&self._fields[at], values[i])
            if classes[at] == UNKNOWN:
                return 0
            failing += classes[at] != RIGHT
        for i in range(total):
            if classes[i] == UNKNOWN:
                classes[i] = MISSING if self._fields[i].required else RIGHT
                failing += classes[i] != RIGHT
        return failing

    cdef PyObject* _rows(self, const unsigned char* classes, Py_ssize_t count) noexcept:
        """The rows of these failures, in pydantic's order; NULL without an exception: one is not known yet."""
        cdef PyObject* rows = PyTuple_New(count)
        cdef PyObject* row
        cdef Py_ssize_t i, at = 0
        if rows == NULL:
            return NULL
        for i in range(self._total):
            if classes[i] == RIGHT:
                continue
            row = PyList_GET_ITEM(<PyObject*> self._memo, i * CLASSES + classes[i])
            if row == <PyObject*> None:
                Py_DECREF(rows)
                return NULL
            Py_INCREF(row)
            PyTuple_SET_ITEM(rows, at, row)
            at += 1
        FA_UNTRACK(rows)        # texts alone: a kept outcome leaves nothing to the collector
        return rows

    cdef PyObject* _make_and_learn(self, PyObject* raw, const unsigned char* classes) noexcept:
        """Let pydantic refuse *raw*, and keep the rows it gives for these failures."""
        cdef PyObject* found
        cdef PyObject* learnt
        cdef PyObject* error
        cdef PyObject* made = self._validate(raw)
        if made != NULL:
            self._judging = False
            return made
        error = fa_raised()
        found = PyBytes_FromStringAndSize(<const char*> classes, self._total)
        learnt = NULL if found == NULL else PyObject_CallFunctionObjArgs(
            <PyObject*> _LEARN, <PyObject*> self, error, found, NULL
        )
        if learnt == NULL:
            PyErr_Clear()           # the answer is pydantic's error, however learning went
            self._judging = False
        Py_XDECREF(learnt)
        Py_XDECREF(found)
        fa_raise_again(error)
        return NULL

    cdef Py_ssize_t _find(self, PyObject* name, Py_ssize_t hint) noexcept:
        """Index of the field called *name*, or -1; a str subclass has no index."""
        cdef Py_ssize_t i
        cdef PyObject* found
        if hint < self._total and self._fields[hint].name == name:
            return hint
        for i in range(self._total):
            if self._fields[i].name == name:
                return i
        if not PyUnicode_CheckExact(name):
            return -1
        found = PyDict_GetItem(<PyObject*> self._index, name)
        return -1 if found == NULL else PyLong_AsSsize_t(found)

    cdef PyObject* _convert(self, PyObject** given, Py_ssize_t count) noexcept:
        """``_assemble`` of what the fields make of *given*, which is borrowed; NULL where one does not take it."""
        cdef PyObject* made = NULL
        cdef PyObject* value
        cdef Py_ssize_t i
        for i in range(self._total):    # what is called below may let go of them
            Py_XINCREF(given[i])
        for i in range(self._total):
            value = given[i]
            if value == NULL:
                continue
            if self._fields[i].own == NULL:
                if not _accepts(&self._fields[i], value):
                    break
                continue
            given[i] = _own_value(&self._fields[i], value)
            Py_DECREF(value)
            if given[i] == NULL:
                break
        else:
            made = self._assemble(given, count)
        for i in range(self._total):
            Py_XDECREF(given[i])
        return made

    cdef PyObject* _assemble(self, PyObject* const* given, Py_ssize_t count) noexcept:
        """The instance whose field i is given[i], or its default where that is NULL."""
        cdef Py_ssize_t i, total = self._total
        cdef PyObject* made
        cdef PyObject* values
        cdef PyObject* names
        if count != total:
            for i in range(total):
                if given[i] == NULL and self._fields[i].required:
                    return NULL
        if count != total:
            names = PySet_New(NULL)
        elif self._spares:
            self._spares -= 1
            names = self._spare[self._spares]
        else:
            names = FA_SET_LIKE(<PyObject*> self._all_set)
        if names == NULL:
            return NULL
        if count != total:
            for i in range(total):
                if given[i] != NULL and PySet_Add(names, self._fields[i].name) < 0:
                    Py_DECREF(names)
                    return NULL
        if self._shares_keys and count == total:
            # No dict at all until somebody asks for it (bench cases "simple run", "eight scalar fields").
            made = self._blank()
            if made != NULL:
                for i in range(total):
                    if PyObject_GenericSetAttr(made, self._fields[i].name, given[i]) < 0:
                        Py_DECREF(made)
                        made = NULL
                        break
            if made == NULL:
                Py_DECREF(names)
                return NULL
            _fill(made, SLOT_FIELDS_SET, names)
            Py_INCREF(<PyObject*> None)
            _fill(made, SLOT_EXTRA, <PyObject*> None)
            Py_INCREF(<PyObject*> None)
            _fill(made, SLOT_PRIVATE, <PyObject*> None)
            return made
        values = PyDict_Copy(<PyObject*> self._template)
        if values != NULL and self._placed:
            self._place(values, given)
        elif values != NULL:
            for i in range(total):
                if given[i] != NULL and PyDict_SetItem(values, self._fields[i].name, given[i]) < 0:
                    Py_DECREF(values)
                    values = NULL
                    break
        if values == NULL:
            Py_DECREF(names)
            return NULL
        Py_INCREF(<PyObject*> None)
        return self._instance(values, <PyObject*> None, names)

    cdef inline void _place(self, PyObject* values, PyObject* const* given) noexcept:
        """Put what is given into a fresh copy of the template, which nobody else has seen."""
        cdef char* keys = FA_KEYS(values)
        cdef PyObject** place
        cdef PyObject* default
        cdef Py_ssize_t i
        for i in range(self._total):
            if given[i] != NULL:
                place = <PyObject**> (keys + self._fields[i].place)
                default = place[0]
                Py_INCREF(given[i])
                place[0] = given[i]
                if self._fields[i].code >= CODE_ANY:
                    FA_HOLDS(values, given[i])
                Py_DECREF(default)

    cdef bint _find_places(self) except -1:
        """Find out where a copy of the template keeps the value of each field; false where that is not to be seen.

        No function of CPython tells, and to set an item that is known to be there costs most of a run. So no
        layout is assumed: in a copy whose values are marks, each pair of a name and its mark is looked for.
        """
        cdef dict sample = self._template.copy()
        cdef char* keys = FA_KEYS(<PyObject*> sample)
        cdef Py_ssize_t i, at, last = dict.__sizeof__(sample) - dict.__basicsize__ - 2 * <Py_ssize_t> sizeof(PyObject*)
        cdef PyObject** pair
        for i in range(self._total):
            mark = object()
            sample[self.names[i]] = mark
            for at in range(0, last + 1, sizeof(PyObject*)):
                pair = <PyObject**> (keys + at)
                if pair[0] == self._fields[i].name and pair[1] == <PyObject*> mark:
                    self._fields[i].place = at + <Py_ssize_t> sizeof(PyObject*)
                    break
            else:
                return False
        return True

    cdef bint _places_hold(self) except -1:
        """Whether values put there are those that the dict has, in order."""
        cdef PyObject* given[FA_FIELDS]
        cdef Py_ssize_t i
        cdef dict sample = self._template.copy()
        cdef list marks = [object() for _ in self.names]
        for i in range(self._total):
            given[i] = <PyObject*> marks[i]
        self._place(<PyObject*> sample, given)
        return sample == dict(zip(self.names, marks)) and list(sample.values()) == marks

    cdef PyObject* _blank(self) noexcept:
        cdef PyTypeObject* model = <PyTypeObject*> self.model
        return model.tp_new(model, <PyObject*> _NO_ARGUMENTS, NULL)

    cdef PyObject* _instance(self, PyObject* values, PyObject* extra, PyObject* names) noexcept:
        """A new instance holding these three; their references are taken over."""
        cdef PyObject* made = self._blank()
        if made == NULL or PyObject_GenericSetDict(made, values, NULL) < 0:
            Py_XDECREF(made)
            Py_DECREF(values)
            Py_DECREF(extra)
            Py_DECREF(names)
            return NULL
        Py_DECREF(values)
        _fill(made, SLOT_FIELDS_SET, names)
        _fill(made, SLOT_EXTRA, extra)
        Py_INCREF(<PyObject*> None)
        _fill(made, SLOT_PRIVATE, <PyObject*> None)
        return made

    cdef bint _probe(self) noexcept:
        """Whether instances keep all fields beside the keys of their class: not once those are used up.

        A class shares at most 30 keys, and keys nobody used before its first few instances were made are not added.
        """
        cdef Py_ssize_t i
        cdef bint shares
        cdef PyObject* sample
        if _PyType_Lookup(<PyTypeObject*> self.model, <PyObject*> _FINALISER) != NULL:
            return False
        for i in range(self._total):    # a data descriptor of that name would be called
            if _PyType_Lookup(<PyTypeObject*> self.model, self._fields[i].name) != NULL:
                return False
        sample = self._blank()
        if sample == NULL:
            PyErr_Clear()
            return False
        shares = True
        for i in range(self._total):
            if PyObject_GenericSetAttr(sample, self._fields[i].name, <PyObject*> None) < 0:
                PyErr_Clear()
                shares = False
                break
        shares = shares and FA_SHARES_KEYS(sample)
        Py_DECREF(sample)
        return shares

    # -- levels 2 and 3 ------------------------------------------------------------------

    cdef PyObject* _validate(self, PyObject* raw) noexcept:
        cdef PyObject* answer
        if self._call is None:
            answer = PyObject_CallOneArg(<PyObject*> _PREPARE, <PyObject*> self)
            if answer == NULL:
                return NULL
            Py_DECREF(answer)
        answer = PyObject_CallOneArg(<PyObject*> self._call, raw)
        return answer if self._whole else self._take_parts(answer)

    cdef PyObject* _take_parts(self, PyObject* parts) noexcept:
        """The instance of (values, extra, names), a tuple that is taken over; NULL stays NULL."""
        cdef PyObject* values
        cdef PyObject* extra
        cdef PyObject* names
        if parts == NULL:
            return NULL
        values = PyTuple_GET_ITEM(parts, 0)
        extra = PyTuple_GET_ITEM(parts, 1)
        names = PyTuple_GET_ITEM(parts, 2)
        Py_INCREF(values)
        Py_INCREF(extra)
        Py_INCREF(names)
        Py_DECREF(parts)
        return self._instance(values, extra, names)

    # -- a model that was rebuilt --------------------------------------------------------

    cdef bint _is_current(self) noexcept:
        cdef PyTypeObject* model = <PyTypeObject*> self.model
        if model.tp_version_tag == self._tag and self._tag != 0:
            return True
        return self._compare()

    cdef bint _compare(self) noexcept:
        """The class was changed: look at its validator, and remember the new tag if that is still ours."""
        cdef PyTypeObject* model = <PyTypeObject*> self.model
        cdef unsigned int tag
        if not self._is_ours():
            return False
        self._tag = 0
        tag = model.tp_version_tag      # looking has given the class one
        self._shares_keys = tag != 0 and self.guarded and self._probe()
        # Without a GIL another thread may have changed the class before its tag was read.
        if not FA_FREE_THREADED or (self._is_ours() and tag == model.tp_version_tag):
            self._tag = tag
        return True

    cdef bint _is_ours(self) noexcept:
        cdef PyObject* now = PyObject_GetAttr(<PyObject*> self.model, <PyObject*> _VALIDATOR)
        if now == NULL:
            PyErr_Clear()
            return False
        Py_DECREF(now)
        return now == <PyObject*> self.validator


cdef PyObject* _pack(PyObject* const* values, PyObject* kwnames) noexcept:
    """The arguments as a new dict, as Python would pass them to ``**raw``."""
    cdef Py_ssize_t i
    cdef PyObject* raw = PyDict_New()
    if raw == NULL:
        return NULL
    for i in range(PyTuple_GET_SIZE(kwnames)):
        if PyDict_SetItem(raw, PyTuple_GET_ITEM(kwnames, i), values[i]) < 0:
            Py_DECREF(raw)
            return NULL
    return raw


def _prepare(InputsBuilder builder not None):
    """Make the validator call of this builder, when the first arguments need it."""
    whole, call, call_json = builder.spec.validation()
    with cython.critical_section(builder):      # calls are lent out: those that are there stay
        if builder._call is None:
            builder._whole = whole
            builder._call_json = call_json
            builder._call = call


def _successor(InputsBuilder builder not None) -> InputsBuilder:
    """The builder of the model's present validator, kept because a plan may hold the old one."""
    cdef InputsBuilder found
    with cython.critical_section(builder):
        found = builder._next
    if found is None or not found._is_current():
        if builder._renew is None:
            raise RuntimeError(f"the validator of {builder.model.__name__} was replaced")
        found = builder._renew(builder.model)
        with cython.critical_section(builder):
            builder._next = found
    return found


def _learn(InputsBuilder builder not None, error, bytes classes not None):
    """Keep the row of each failure in *classes* (one per field); judge no more if *error* has other rows."""
    cdef Py_ssize_t i, at
    from pydantic_core import ValidationError

    from foobara_accel._reports import validation_rows

    if not isinstance(error, ValidationError):
        return
    failing = [i for i in range(len(classes)) if classes[i] != RIGHT]
    rows = [(path, symbol, message, context)
            for symbol, path, message, context in validation_rows(error, False, None)]
    expected = [(builder.names[i],) for i in failing]
    if [row[0] for row in rows] != expected or any(
        row[1] not in _SYMBOLS[classes[i]] or builder._memo[i * CLASSES + classes[i]] not in (None, row)
        for i, row in zip(failing, rows)
    ):
        builder._judging = False
        return
    with cython.critical_section(builder):      # rows are lent out: one that is there stays
        for i, row in zip(failing, rows):
            at = i * CLASSES + classes[i]
            if builder._memo[at] is None:
                builder._memo[at] = row


cdef object _LEARN = _learn
cdef object _PREPARE = _prepare
cdef object _SUCCESSOR = _successor


cdef enum:
    RECENT = 64


cdef class ClassEntry:
    """A class in the table of ``types.cache``: weakly; does it carry its validator; when it was used."""

    cdef readonly object ref
    cdef readonly bint carries
    cdef public long long used

    def __init__(self, ref, bint carries):
        if not PyWeakref_CheckRef(<PyObject*> ref):
            raise TypeError(f"ref is a weak reference, not {type(ref).__name__}")
        self.ref = ref
        self.carries = carries
        self.used = 0


cdef class FixedEntry:
    """An expression or class that the table keeps, and its validator; None if models in it may be rebuilt."""

    cdef public object target
    cdef public object validator
    cdef public long long used

    def __init__(self, target, validator):
        self.target = target
        self.validator = validator
        self.used = 0


@cython.final
cdef class Finder:
    """The usual hits of one table of ``types.cache``, and its clock; *miss* answers everything else.

    Bench case "get_validator, a hit".
    """

    cdef dict _entries
    cdef list _recent                   # entries of classes that carry their validator, by where a class is
    cdef object _miss
    cdef PyObject* _built
    cdef object _built_type
    cdef long long _clock

    def __cinit__(self, dict entries not None, miss):
        from pydantic_core import SchemaValidator

        self._entries = entries
        self._recent = [None] * RECENT
        self._miss = miss
        self._built_type = SchemaValidator
        self._built = <PyObject*> SchemaValidator
        self._clock = 0

    def draw(self):
        """Return 0, 1, 2 ..., a number for each use."""
        self._clock += 1
        return self._clock - 1

    def restart(self):
        """Draw 0 next."""
        self._clock = 0

    def forget(self):
        """Answer from the table alone, after an entry has left it."""
        self._recent = [None] * RECENT

    def get_validator(self, type_name):
        """Return the built validator of a class, a registered name or a type expression.

        Raises TypeExpressionError for text that is no known type, TypeError for what is no type and
        ValidatorBuildError when pydantic cannot build it; a failure is not remembered.
        """
        cdef PyObject* found
        cdef PyObject* cls = <PyObject*> type_name
        cdef Py_ssize_t at = (<size_t> cls >> 4 ^ <size_t> cls >> 10) % RECENT
        cdef FixedEntry fixed
        found = PyList_GET_ITEM(<PyObject*> self._recent, at)
        if found != <PyObject*> None:
            found = self._carried(<ClassEntry> found, cls)
            if found != NULL:
                return <object> found
        key = PyLong_FromVoidPtr(cls)
        found = PyDict_GetItem(<PyObject*> self._entries, <PyObject*> key)
        if found != NULL and isinstance(<object> found, ClassEntry):
            entry = <object> found
            found = self._carried(<ClassEntry> entry, cls)
            if found != NULL:
                self._recent[at] = entry
                return <object> found
        elif found != NULL and isinstance(<object> found, FixedEntry):
            fixed = <FixedEntry> <object> found
            if fixed.target is type_name and fixed.validator is not None:
                fixed.used = self._clock
                self._clock += 1
                return fixed.validator
        return self._miss(type_name)

    cdef inline PyObject* _carried(self, ClassEntry entry, PyObject* cls) noexcept:
        """The validator that *cls* carries, borrowed; NULL where that is not what *entry* says of it."""
        cdef PyObject* found
        # An id is given again once its class has gone; only a class made by Python code carries a
        # validator, and has its dict where we look.
        if (
            FA_FREE_THREADED
            or not entry.carries
            or not FA_REFERS(<PyObject*> entry.ref, cls)
            or not PyType_GetFlags(<PyTypeObject*> cls) & Py_TPFLAGS_HEAPTYPE
        ):
            return NULL
        found = PyDict_GetItem((<PyTypeObject*> cls).tp_dict, <PyObject*> _VALIDATOR)
        if found == NULL or Py_TYPE(found) != <PyTypeObject*> self._built:
            return NULL
        entry.used = self._clock
        self._clock += 1
        return found
