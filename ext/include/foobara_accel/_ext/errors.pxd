# What the other extensions may use of errors.pyx.


cdef class FoobaraError:
    cdef object __weakref__
    cdef public object category
    cdef public object symbol
    cdef object _path              # tuple, or whatever the caller passed if neither list nor tuple
    cdef public object message
    cdef object _context           # dict, or None: an empty dict that nobody has asked for yet
    cdef object _runtime_path
    cdef public object is_fatal
    cdef public object severity
    cdef public object suggestion
    cdef public object help_url
    cdef public object cause
    cdef public object stack_trace


cdef class ErrorCollection:
    cdef object __weakref__
    cdef list _items               # FoobaraError objects in order of arrival; None: none yet
    cdef object _pending           # a pydantic ValidationError not converted yet, a tuple of rows, or None
    cdef tuple _pending_prefix     # runtime path that converted errors will carry
    cdef bint _pending_echo        # put the offending input into context["input"]
    cdef object _pending_model     # the inputs model, which tells sensitive fields; None: echo nothing
    cdef set _ids                  # identities in _items, built only when there are many
    cdef bint has_any(self)
    cdef list items(self)          # converts what is pending; the live list, never None
    cdef int append(self, FoobaraError error) except -1


cdef class CommandOutcome:
    cdef object __weakref__
    cdef object _result
    cdef ErrorCollection _collection   # the command's own collection, copied when first looked at
    cdef list _errors                  # the outcome's own list once looked at, or None
    cdef dict _metadata                # None: empty and never asked for


cdef FoobaraError make_error(object category, object symbol, object path, object message,
                             object context, object runtime_path, object is_fatal, object severity)
cdef ErrorCollection new_collection()

# A new error without runtime path, of severity error and not fatal, into the collection (None: a new one).
cdef ErrorCollection append_new(ErrorCollection collection, object category, object symbol, tuple path,
                                object message, object context)

# validation_error: a pydantic ValidationError, or a non-empty tuple of rows (path, symbol, message, context or
# None), each a data error to be made when someone looks; the contexts of rows are copied then.
cdef ErrorCollection deferred_collection(object validation_error, tuple runtime_path, bint echo_inputs)
cdef ErrorCollection deferred_collection_for(object validation_error, tuple runtime_path, bint echo_inputs,
                                             object model)
cdef CommandOutcome succeed(object result)
cdef CommandOutcome fail(object result, ErrorCollection errors)
