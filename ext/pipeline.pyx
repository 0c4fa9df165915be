# cython: language_level=3, binding=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The processors of a FoobaraType in one call, compiled. Twin of foobara_accel._pure.pipeline.

1. What a type does is written once, in Python: ``process`` of the type (here *whole*) and of each processor. This
   does the same without calling them where a processor is a stock one and the value is of the exact built-in type
   that the processor is for; whatever is not so, and whatever fails, is left to the processor's own ``process``.
2. Nothing is kept of a type between two calls: its lists are read as they are walked, a processor's attributes when
   it has its turn. So a change of a list, an attribute, a method of a class or an instance is seen at once.
3. Elements of a list and the keys and values of a dict go round in here; where one fails, *locate* says what is
   raised instead (of the types of this package; none for those of foobara_py).
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject

import re
from datetime import date, datetime
from uuid import UUID

__all__ = ["PROCESSORS", "processing"]


cdef extern from *:
    """
    #include "foobara_accel/calls.h"
    #include "foobara_accel/texts.h"

    static inline unsigned int fa_tag(PyObject *cls) {
        PyTypeObject *type = (PyTypeObject *)cls;
    #if defined(Py_GIL_DISABLED)
        return 0;
    #elif PY_VERSION_HEX < 0x030C0000
        if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) return 0;
    #endif
        return type->tp_version_tag;
    }

    /* Whether attributes are looked up as object does it: the type, then the instance. */
    static inline int fa_is_plain(PyTypeObject *type) { return type->tp_getattro == PyObject_GenericGetAttr; }

    /* What the MRO holds under the name, unbound; a function is what it is on the class. A new reference, or NULL
       without an exception. */
    static inline PyObject *fa_held(PyTypeObject *type, PyObject *name) {
    #ifdef Py_GIL_DISABLED
        PyObject *found;
        if (PyObject_GetOptionalAttr((PyObject *)type, name, &found) < 0) PyErr_Clear();
    #else
        PyObject *found = _PyType_Lookup(type, name);
        Py_XINCREF(found);
    #endif
        return found;
    }

    static inline int fa_has_dict(PyTypeObject *type) {
    #if PY_VERSION_HEX >= 0x030C0000
        if (PyType_HasFeature(type, Py_TPFLAGS_MANAGED_DICT)) return 1;
    #endif
        return type->tp_dictoffset != 0;
    }

    static inline int fa_sets(PyObject *found) { return Py_TYPE(found)->tp_descr_set != NULL; }

    /* A new reference; NULL without an exception: it is not there. */
    static inline PyObject *fa_item(PyObject *names, PyObject *name) {
    #if PY_VERSION_HEX >= 0x030D0000 && defined(Py_GIL_DISABLED)
        PyObject *found;
        if (PyDict_GetItemRef(names, name, &found) < 0) PyErr_Clear();
        return found;
    #else
        PyObject *found = PyDict_GetItemWithError(names, name);
        if (found == NULL && PyErr_Occurred()) PyErr_Clear();
        Py_XINCREF(found);
        return found;
    #endif
    }

    /* The item of a list that may have become shorter: NULL without an exception. */
    static inline PyObject *fa_at(PyObject *list, Py_ssize_t index) {
    #if PY_VERSION_HEX >= 0x030D0000 && defined(Py_GIL_DISABLED)
        PyObject *found = PyList_GetItemRef(list, index);
        if (found == NULL) PyErr_Clear();
    #else
        PyObject *found = index < PyList_GET_SIZE(list) ? PyList_GET_ITEM(list, index) : NULL;
        Py_XINCREF(found);
    #endif
        return found;
    }

    static inline Py_ssize_t fa_sized(PyObject *value) {
        if (PyUnicode_CheckExact(value)) return PyUnicode_GET_LENGTH(value);
        if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) return PyObject_Size(value);
        return PyDict_CheckExact(value) ? PyDict_GET_SIZE(value) : -1;
    }

    /* An exact int or float, but not NaN. */
    static inline int fa_is_number(PyObject *value) {
        if (PyFloat_CheckExact(value)) return PyFloat_AS_DOUBLE(value) == PyFloat_AS_DOUBLE(value);
        return PyLong_CheckExact(value);
    }

    /* Whether one exact int or float is below another, as < says it; -1: an exception. */
    static inline int fa_below(PyObject *one, PyObject *other) {
        if (PyFloat_CheckExact(one) && PyFloat_CheckExact(other))
            return PyFloat_AS_DOUBLE(one) < PyFloat_AS_DOUBLE(other);
        if (PyLong_CheckExact(one) && PyLong_CheckExact(other)) {
            int far = 0, farther = 0;
            long long a = PyLong_AsLongLongAndOverflow(one, &far), b = PyLong_AsLongLongAndOverflow(other, &farther);
            if (!far && !farther) return a < b;
        }
        return PyObject_RichCompareBool(one, other, Py_LT);
    }

    /* Whether the exception that is set is one of those that values are refused with. */
    static inline int fa_refuses(void) {
        return PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError)
            || PyErr_ExceptionMatches(PyExc_ArithmeticError) || PyErr_ExceptionMatches(PyExc_AttributeError);
    }

    static inline PyObject *fa_process(PyObject *processor, PyObject *name, PyObject *value) {
        PyObject *arguments[3] = {NULL, processor, value};
        return PyObject_VectorcallMethod(name, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }

    static inline PyObject *fa_call_two(PyObject *function, PyObject *one, PyObject *two) {
        PyObject *arguments[3] = {NULL, one, two};
        return PyObject_Vectorcall(function, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    """
    void fa_raise_again(PyObject *error) noexcept
    unsigned int fa_tag(PyObject *cls) noexcept
    bint fa_is_plain(PyTypeObject *cls) noexcept
    PyObject *fa_held(PyTypeObject *cls, PyObject *name) noexcept
    bint fa_has_dict(PyTypeObject *cls) noexcept
    bint fa_sets(PyObject *found) noexcept
    PyObject *fa_item(PyObject *names, PyObject *name) noexcept
    PyObject *fa_at(PyObject *items, Py_ssize_t index) noexcept
    Py_ssize_t fa_sized(PyObject *value) noexcept
    bint fa_is_number(PyObject *value) noexcept
    int fa_below(PyObject *one, PyObject *other) noexcept
    bint fa_refuses() noexcept
    PyObject *fa_process(PyObject *processor, PyObject *name, PyObject *value) noexcept
    PyObject *fa_call_two(PyObject *function, PyObject *one, PyObject *two) noexcept
    bint fa_is_ascii(PyObject *text) noexcept
    PyObject *fa_stripped(PyObject *text) noexcept
    PyObject *fa_normalized(PyObject *text) noexcept
    PyObject *fa_in_case(PyObject *text, int how) noexcept
    long long fa_digits(PyObject *text) noexcept
    int FA_LOWER, FA_UPPER, FA_TITLE
    PyTypeObject *Py_TYPE(PyObject *value) noexcept
    void Py_INCREF(PyObject *value) noexcept
    void Py_DECREF(PyObject *value) noexcept
    void Py_XDECREF(PyObject *value) noexcept
    void PyErr_Clear() noexcept
    PyObject *PyErr_Occurred() noexcept
    int Py_EnterRecursiveCall(const char *where) noexcept
    void Py_LeaveRecursiveCall() noexcept
    bint PyUnicode_CheckExact(PyObject *value) noexcept
    bint PyLong_CheckExact(PyObject *value) noexcept
    bint PyFloat_CheckExact(PyObject *value) noexcept
    bint PyBool_Check(PyObject *value) noexcept
    bint PyList_CheckExact(PyObject *value) noexcept
    bint PyDict_CheckExact(PyObject *value) noexcept
    bint PyAnySet_CheckExact(PyObject *value) noexcept
    Py_ssize_t PyDict_GET_SIZE(PyObject *names) noexcept
    Py_ssize_t PyList_GET_SIZE(PyObject *items) noexcept
    Py_ssize_t PySet_GET_SIZE(PyObject *items) noexcept
    int PyDict_Contains(PyObject *names, PyObject *name) noexcept
    PyObject *PyObject_GenericGetDict(PyObject *owner, void *context) noexcept
    PyObject *PyObject_GetAttr(PyObject *owner, PyObject *name) noexcept
    int PyObject_IsTrue(PyObject *value) noexcept
    int PyObject_IsInstance(PyObject *value, PyObject *cls) noexcept
    PyObject *PySet_New(PyObject *items) noexcept
    int PySet_Contains(PyObject *values, PyObject *value) noexcept
    int PyUnicode_Contains(PyObject *text, PyObject *part) noexcept
    PyObject *PyObject_CallOneArg(PyObject *function, PyObject *argument) noexcept
    long long PyLong_AsLongLongAndOverflow(PyObject *number, int *overflow) noexcept
    PyObject *PyLong_FromLongLong(long long number) noexcept
    PyObject *Py_None
    PyObject *Py_True
    PyObject *Py_False


