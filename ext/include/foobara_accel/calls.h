/* Calls and exceptions of the C API, for every .pyx that makes them without Cython. */

#ifndef FOOBARA_ACCEL_CALLS_H
#define FOOBARA_ACCEL_CALLS_H

#include <Python.h>

/* The raised exception as one object, cleared; its traceback is on it. */
static inline PyObject *fa_raised(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != NULL) PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

/* Takes the reference. */
static inline void fa_raise_again(PyObject *value) {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(value);
#else
    PyObject *type = (PyObject *)Py_TYPE(value);
    Py_INCREF(type);
    PyErr_Restore(type, value, PyException_GetTraceback(value));
#endif
}

/* Calls a Python function, a FunctionType and nothing else. */
static inline PyObject *fa_call_one(PyObject *function, PyObject *self) {
    PyObject *arguments[2] = {NULL, self};
    return ((PyFunctionObject *)function)->vectorcall(
        function, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* The namespace of a class, to change; whoever does calls PyType_Modified(). A new reference. */
static inline PyObject *fa_members(PyTypeObject *type) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyType_GetDict(type);
#else
    Py_INCREF(type->tp_dict);
    return type->tp_dict;
#endif
}

#endif
