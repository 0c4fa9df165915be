# A part of guards.pyx: the fields of this package's own types, as each of them has told (types/_known.py).

cdef enum:
    LETTERS = 34               # of the longest IBAN


cdef struct Own:
    PyObject* cls              # borrowed from the spec, as call; NULL: the field stays a str
    PyObject* call             # or NULL
    const unsigned char* kinds
    Py_ssize_t kind_count
    Py_ssize_t slot            # where an instance of cls keeps its canonical form
    size_t least
    bint normal
    bint lenient
    bint anew
    bint copies                # a str comes out that is another object, even where it is equal


# What a call on the way may refuse a value with.
cdef tuple _REFUSALS = (ValueError, TypeError, AssertionError, ImportError)

fa_html_setup(2)               # each extension has its own copy of the kernel


cdef int _learn_own(Own* own, object known) except -1:
    """Write down what a type has told; *known* is kept by the caller."""
    own.cls = NULL if known.cls is None else <PyObject*> known.cls
    own.call = NULL if known.call is None else <PyObject*> known.call
    own.kinds = <const unsigned char*> PyBytes_AS_STRING(<PyObject*> known.kinds)
    own.kind_count = PyBytes_GET_SIZE(<PyObject*> known.kinds)
    own.least = known.least
    own.normal = known.normal
    own.lenient = known.lenient
    own.anew = known.anew
    own.copies = known.cls is None and known.normal and (known.lenient or known.kind == "iban")
    if known.cls is not None and not issubclass(known.cls, str):
        own.slot = _slot(next(cls for cls in known.cls.__mro__ if "canonical" in vars(cls)), "canonical")
    return 0


cdef PyObject* _own_value(const Field* field, PyObject* value) noexcept:
    """What pydantic makes of *value*, a new reference; NULL: that is not known here.

    With NULL there is an exception only where a call was interrupted, by Ctrl-C or what a signal handler raises.
    """
    cdef const Own* own = field.own
    cdef PyObject* made = NULL
    if PyUnicode_CheckExact(value):
        made = _of_text(field.code, own, value) if FA_STR_READY(value) else NULL
    elif value == <PyObject*> None:
        made = value if field.optional else NULL
        Py_XINCREF(made)
    elif own.cls != NULL and Py_TYPE(value) == <PyTypeObject*> own.cls and _keeps(field.code, own, value):
        Py_INCREF(value)
        made = value
    if made == NULL and PyErr_Occurred() != NULL and PyErr_ExceptionMatches(<PyObject*> _REFUSALS):
        PyErr_Clear()          # pydantic calls the same function, and tells what it raises
    return made


cdef PyObject* _of_text(int code, const Own* own, PyObject* text) noexcept:
    cdef PyObject* canonical
    cdef PyObject* made
    if code == CODE_CALL:
        return PyObject_CallOneArg(own.call, text) if _is_text(text, PyUnicode_GET_LENGTH(text)) else NULL
    if code == CODE_HTML:
        if not _is_plain(text):
            return NULL
        if own.cls != NULL:
            return _subclass_of_str(<PyTypeObject*> own.cls, text)
        Py_INCREF(text)
        return text
    canonical = _canonical(code, own, text)
    if canonical == NULL:
        return NULL
    if code != CODE_PHONE and not _allowed(own, canonical):
        Py_DECREF(canonical)
        return NULL
    if own.cls == NULL:
        if own.normal:
            return canonical
        Py_DECREF(canonical)
        Py_INCREF(text)
        return text
    made = (<PyTypeObject*> own.cls).tp_new(<PyTypeObject*> own.cls, <PyObject*> _NO_ARGUMENTS, NULL)
    if made == NULL:
        Py_DECREF(canonical)
        return NULL
    _fill(made, own.slot, canonical)
    return made