cdef enum:
    CALL = 0
    STRING, INTEGER, FLOAT, BOOLEAN, DATE, DATETIME, IDENTIFIER, LIST, DICT
    REQUIRED, MIN_LENGTH, MAX_LENGTH, MIN_VALUE, MAX_VALUE, PATTERN, ONE_OF, EMAIL, URL, RANGE, NOT_EMPTY, UNIQUE
    CONTAINS
    STRIP, LOWERCASE, UPPERCASE, TITLE_CASE, ROUND, CLAMP, DEFAULT, TRUNCATE, NORMALIZE

# In the order of the enum. A stock processor that is not here is called.
cdef tuple NAMES = (
    "", "StringCaster", "IntegerCaster", "FloatCaster", "BooleanCaster", "DateCaster", "DateTimeCaster", "UUIDCaster",
    "ListCaster", "DictCaster",
    "RequiredValidator", "MinLengthValidator", "MaxLengthValidator", "MinValueValidator", "MaxValueValidator",
    "PatternValidator", "OneOfValidator", "EmailValidator", "URLValidator", "RangeValidator", "NotEmptyValidator",
    "UniqueItemsValidator", "ContainsValidator",
    "StripWhitespaceTransformer", "LowercaseTransformer", "UppercaseTransformer", "TitleCaseTransformer",
    "RoundTransformer", "ClampTransformer", "DefaultTransformer", "TruncateTransformer",
    "NormalizeWhitespaceTransformer",
)

