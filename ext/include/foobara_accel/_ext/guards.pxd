# What the other extensions may use of guards.pyx.

cimport cython
from cpython.object cimport PyObject


cdef enum:
    FA_SPARES = 16


cdef struct Field                       # one row of the field table; guards.pyx only
cdef struct Own                         # the same of a field that has a type of this package


@cython.final
cdef class InputsBuilder:
    cdef readonly object model
    cdef readonly object spec
    cdef readonly object validator      # the model's validator that this builder stands for
    cdef readonly tuple names           # the fields, in order
    cdef readonly int level             # 1 guard, 2 fields, 3 full
    cdef readonly bint guarded          # level == 1
    cdef readonly str reason            # why the level is not 1; "" at level 1
    cdef object _renew
    cdef object _call                   # levels 2 and 3: the validator call, made when first needed
    cdef object _call_json
    cdef bint _whole                    # what they return is the instance itself
    cdef InputsBuilder _next            # after a rebuild of the model
    cdef dict _index
    cdef dict _template                 # the instance dict with every default in its place
    cdef set _all_set
    cdef Field* _fields
    cdef Py_ssize_t _total
    cdef Own* _own
    cdef bint _converts                 # a field has a type of this package: what comes out is not what went in
    cdef list _memo                     # by field and class of failure: the row pydantic gave, or None
    cdef bint _judging                  # off for good once a row was not what the table said
    cdef unsigned int _tag
    cdef bint _shares_keys              # set with _tag
    cdef bint _placed                   # every field has its place
    cdef PyObject* _spare[FA_SPARES]       # sets of all names, for the next instances; they hold no input
    cdef int _spares
    cdef object __weakref__

    # values[i] is the argument named kwnames[i]; a new, valid instance of the model,
    # or the exception that building it in Python would have raised (ValidationError most of all)
    cdef object build_kw(self, PyObject* const* values, object kwnames)
    # the same from a dict with str keys; the dict is not changed, and only an error about a missing field
    # refers to it
    cpdef object build_dict(self, dict raw)
    # the same from a JSON object in bytes, bytearray or str
    cpdef object build_json(self, data)

    # build_kw and build_dict as a new reference, or NULL with the exception set and no traceback entry
    # of ours: for callers that turn the exception into an outcome
    cdef PyObject* make_kw(self, PyObject* const* values, PyObject* kwnames) noexcept
    cdef PyObject* make_dict(self, PyObject* raw) noexcept
    # build_json in the same manner
    cdef PyObject* make_json(self, object data) noexcept
    # as make_kw; where the instance does not hold just what was passed, *raw becomes a new dict of that.
    # Unless *verdict* is NULL, arguments may be refused without an exception: NULL is returned, *raw is as it
    # was and *verdict becomes a new tuple of one row (path, symbol, message, context) per error, what
    # errors_from_validation makes of pydantic's own ValidationError. Otherwise *verdict is as it was.
    cdef PyObject* make_kw_from(
        self, PyObject* const* values, PyObject* kwnames, PyObject** raw, PyObject** verdict
    ) noexcept

    # *instance*, which the caller alone refers to and is about to let go, may lose its set of names to the next
    # one (bench case "simple run"); any other instance is left as it is
    cdef void take_back(self, PyObject* instance) noexcept

    cdef PyObject* _guard_kw(self, PyObject* const* values, PyObject* kwnames) noexcept
    cdef PyObject* _guard_dict(self, PyObject* raw) noexcept
    cdef Py_ssize_t _sort_out(
        self, PyObject* const* values, PyObject* kwnames, unsigned char* classes
    ) noexcept
    cdef PyObject* _rows(self, const unsigned char* classes, Py_ssize_t count) noexcept
    cdef PyObject* _make_and_learn(self, PyObject* raw, const unsigned char* classes) noexcept
    cdef Py_ssize_t _find(self, PyObject* name, Py_ssize_t hint) noexcept
    cdef PyObject* _convert(self, PyObject** given, Py_ssize_t count) noexcept
    cdef PyObject* _assemble(self, PyObject* const* given, Py_ssize_t count) noexcept
    cdef void _place(self, PyObject* values, PyObject* const* given) noexcept
    cdef bint _find_places(self) except -1
    cdef bint _places_hold(self) except -1
    cdef PyObject* _blank(self) noexcept
    cdef bint _probe(self) noexcept
    cdef PyObject* _instance(self, PyObject* values, PyObject* extra, PyObject* names) noexcept
    cdef PyObject* _validate(self, PyObject* raw) noexcept
    cdef PyObject* _take_parts(self, PyObject* parts) noexcept
    cdef bint _is_current(self) noexcept
    cdef bint _compare(self) noexcept
    cdef bint _is_ours(self) noexcept
    cdef PyObject* _make_dict(self, PyObject* raw) noexcept
    cdef PyObject* _make_json(self, PyObject* data) noexcept
    cdef PyObject* _guard_json(self, PyObject* data) noexcept
    cdef bint _read_object(
        self, const unsigned char* at, const unsigned char* end, PyObject** given, Py_ssize_t* count
    ) noexcept
