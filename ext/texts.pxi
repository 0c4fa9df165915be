# What the checks of one text share: the look at a str, and a builtin for the call with one positional str.

from cpython.object cimport PyObject

cdef extern from *:
    """
    /* An exact str of ASCII alone: its characters follow the header. */
    static inline int fa_plain(PyObject *value) {
        return PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value);
    }
    static inline const unsigned char *fa_characters(PyObject *value) {
        return (const unsigned char *)((PyASCIIObject *)value + 1);
    }
    static inline size_t fa_length(PyObject *value) { return (size_t)PyUnicode_GET_LENGTH(value); }
    """
    bint fa_plain(PyObject *value)
    const unsigned char *fa_characters(PyObject *value)
    size_t fa_length(PyObject *value)

cdef extern from "Python.h":
    ctypedef PyObject *(*PyCFunction)(PyObject *, PyObject *)
    ctypedef struct PyMethodDef:
        PyCFunction ml_meth
        int ml_flags
    ctypedef struct PyCFunctionObject:
        PyMethodDef *m_ml
    int METH_FASTCALL, METH_KEYWORDS
    object PyCFunction_NewEx(PyMethodDef *method, PyObject *module, object name)
    object PyObject_Vectorcall(object function, PyObject *const *args, size_t count, PyObject *names)
    bint PyUnicode_CheckExact(object value)
    bint PyUnicode_Check(object value)
    Py_ssize_t PyUnicode_GET_LENGTH(object value)
    object PyUnicode_FromObject(object value)


cdef str _text(object value, str name):
    if PyUnicode_CheckExact(value):
        return value
    if not PyUnicode_Check(value):
        raise TypeError(f"{name}() takes a str, not {type(value).__name__}")
    return PyUnicode_FromObject(value)


cdef object _builtin(object function, PyMethodDef *method, void *meth):
    method[0] = (<PyCFunctionObject *>function).m_ml[0]
    method.ml_meth = <PyCFunction>meth
    method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    return PyCFunction_NewEx(method, NULL, "foobara_accel.types")