#: Names of the stock processors that are known here.
PROCESSORS = NAMES[1:]

cdef str PROCESS = "process"
cdef str CASTERS = "casters"
cdef str TRANSFORMERS = "transformers"
cdef str VALIDATORS = "validators"
cdef str ELEMENT_TYPE = "element_type"
cdef str KEY_TYPE = "key_type"
cdef str VALUE_TYPE = "value_type"
cdef tuple READ = (CASTERS, TRANSFORMERS, VALIDATORS, ELEMENT_TYPE, KEY_TYPE, VALUE_TYPE)

cdef str MINIMUM_LENGTH = "min_length"
cdef str MAXIMUM_LENGTH = "max_length"
cdef str MINIMUM = "min_value"
cdef str MAXIMUM = "max_value"
cdef str EXCLUSIVE = "exclusive"
cdef str OF_PATTERN = "pattern"
cdef str OF_EMAIL = "EMAIL_PATTERN"
cdef str OF_URL = "URL_PATTERN"
cdef str ALLOWED = "allowed_values"
cdef str SUBSTRING = "substring"
cdef str CASE_SENSITIVE = "case_sensitive"
cdef str PLACES = "decimal_places"
cdef str INSTEAD = "default"
cdef str EMPTY_TOO = "replace_empty"
cdef str OF_ELEMENTS = "element_caster"
cdef tuple ATTRIBUTES = (MINIMUM_LENGTH, MAXIMUM_LENGTH, MINIMUM, MAXIMUM, EXCLUSIVE, OF_PATTERN, OF_EMAIL, OF_URL,
                         ALLOWED, SUBSTRING, CASE_SENSITIVE, PLACES, INSTEAD, EMPTY_TOO, OF_ELEMENTS)

cdef object MATCH = re.Pattern.match
cdef object PATTERN_TYPE = re.Pattern
cdef object ROUNDED = round
cdef object STRIPPED = str.strip
cdef object LOWER = str.lower
cdef object UPPER = str.upper
cdef object TITLE = str.title
cdef object DATE_TYPE = date
cdef object DATETIME_TYPE = datetime
cdef object UUID_TYPE = UUID

cdef enum:
    SLOTS = 128                        # of the table of classes; a power of two, four times what it holds


cdef struct Entry:
    PyObject *cls                      # of a stock processor
    PyObject *function                 # its process
    unsigned int tag                   # of the class when it was last found to be as it came
    int step