cdef bint _keeps(int code, const Own* own, PyObject* value) noexcept:
    """Whether an instance of the very class comes out as it went in."""
    cdef PyObject* canonical
    cdef PyObject* again
    cdef bint kept
    if code == CODE_HTML or not own.anew:
        return True
    canonical = (<PyObject**> (<char*> value + own.slot))[0]
    if canonical == NULL or not PyUnicode_CheckExact(canonical) or not FA_STR_READY(canonical):
        return False
    Py_INCREF(canonical)
    again = _canonical(code, own, canonical)
    kept = again != NULL
    Py_XDECREF(again)
    kept = kept and (code == CODE_PHONE or _allowed(own, canonical))
    Py_DECREF(canonical)
    return kept


cdef PyObject* _canonical(int code, const Own* own, PyObject* text) noexcept:
    """The canonical form of a text that is valid, a new reference; NULL for any other."""
    cdef unsigned char letters[LETTERS]
    cdef const unsigned char* s
    cdef unsigned char changed = 0
    cdef size_t i, n, count = 0
    if not FA_COMPACT_ASCII(text):
        return NULL
    s = <const unsigned char*> PyUnicode_DATA(text)
    n = <size_t> PyUnicode_GET_LENGTH(text)
    if code == CODE_PHONE:
        if s[0] != c"+" or not _is_number(own, text):
            return NULL
        Py_INCREF(text)
        return text
    if code == CODE_CARD:
        if fa_luhn_ok(s, n, own.least):
            return _same(own, text)
        if not own.lenient or fa_card_display(s, n, letters, &count) != FA_OK:
            return NULL
        if not fa_luhn_ok(letters, count, own.least):
            return NULL
    elif fa_iban_rule(s, n, False) == FA_OK:
        for i in range(n):
            letters[i] = s[i] & 0xDF if s[i] >= c"a" else s[i]
            changed |= letters[i] ^ s[i]
        if not changed:
            return _same(own, text)
        count = n
    elif not own.lenient or fa_iban_display(s, n, letters, &count) != FA_OK:
        return NULL
    elif count > LETTERS or fa_iban_rule(letters, count, True) != FA_OK:
        return NULL
    return PyUnicode_DecodeUTF8(<const char*> letters, <Py_ssize_t> count, NULL)


cdef inline PyObject* _same(const Own* own, PyObject* text) noexcept:
    if own.copies:
        return PyUnicode_DecodeUTF8(<const char*> PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text), NULL)
    Py_INCREF(text)
    return text


cdef bint _is_number(const Own* own, PyObject* text) noexcept:
    """Whether *text* is a phone number of an allowed kind, in its canonical form."""
    cdef Py_ssize_t kind
    cdef PyObject* found = PyObject_CallOneArg(own.call, text)
    if found == NULL:
        return False
    kind = PyLong_AsSsize_t(found)
    Py_DECREF(found)
    return 2 <= kind < own.kind_count and own.kinds[kind] == 1


cdef bint _allowed(const Own* own, PyObject* canonical) noexcept:
    cdef PyObject* verdict
    cdef int true
    if own.call == NULL:
        return True
    verdict = PyObject_CallOneArg(own.call, canonical)
    if verdict == NULL:
        return False
    true = PyObject_IsTrue(verdict)
    Py_DECREF(verdict)
    return true == 1


cdef bint _is_plain(PyObject* text) noexcept:
    """As ``checks.is_plain_html``."""
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text)
    cdef int kind = PyUnicode_KIND(text)
    cdef const void* data = PyUnicode_DATA(text)
    if kind == 1:
        return fa_html_plain_1(<const unsigned char*> data, length)
    if kind == 2:
        return (<const uint16_t*> data)[0] != 0xFEFF and fa_html_plain_2(<const uint16_t*> data, length)
    return (<const uint32_t*> data)[0] != 0xFEFF and fa_html_plain_4(<const uint32_t*> data, length)


cdef PyObject* _subclass_of_str(PyTypeObject* cls, PyObject* text) noexcept:
    cdef PyObject* made
    cdef PyObject* arguments = PyTuple_New(1)
    if arguments == NULL:
        return NULL
    Py_INCREF(text)
    PyTuple_SET_ITEM(arguments, 0, text)
    made = (<PyTypeObject*> <PyObject*> str).tp_new(cls, arguments, NULL)
    Py_DECREF(arguments)
    return made