@cython.final
@cython.no_gc_clear
cdef class Machine:
    """One family of types: the class FoobaraType, and the classes of its stock processors with what they do."""

    cdef object cls, whole, locate, before, after
    cdef list kept
    cdef Entry entry[SLOTS]
    cdef unsigned int tag

    def __cinit__(self, cls, whole, stock, locate):
        cdef Py_ssize_t i, at
        self.cls, self.whole, self.locate = cls, whole, locate
        self.before = self.after = cls.__dict__[PROCESS]
        self.kept = []
        self.tag = 0
        for i in range(SLOTS):
            self.entry[i].cls = NULL
        for i in range(1, len(NAMES)):
            owner = stock.get(NAMES[i])
            function = owner.__dict__.get(PROCESS) if isinstance(owner, type) else None
            if function is None:
                continue
            self.kept.append((owner, function))
            at = place(<PyObject *>owner)
            while self.entry[at].cls is not NULL:
                at = (at + 1) & (SLOTS - 1)
            self.entry[at] = Entry(<PyObject *>owner, <PyObject *>function, 0, i)


cdef inline Py_ssize_t place(PyObject *cls) noexcept:
    return ((<size_t>cls >> 4) * <size_t>0x9E3779B1u >> 7) & (SLOTS - 1)


def processing(cls, whole, stock, locate=None):
    """Return the ``process`` of the types of class *cls*, a function of the type and a value.

    *whole* does the same in Python; *stock* has the classes of the stock processors by name. *locate* gets the
    exception of an element, what it is (``element``, ``key``, ``value``), its position, its key and the type, and
    returns the exception to raise; without it exceptions pass as they are.
    """
    cdef Machine m = Machine(cls, whole, stock, locate)

    def process(self, value):
        cdef PyObject *made
        if value is None or not is_plain(m, Py_TYPE(<PyObject *>self)):
            return m.whole(self, value)
        made = run(m, <PyObject *>self, <PyObject *>value)
        if made is NULL:
            raise_set()
        return taken(made)

    m.after = process
    return process


cdef inline object taken(PyObject *value):
    """*value* as an object that owns the reference."""
    made = <object>value
    Py_DECREF(value)
    return made


cdef int raise_set() except -1:
    """Hand on the exception that is set."""
    return -1


# Below, a function that returns a PyObject * returns a new reference, or NULL with an exception set.


cdef PyObject *run(Machine m, PyObject *self, PyObject *value) noexcept:
    """``self.process(value)`` of a plain type and a value that is not None."""
    cdef PyObject *names = PyObject_GenericGetDict(self, NULL)
    cdef PyObject *made
    if names is NULL:
        return NULL
    Py_INCREF(value)
    made = steps(m, self, names, CASTERS, value)
    if made is not NULL:
        made = steps(m, self, names, TRANSFORMERS, made)
    if made is not NULL:
        made = inside(m, self, names, made)
    if made is not NULL:
        made = steps(m, self, names, VALIDATORS, made)
    Py_DECREF(names)
    return made


cdef bint is_plain(Machine m, PyTypeObject *cls) noexcept:
    """Whether instances of *cls* keep what is read of a type in their dict, and there alone."""
    cdef PyObject *found
    if <PyObject *>cls is <PyObject *>m.cls and m.tag != 0 and m.tag == fa_tag(<PyObject *>cls):
        return True
    if not fa_is_plain(cls) or not fa_has_dict(cls):
        return False
    for name in READ:
        found = fa_held(cls, <PyObject *>name)
        if found is not NULL:
            Py_DECREF(found)
            return False
    if <PyObject *>cls is <PyObject *>m.cls and is_ours(m, cls):
        m.tag = fa_tag(<PyObject *>cls)
    return True


cdef bint is_ours(Machine m, PyTypeObject *cls) noexcept:
    """Whether ``process`` of *cls* is what this stands for."""
    cdef PyObject *found = fa_held(cls, <PyObject *>PROCESS)
    cdef bint ours = found is <PyObject *>m.before or found is <PyObject *>m.after
    Py_XDECREF(found)
    return ours


cdef inline PyObject *read(PyObject *self, PyObject *names, str name) noexcept:
    cdef PyObject *found = fa_item(names, <PyObject *>name)
    return PyObject_GetAttr(self, <PyObject *>name) if found is NULL else found


cdef PyObject *steps(Machine m, PyObject *self, PyObject *names, str which, PyObject *value) noexcept:
    """*value* after the processors of one list; its reference is taken over."""
    cdef PyObject *processors = read(self, names, which)
    cdef PyObject *processor
    cdef PyObject *made
    cdef Py_ssize_t i = 0
    if processors is NULL:
        Py_DECREF(value)
        return NULL
    if not PyList_CheckExact(processors):
        made = some_steps(m, processors, value)
        Py_DECREF(processors)
        Py_DECREF(value)
        return made
    while True:
        processor = fa_at(processors, i)
        if processor is NULL:
            break
        made = step(m, processor, value)
        Py_DECREF(processor)
        Py_DECREF(value)
        value = made
        if value is NULL:
            break
        i += 1
    Py_DECREF(processors)
    return value


cdef PyObject *some_steps(Machine m, PyObject *processors, PyObject *value) noexcept:
    try:
        given = <object>value
        for processor in <object>processors:
            given = checked(step(m, <PyObject *>processor, <PyObject *>given))
    except BaseException as error:
        return raising(error)
    Py_INCREF(<PyObject *>given)
    return <PyObject *>given


cdef object checked(PyObject *made):
    if made is NULL:
        raise_set()
    return taken(made)


cdef PyObject *raising(object error) noexcept:
    Py_INCREF(<PyObject *>error)
    fa_raise_again(<PyObject *>error)
    return NULL


# -- elements --------------------------------------------------------------------------------------


cdef PyObject *inside(Machine m, PyObject *self, PyObject *names, PyObject *value) noexcept:
    """*value* with its elements, or keys and values, processed; its reference is taken over."""
    cdef PyObject *made = value
    cdef int wanted = is_one(self, names, ELEMENT_TYPE)
    if wanted > 0 and is_a(value, <PyObject *>list, &wanted):
        made = of_list(m, self, names, value)
        Py_DECREF(value)
        if made is NULL:
            return NULL
        value = made
    if wanted >= 0:
        wanted = has_types(m, self, names, value)
    if wanted > 0:
        made = of_dict(m, self, names, value)
        Py_DECREF(value)
        return made
    if wanted < 0:
        Py_DECREF(value)
        return NULL
    return value


cdef int has_types(Machine m, PyObject *self, PyObject *names, PyObject *value) noexcept:
    """Whether *value* is a dict whose keys or values have a type; -1: an exception."""
    cdef int answer = 0
    if m.locate is None:               # of foobara_py's types one alone does nothing
        answer = is_one(self, names, KEY_TYPE)
        if answer > 0:
            answer = is_one(self, names, VALUE_TYPE)
        if answer > 0:
            is_a(value, <PyObject *>dict, &answer)
    elif not PyUnicode_CheckExact(value) and is_a(value, <PyObject *>dict, &answer):
        answer = is_one(self, names, KEY_TYPE)
        if answer == 0:
            answer = is_one(self, names, VALUE_TYPE)
    return answer


cdef int is_one(PyObject *self, PyObject *names, str name) noexcept:
    """Whether the attribute is true; -1: an exception."""
    cdef PyObject *found = read(self, names, name)
    cdef int answer
    if found is NULL:
        return -1
    answer = 0 if found is Py_None else PyObject_IsTrue(found)
    Py_DECREF(found)
    return answer


cdef bint is_a(PyObject *value, PyObject *cls, int *answer) noexcept:
    # Not Cython's own isinstance, which asks the type alone: an object may claim another __class__.
    answer[0] = 1 if <PyObject *>Py_TYPE(value) is cls else PyObject_IsInstance(value, cls)
    return answer[0] > 0


cdef PyObject *of_list(Machine m, PyObject *self, PyObject *names, PyObject *value) noexcept:
    cdef Py_ssize_t at = 0
    try:
        made = elements(m, self, names, value, &at)
    except BaseException as error:
        return failed(m, error, "element", at, None, <object>self)
    Py_INCREF(<PyObject *>made)
    return <PyObject *>made


cdef list elements(Machine m, PyObject *self, PyObject *names, PyObject *value, Py_ssize_t *at):
    cdef PyObject *item
    cdef PyObject *element
    cdef PyObject *made
    cdef list all = []
    if not PyList_CheckExact(value):
        for other in <object>value:
            all.append(one(m, checked(read(self, names, ELEMENT_TYPE)), other))
            at[0] += 1
        return all
    while True:
        item = fa_at(value, at[0])
        if item is NULL:
            return all
        element = read(self, names, ELEMENT_TYPE)
        made = NULL if element is NULL else processed(m, element, item)
        Py_DECREF(item)
        Py_XDECREF(element)
        if made is NULL:
            raise_set()
        all.append(taken(made))
        at[0] += 1


cdef PyObject *of_dict(Machine m, PyObject *self, PyObject *names, PyObject *value) noexcept:
    cdef Py_ssize_t at = 0
    cdef str what = "key"
    cdef object key = None
    cdef dict made = {}
    try:
        for key, item in (<object>value).items():
            what = "key"
            new = part(m, checked(read(self, names, KEY_TYPE)), key)
            what = "value"
            made[new] = part(m, checked(read(self, names, VALUE_TYPE)), item)
            at += 1
    except BaseException as error:
        return failed(m, error, what, at, key, <object>self)
    Py_INCREF(<PyObject *>made)
    return <PyObject *>made


cdef inline object part(Machine m, object element, object value):
    """A key or a value after its type, where it has one."""
    return value if m.locate is not None and not element else one(m, element, value)


cdef PyObject *failed(Machine m, object error, str what, Py_ssize_t at, object key, object type) noexcept:
    """Raise *error*, or what *locate* makes of it."""
    if m.locate is None:
        return raising(error)
    try:
        raise m.locate(error, what, at, key, type)
    except BaseException as other:
        return raising(other)


cdef object one(Machine m, object element, object value):
    return checked(processed(m, <PyObject *>element, <PyObject *>value))


cdef PyObject *processed(Machine m, PyObject *element, PyObject *value) noexcept:
    """``element.process(value)``"""
    cdef PyTypeObject *cls = Py_TYPE(element)
    cdef PyObject *made
    cdef int own
    if (
        value is Py_None
        or <PyObject *>cls is not <PyObject *>m.cls
        or not is_plain(m, cls)
        or (m.tag == 0 and not is_ours(m, cls))
    ):
        return fa_process(element, <PyObject *>PROCESS, value)
    made = PyObject_GenericGetDict(element, NULL)
    if made is NULL:
        return NULL
    own = PyDict_Contains(made, <PyObject *>PROCESS)
    Py_DECREF(made)
    if own != 0:
        return NULL if own < 0 else fa_process(element, <PyObject *>PROCESS, value)
    # A type may be its own element type.
    if Py_EnterRecursiveCall(b" while a value was processed"):
        return NULL
    made = run(m, element, value)
    Py_LeaveRecursiveCall()
    return made


# -- one processor ---------------------------------------------------------------------------------


cdef inline int step_of(Machine m, PyObject *processor) noexcept:
    """What a processor does, going by its class."""
    cdef PyObject *cls = <PyObject *>Py_TYPE(processor)
    cdef Py_ssize_t at = place(cls)
    while m.entry[at].cls is not NULL:
        if m.entry[at].cls is cls:
            if m.entry[at].tag != 0 and m.entry[at].tag == fa_tag(cls):
                return m.entry[at].step
            return m.entry[at].step if is_stock(m, at) else CALL
        at = (at + 1) & (SLOTS - 1)
    return CALL


cdef bint is_stock(Machine m, Py_ssize_t at) noexcept:
    """Whether a class is as it came: its process, and nothing that sets attributes its own way."""
    cdef PyTypeObject *cls = <PyTypeObject *>m.entry[at].cls
    cdef PyObject *found = fa_held(cls, <PyObject *>PROCESS)
    Py_XDECREF(found)
    if found is not m.entry[at].function or not fa_is_plain(cls):
        return False
    if fa_has_dict(cls):
        for name in ATTRIBUTES:
            found = fa_held(cls, <PyObject *>name)
            Py_XDECREF(found)
            if found is not NULL and fa_sets(found):
                return False
    m.entry[at].tag = fa_tag(<PyObject *>cls)
    return True


cdef PyObject *step(Machine m, PyObject *processor, PyObject *value) noexcept:
    """``processor.process(value)``"""
    cdef PyObject *names = NULL
    cdef PyObject *made = NULL
    cdef int kind = step_of(m, processor)
    if kind != CALL and fa_has_dict(Py_TYPE(processor)):
        names = PyObject_GenericGetDict(processor, NULL)
        if names is NULL:
            return NULL
        if PyDict_GET_SIZE(names) and PyDict_Contains(names, <PyObject *>PROCESS):
            kind = CALL
    if kind != CALL:
        made = at_once(kind, processor, names, value)
    Py_XDECREF(names)
    # What a value is refused with is that of the processor's own process, which says it again. Anything else, such as
    # what a signal handler raised meanwhile, would be lost.
    if made is NULL and (PyErr_Occurred() is NULL or fa_refuses()):
        PyErr_Clear()
        made = fa_process(processor, <PyObject *>PROCESS, value)
    return made


cdef inline PyObject *same(PyObject *value) noexcept:
    Py_INCREF(value)
    return value


cdef PyObject *at_once(int kind, PyObject *processor, PyObject *names, PyObject *value) noexcept:
    """What a stock processor makes of a value; NULL: it has to be asked."""
    cdef PyTypeObject *cls = Py_TYPE(value)
    cdef bint text = PyUnicode_CheckExact(value)
    cdef PyObject *made
    cdef bint good = False
    if kind == STRING:
        good = text
    elif kind == INTEGER:
        if text and fa_is_ascii(value) and fa_digits(value) >= 0:
            return PyLong_FromLongLong(fa_digits(value))
        good = PyLong_CheckExact(value)
    elif kind == FLOAT:
        good = PyFloat_CheckExact(value)
    elif kind == BOOLEAN:
        good = PyBool_Check(value)
    elif kind == DATE:
        good = <PyObject *>cls is <PyObject *>DATE_TYPE
    elif kind == DATETIME:
        good = <PyObject *>cls is <PyObject *>DATETIME_TYPE
    elif kind == IDENTIFIER:
        good = <PyObject *>cls is <PyObject *>UUID_TYPE
    elif kind == LIST:
        good = PyList_CheckExact(value) and is_attribute(processor, names, OF_ELEMENTS, Py_None)
    elif kind == DICT:
        good = PyDict_CheckExact(value)
    elif kind == REQUIRED:
        good = value is not Py_None
    elif kind == MIN_LENGTH:
        good = reaches_size(value, processor, names)
    elif kind == MAX_LENGTH:
        good = keeps_size(value, processor, names)
    elif kind == TRUNCATE:
        good = text and keeps_size(value, processor, names)
    elif kind == MIN_VALUE:
        good = fa_is_number(value) and within(value, processor, names, True, False)
    elif kind == MAX_VALUE:
        good = fa_is_number(value) and within(value, processor, names, False, True)
    elif kind == RANGE:
        good = fa_is_number(value) and within(value, processor, names, True, True)
    elif kind == PATTERN:
        good = text and matches(processor, names, OF_PATTERN, value)
    elif kind == EMAIL:
        good = text and matches(processor, names, OF_EMAIL, value)
    elif kind == URL:
        good = text and matches(processor, names, OF_URL, value)
    elif kind == ONE_OF:
        good = (text or PyLong_CheckExact(value)) and is_among(value, processor, names)
    elif kind == NOT_EMPTY:
        good = fa_sized(value) > 0
    elif kind == UNIQUE:
        good = PyList_CheckExact(value) and are_unique(value)
    elif kind == CONTAINS:
        good = text and is_attribute(processor, names, CASE_SENSITIVE, Py_True) and has_part(value, processor, names)
    elif kind == STRIP:
        if text:
            return fa_stripped(value) if fa_is_ascii(value) else PyObject_CallOneArg(<PyObject *>STRIPPED, value)
    elif kind == LOWERCASE:
        if text:
            return in_case(value, FA_LOWER, LOWER)
    elif kind == UPPERCASE:
        if text:
            return in_case(value, FA_UPPER, UPPER)
    elif kind == TITLE_CASE:
        if text:
            return in_case(value, FA_TITLE, TITLE)
    elif kind == NORMALIZE:
        if text and fa_is_ascii(value):
            return fa_normalized(value)
    elif kind == ROUND:
        if PyFloat_CheckExact(value):
            made = attribute(processor, names, PLACES)
            if made is not NULL:
                value = fa_call_two(<PyObject *>ROUNDED, value, made) if PyLong_CheckExact(made) else NULL
                Py_DECREF(made)
                return value
    elif kind == CLAMP:
        if fa_is_number(value):
            return clamped(value, processor, names)
    elif kind == DEFAULT:
        if value is Py_None:
            return attribute(processor, names, INSTEAD)
        if fa_is_number(value) or fa_sized(value) >= 0:
            good = is_attribute(processor, names, EMPTY_TOO, Py_False) or (
                is_attribute(processor, names, EMPTY_TOO, Py_True) and PyObject_IsTrue(value) > 0
            )
    return same(value) if good else NULL


cdef inline PyObject *attribute(PyObject *processor, PyObject *names, str name) noexcept:
    cdef PyObject *found = NULL
    if names is not NULL:
        found = fa_item(names, <PyObject *>name)
    return PyObject_GetAttr(processor, <PyObject *>name) if found is NULL else found


cdef inline bint is_attribute(PyObject *processor, PyObject *names, str name, PyObject *wanted) noexcept:
    cdef PyObject *found = attribute(processor, names, name)
    Py_XDECREF(found)
    return found is wanted


cdef inline long long limit(PyObject *processor, PyObject *names, str name) noexcept:
    """An attribute that is an int of 0 or more; -1: anything else."""
    cdef PyObject *found = attribute(processor, names, name)
    cdef int overflow = 0
    cdef long long value = -1
    if found is not NULL and PyLong_CheckExact(found):
        value = PyLong_AsLongLongAndOverflow(found, &overflow)
    Py_XDECREF(found)
    return -1 if overflow else value


cdef bint reaches_size(PyObject *value, PyObject *processor, PyObject *names) noexcept:
    cdef Py_ssize_t size = fa_sized(value)
    cdef long long bound = limit(processor, names, MINIMUM_LENGTH) if size >= 0 else -1
    return bound >= 0 and size >= bound


cdef bint keeps_size(PyObject *value, PyObject *processor, PyObject *names) noexcept:
    cdef Py_ssize_t size = fa_sized(value)
    return size >= 0 and size <= limit(processor, names, MAXIMUM_LENGTH)


cdef bint within(PyObject *value, PyObject *processor, PyObject *names, bint low, bint high) noexcept:
    """Whether a number is on the right side of one bound, or between two; False also where that is not sure."""
    cdef PyObject *bound
    cdef bint good = True
    cdef bint exclusive = False
    if low != high:
        exclusive = is_attribute(processor, names, EXCLUSIVE, Py_True)
        if not exclusive and not is_attribute(processor, names, EXCLUSIVE, Py_False):
            return False
    if low:
        bound = attribute(processor, names, MINIMUM)
        if bound is NULL or not fa_is_number(bound):
            good = False
        elif exclusive:
            good = fa_below(bound, value) > 0
        else:
            good = fa_below(value, bound) == 0
        Py_XDECREF(bound)
    if high and good:
        bound = attribute(processor, names, MAXIMUM)
        if bound is NULL or not fa_is_number(bound):
            good = False
        elif exclusive:
            good = fa_below(value, bound) > 0
        else:
            good = fa_below(bound, value) == 0
        Py_XDECREF(bound)
    return good


cdef PyObject *clamped(PyObject *value, PyObject *processor, PyObject *names) noexcept:
    """``max(low, min(value, high))``: of equal ones the first."""
    cdef PyObject *low = attribute(processor, names, MINIMUM)
    cdef PyObject *high = attribute(processor, names, MAXIMUM)
    cdef PyObject *made = NULL
    if low is not NULL and high is not NULL and fa_is_number(low) and fa_is_number(high):
        made = high if fa_below(high, value) else value
        made = same(made if fa_below(low, made) else low)
    Py_XDECREF(low)
    Py_XDECREF(high)
    return made


cdef bint matches(PyObject *processor, PyObject *names, str name, PyObject *text) noexcept:
    cdef PyObject *pattern = attribute(processor, names, name)
    cdef PyObject *found = NULL
    if pattern is not NULL and <PyObject *>Py_TYPE(pattern) is <PyObject *>PATTERN_TYPE:
        found = fa_call_two(<PyObject *>MATCH, pattern, text)
    Py_XDECREF(pattern)
    Py_XDECREF(found)
    return found is not NULL and found is not Py_None


cdef bint is_among(PyObject *value, PyObject *processor, PyObject *names) noexcept:
    cdef PyObject *allowed = attribute(processor, names, ALLOWED)
    cdef bint good = allowed is not NULL and PyAnySet_CheckExact(allowed) and PySet_Contains(allowed, value) > 0
    Py_XDECREF(allowed)
    return good


cdef bint has_part(PyObject *text, PyObject *processor, PyObject *names) noexcept:
    cdef PyObject *part = attribute(processor, names, SUBSTRING)
    cdef bint good = part is not NULL and PyUnicode_CheckExact(part) and PyUnicode_Contains(text, part) > 0
    Py_XDECREF(part)
    return good


cdef bint are_unique(PyObject *values) noexcept:
    """Whether no two are equal; False where that cannot be told from their hashes."""
    cdef PyObject *found = PySet_New(values)
    cdef bint good = found is not NULL and PySet_GET_SIZE(found) == PyList_GET_SIZE(values)
    Py_XDECREF(found)
    return good


cdef inline PyObject *in_case(PyObject *text, int how, object method) noexcept:
    if fa_is_ascii(text):
        return fa_in_case(text, how)
    return PyObject_CallOneArg(<PyObject *>method, text)
