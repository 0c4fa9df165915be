# cython: language_level=3
"""FoobaraError, ErrorCollection and CommandOutcome, compiled. Twin of ``_pure/errors.py``.

1. Storage: an error is twelve fields; its key, its context dict and its JSON are made when someone asks.
2. A collection may hold a pydantic ValidationError, or rows, that nobody has looked at, and converts them then.
3. An outcome of a command holds the command's own collection and copies its list at the first look.
4. The JSON writer works on a buffer of its own call: serialising a value in a context may run code that
   serialises another error. Text is copied eight bytes at a time while it needs no escape.
"""

cimport cython
from cpython.object cimport PyObject, Py_EQ, Py_NE

from collections.abc import Mapping, Set

from foobara_accel import _reports
from foobara_accel._vocabulary import ErrorSeverity

__all__ = [
    "CommandOutcome",
    "ErrorCollection",
    "FoobaraError",
    "append_new",
    "deferred_collection",
    "errors_from_validation",
    "fail",
    "make_error",
    "new_collection",
    "succeed",
]

cdef extern from *:
    r"""
    #include <math.h>
    #include <stdint.h>
    #include <string.h>

    #define FA_DEPTH 100

    /* Attributes with a setter that del does not empty: what Cython's do with it is to store None or to raise
       NotImplementedError. The closure of each, which Cython does not use, becomes what it was. */
    static int fa_no_deleter(PyObject *self, PyObject *value, void *closure) {
        PyGetSetDef *was = (PyGetSetDef *)closure;
        if (value != NULL) return was->set(self, value, was->closure);
        PyErr_Format(
            PyExc_AttributeError, "property '%s' of '%.100s' object has no deleter",
            was->name, strrchr(Py_TYPE(self)->tp_name, '.') ? strrchr(Py_TYPE(self)->tp_name, '.') + 1
                                                            : Py_TYPE(self)->tp_name
        );
        return -1;
    }

    static int fa_keep(PyObject *cls, const char *name) {
        PyTypeObject *type = (PyTypeObject *)cls;
        PyGetSetDef *one, *was;
        for (one = type->tp_getset; one != NULL && one->name != NULL; one++) {
            if (strcmp(one->name, name) != 0 || one->set == NULL || one->set == fa_no_deleter) continue;
            was = (PyGetSetDef *)PyMem_Malloc(sizeof(PyGetSetDef));   /* for as long as the type */
            if (was == NULL) {
                PyErr_NoMemory();
                return -1;
            }
            *was = *one;
            one->closure = was;
            one->set = fa_no_deleter;
        }
        return 0;
    }

    typedef struct {
        char *data;
        Py_ssize_t len, cap;
        int depth;
        PyObject *bytes;  /* what data points into once small is too small */
        void *stack[FA_DEPTH];
        char small[1024];
    } fa_buf;

    static void fa_open(fa_buf *b) {
        b->data = b->small; b->len = 0; b->cap = sizeof(b->small); b->depth = 0; b->bytes = NULL;
    }

    static void fa_close(fa_buf *b) { Py_CLEAR(b->bytes); }

    /* Room for `more` bytes after the present end; -1 with MemoryError set. */
    static int fa_grow(fa_buf *b, Py_ssize_t more) {
        Py_ssize_t want;
        if (more > PY_SSIZE_T_MAX / 4 - b->len) { PyErr_NoMemory(); return -1; }
        want = b->len + more;
        if (want < b->cap * 2) want = b->cap * 2;
        if (b->bytes) {
            if (_PyBytes_Resize(&b->bytes, want)) { b->data = b->small; b->len = b->cap = 0; return -1; }
        } else {
            b->bytes = PyBytes_FromStringAndSize(NULL, want);
            if (!b->bytes) return -1;
            memcpy(PyBytes_AS_STRING(b->bytes), b->small, b->len);
        }
        b->data = PyBytes_AS_STRING(b->bytes); b->cap = want;
        return 0;
    }
    #define FA_ROOM(b, n) ((b)->cap - (b)->len >= (n) ? 0 : fa_grow((b), (n)))

    /* Room for a document of about this size at once; only a hint. */
    static int fa_reserve(fa_buf *b, Py_ssize_t n) {
        return n < (1 << 20) && n > b->cap ? fa_grow(b, n) : 0;
    }

    static inline int fa_raw(fa_buf *b, const char *text, Py_ssize_t n) {
        if (FA_ROOM(b, n)) return -1;
        memcpy(b->data + b->len, text, n);
        b->len += n;
        return 0;
    }

    static inline int fa_char(fa_buf *b, char c) {
        if (FA_ROOM(b, 1)) return -1;
        b->data[b->len++] = c;
        return 0;
    }

    static const char fa_hex[] = "0123456789abcdef";

    /* One code point as JSON text: at most 6 bytes. */
    static inline char *fa_point(char *q, Py_UCS4 c) {
        if (c < 0x80) {
            if (c >= 0x20 && c != '"' && c != '\\') { *q++ = (char)c; return q; }
            *q++ = '\\';
            switch (c) {
                case '"': *q++ = '"'; return q;
                case '\\': *q++ = '\\'; return q;
                case '\n': *q++ = 'n'; return q;
                case '\r': *q++ = 'r'; return q;
                case '\t': *q++ = 't'; return q;
                case '\f': *q++ = 'f'; return q;
                case '\b': *q++ = 'b'; return q;
            }
            *q++ = 'u'; *q++ = '0'; *q++ = '0'; *q++ = fa_hex[c >> 4]; *q++ = fa_hex[c & 15];
            return q;
        }
        if (c < 0x800) {
            *q++ = (char)(0xC0 | (c >> 6)); *q++ = (char)(0x80 | (c & 0x3F));
        } else if (c >= 0xD800 && c <= 0xDFFF) {
            /* a lone surrogate has no UTF-8 form */
            *q++ = '\\'; *q++ = 'u'; *q++ = 'd';
            *q++ = fa_hex[(c >> 8) & 15]; *q++ = fa_hex[(c >> 4) & 15]; *q++ = fa_hex[c & 15];
        } else if (c < 0x10000) {
            *q++ = (char)(0xE0 | (c >> 12)); *q++ = (char)(0x80 | ((c >> 6) & 0x3F)); *q++ = (char)(0x80 | (c & 0x3F));
        } else {
            *q++ = (char)(0xF0 | (c >> 18)); *q++ = (char)(0x80 | ((c >> 12) & 0x3F));
            *q++ = (char)(0x80 | ((c >> 6) & 0x3F)); *q++ = (char)(0x80 | (c & 0x3F));
        }
        return q;
    }

    /* Of eight ASCII bytes: is one < 0x20, a quote or a backslash? (high bits after the subtractions) */
    #define FA_ONES 0x0101010101010101ULL
    #define FA_DIRTY(w) ((((w) - FA_ONES * 0x20) | (((w) ^ (FA_ONES * '"')) - FA_ONES) \
                          | (((w) ^ (FA_ONES * '\\')) - FA_ONES)) & (FA_ONES * 0x80))

    /* The contents of a str (or subclass) as JSON text, without quotes. */
    static int fa_text(fa_buf *b, PyObject *s) {
        Py_ssize_t n, i = 0, stop;
        int kind;
        const void *data;
        char *q;
    #if PY_VERSION_HEX < 0x030C0000
        if (PyUnicode_READY(s)) return -1;
    #endif
        n = PyUnicode_GET_LENGTH(s);
        kind = PyUnicode_KIND(s);
        data = PyUnicode_DATA(s);
        if (PyUnicode_IS_ASCII(s)) {
            const unsigned char *p = (const unsigned char *)data;
            if (FA_ROOM(b, n)) return -1;
            q = b->data + b->len;
            while (n - i >= 8) {
                uint64_t w;
                memcpy(&w, p + i, 8);
                if (FA_DIRTY(w)) break;
                memcpy(q + i, &w, 8);
                i += 8;
            }
            if (n >= 8 && n - i < 8 && i < n) {
                /* the last bytes again with those before them, as one word */
                uint64_t w;
                memcpy(&w, p + n - 8, 8);
                if (!FA_DIRTY(w)) { memcpy(q + n - 8, &w, 8); i = n; }
            }
            while (i < n && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') { q[i] = (char)p[i]; i++; }
            b->len += i;
        }
        while (i < n) {
            stop = n - i > 512 ? i + 512 : n;
            if (FA_ROOM(b, (stop - i) * 6)) return -1;
            q = b->data + b->len;
            for (; i < stop; i++) q = fa_point(q, PyUnicode_READ(kind, data, i));
            b->len = q - b->data;
        }
        return 0;
    }

    #define FA_SLACK 12  /* two quotes, a comma or colon, and what fa_clean may write too much */
    static inline char *fa_clean(char *q, PyObject *s);

    static int fa_string(fa_buf *b, PyObject *s) {
        Py_ssize_t n = PyUnicode_GET_LENGTH(s);
        if (n < 4096) {
            char *q;
            if (FA_ROOM(b, n + FA_SLACK)) return -1;
            q = fa_clean(b->data + b->len + 1, s);
            if (q) {
                b->data[b->len] = '"';
                *q++ = '"';
                b->len = q - b->data;
                return 0;
            }
        }
        if (fa_char(b, '"') || fa_text(b, s)) return -1;
        return fa_char(b, '"');
    }

    /* 1: written; 0: not a C long, nothing written; -1: error. */
    static int fa_small_int(fa_buf *b, PyObject *value) {
        int overflow;
        char digits[24], *q = digits + sizeof(digits);
        unsigned long long u;
        long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow) return 0;
        if (v == -1 && PyErr_Occurred()) return -1;
        u = v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v;
        do { *--q = (char)('0' + u % 10); u /= 10; } while (u);
        if (v < 0) *--q = '-';
        return fa_raw(b, q, digits + sizeof(digits) - q) ? -1 : 1;
    }

    static int fa_double(fa_buf *b, double v) {
        char *text;
        int failed;
        if (!isfinite(v)) return fa_raw(b, "null", 4);
        text = PyOS_double_to_string(v, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
        if (!text) return -1;
        failed = fa_raw(b, text, (Py_ssize_t)strlen(text));
        PyMem_Free(text);
        return failed;
    }

    #define FA_LIT(b, text) fa_raw((b), text, sizeof(text) - 1)

    static int fa_names(fa_buf *b, PyObject *path) {
        Py_ssize_t i, n = PyTuple_GET_SIZE(path);
        if (fa_char(b, '[')) return -1;
        for (i = 0; i < n; i++) {
            if (i && fa_char(b, ',')) return -1;
            if (fa_string(b, PyTuple_GET_ITEM(path, i))) return -1;
        }
        return fa_char(b, ']');
    }

    static int fa_are_names(PyObject *path) {
        Py_ssize_t i;
        if (!PyTuple_CheckExact(path)) return 0;
        for (i = PyTuple_GET_SIZE(path); i--;) if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(path, i))) return 0;
        return 1;
    }

    /* Copies text that needs no escape and returns the new end; NULL for any other text. Room is the caller's:
       seven bytes after the end may be written too. */
    static inline char *fa_clean(char *q, PyObject *s) {
        Py_ssize_t n, i;
        const unsigned char *p;
        uint64_t w, dirty = 0;
        if (!PyUnicode_IS_COMPACT_ASCII(s)) return NULL;
        n = PyUnicode_GET_LENGTH(s);
        p = (const unsigned char *)PyUnicode_DATA(s);
        if (n < 8) {
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            /* The eight bytes that end with the text start within the object; blanks take the place of the
               others. Eight bytes are written. */
            if (!n) return q;
            memcpy(&w, p + n - 8, 8);
            w = w >> (64 - 8 * n) | (FA_ONES * 0x20) << (8 * n);
            if (FA_DIRTY(w)) return NULL;
            memcpy(q, &w, 8);
            return q + n;
    #else
            for (i = 0; i < n; i++) {
                unsigned char c = p[i];
                dirty |= (c < 0x20) | (c == '"') | (c == '\\');
                q[i] = (char)c;
            }
            return dirty ? NULL : q + n;
    #endif
        }
        for (i = 0; i + 8 <= n; i += 8) {
            memcpy(&w, p + i, 8);
            dirty |= FA_DIRTY(w);
            memcpy(q + i, &w, 8);
        }
        memcpy(&w, p + n - 8, 8);
        dirty |= FA_DIRTY(w);
        memcpy(q + n - 8, &w, 8);
        return dirty ? NULL : q + n;
    }

    #define FA_PUT(q, text) (memcpy((q), text, sizeof(text) - 1), (q) + sizeof(text) - 1)
    #define FA_TRY(q, s) do { (q) = fa_clean((q), (s)); if (!(q)) return 0; } while (0)

    static Py_ssize_t fa_size(PyObject *path) {
        Py_ssize_t n = 0, i;
        for (i = PyTuple_GET_SIZE(path); i--;) n += PyUnicode_GET_LENGTH(PyTuple_GET_ITEM(path, i)) + 4;
        return n;
    }

    /* fa_head for fields without a character to escape: one check of the room. 1: written; 0: not so; -1: error. */
    static int fa_clean_head(fa_buf *b, PyObject *category, PyObject *symbol, PyObject *path, PyObject *outer,
                             PyObject *message) {
        Py_ssize_t i, n, need = PyUnicode_GET_LENGTH(category) + PyUnicode_GET_LENGTH(symbol)
            + PyUnicode_GET_LENGTH(message) + fa_size(path) + fa_size(outer);
        char *q;
        if (need > (1 << 20)) return 0;
        if (FA_ROOM(b, 2 * need + 128)) return -1;
        q = FA_PUT(b->data + b->len, "{\"key\":\"");
        for (i = 0, n = PyTuple_GET_SIZE(outer); i < n; i++) { FA_TRY(q, PyTuple_GET_ITEM(outer, i)); *q++ = '>'; }
        FA_TRY(q, category);
        *q++ = '.';
        n = PyTuple_GET_SIZE(path);
        if (!n) q = FA_PUT(q, "root.");
        for (i = 0; i < n; i++) { FA_TRY(q, PyTuple_GET_ITEM(path, i)); *q++ = '.'; }
        FA_TRY(q, symbol);
        q = FA_PUT(q, "\",\"category\":\"");
        FA_TRY(q, category);
        q = FA_PUT(q, "\",\"symbol\":\"");
        FA_TRY(q, symbol);
        q = FA_PUT(q, "\",\"path\":[");
        for (i = 0; i < n; i++) {
            if (i) *q++ = ',';
            *q++ = '"';
            FA_TRY(q, PyTuple_GET_ITEM(path, i));
            *q++ = '"';
        }
        q = FA_PUT(q, "],\"runtime_path\":[");
        for (i = 0, n = PyTuple_GET_SIZE(outer); i < n; i++) {
            if (i) *q++ = ',';
            *q++ = '"';
            FA_TRY(q, PyTuple_GET_ITEM(outer, i));
            *q++ = '"';
        }
        q = FA_PUT(q, "],\"message\":\"");
        FA_TRY(q, message);
        q = FA_PUT(q, "\",\"context\":");
        b->len = q - b->data;
        return 1;
    }

    /* From "{" to the context, for fields of the usual types. 1: written; 0: unusual, nothing written; -1: error.
       Runs no Python code, so that borrowed references do where a GIL is held. */
    static int fa_head_held(fa_buf *b, PyObject *category, PyObject *symbol, PyObject *path, PyObject *outer,
                       PyObject *message) {
        Py_ssize_t i, n;
        int done;
        if (!PyUnicode_CheckExact(category) || !PyUnicode_CheckExact(symbol) || !PyUnicode_CheckExact(message)
            || !fa_are_names(path) || !fa_are_names(outer)) return 0;
        done = fa_clean_head(b, category, symbol, path, outer, message);
        if (done) return done;
        if (FA_LIT(b, "{\"key\":\"")) return -1;
        for (i = 0, n = PyTuple_GET_SIZE(outer); i < n; i++)
            if (fa_text(b, PyTuple_GET_ITEM(outer, i)) || fa_char(b, '>')) return -1;
        if (fa_text(b, category) || fa_char(b, '.')) return -1;
        n = PyTuple_GET_SIZE(path);
        if (!n && FA_LIT(b, "root.")) return -1;
        for (i = 0; i < n; i++)
            if (fa_text(b, PyTuple_GET_ITEM(path, i)) || fa_char(b, '.')) return -1;
        if (fa_text(b, symbol) || FA_LIT(b, "\",\"category\":\"") || fa_text(b, category)
            || FA_LIT(b, "\",\"symbol\":\"") || fa_text(b, symbol) || FA_LIT(b, "\",\"path\":") || fa_names(b, path)
            || FA_LIT(b, ",\"runtime_path\":") || fa_names(b, outer) || FA_LIT(b, ",\"message\":\"")
            || fa_text(b, message) || FA_LIT(b, "\",\"context\":")) return -1;
        return 1;
    }
    static inline int fa_head(fa_buf *b, PyObject *category, PyObject *symbol, PyObject *path, PyObject *outer,
                              PyObject *message) {
        int done;
    #ifdef Py_GIL_DISABLED
        Py_INCREF(category); Py_INCREF(symbol); Py_INCREF(path); Py_INCREF(outer); Py_INCREF(message);
    #endif
        done = fa_head_held(b, category, symbol, path, outer, message);
    #ifdef Py_GIL_DISABLED
        Py_DECREF(category); Py_DECREF(symbol); Py_DECREF(path); Py_DECREF(outer); Py_DECREF(message);
    #endif
        return done;
    }

    /* A dict of str to str, int, float, bool or None: no Python code can run. 1: written; 0: not such a dict,
       nothing written; -1: error. */
    static int fa_flat(fa_buf *b, PyObject *dict) {
        Py_ssize_t pos = 0, start = b->len;
        PyObject *key, *value;
        int done = 1, first = 1;
        if (b->depth >= FA_DEPTH) return 0;
        if (fa_char(b, '{')) return -1;
    #ifdef Py_GIL_DISABLED
        Py_BEGIN_CRITICAL_SECTION(dict);
    #endif
        while (PyDict_Next(dict, &pos, &key, &value)) {
            if (!PyUnicode_CheckExact(key)) { done = 0; break; }
            if (!first && fa_char(b, ',')) { done = -1; break; }
            first = 0;
            if (fa_string(b, key) || fa_char(b, ':')) { done = -1; break; }
            if (PyUnicode_CheckExact(value)) { if (fa_string(b, value)) done = -1; }
            else if (PyLong_CheckExact(value)) done = fa_small_int(b, value);
            else if (value == Py_None) { if (FA_LIT(b, "null")) done = -1; }
            else if (value == Py_True) { if (FA_LIT(b, "true")) done = -1; }
            else if (value == Py_False) { if (FA_LIT(b, "false")) done = -1; }
            else if (PyFloat_CheckExact(value)) { if (fa_double(b, PyFloat_AS_DOUBLE(value))) done = -1; }
            else done = 0;
            if (done != 1) break;
        }
    #ifdef Py_GIL_DISABLED
        Py_END_CRITICAL_SECTION();
    #endif
        if (done == 1) return fa_char(b, '}') ? -1 : 1;
        if (done == 0) b->len = start;
        return done;
    }

    /* The document, once: the buffer itself where there is one. */
    static PyObject *fa_bytes(fa_buf *b) {
        PyObject *found = b->bytes;
        if (!found) return PyBytes_FromStringAndSize(b->data, b->len);
        b->bytes = NULL;
        if (_PyBytes_Resize(&found, b->len)) return NULL;
        return found;
    }

    /* 1: entered; 0: circular; -1: too deep. */
    static int fa_enter(fa_buf *b, PyObject *value) {
        int i;
        for (i = 0; i < b->depth; i++) if (b->stack[i] == (void *)value) return 0;
        if (b->depth >= FA_DEPTH) return -1;
        b->stack[b->depth++] = (void *)value;
        return 1;
    }

    /* An outcome whose result the collector never tracks cannot be part of a cycle. */
    static inline void fa_untrack(PyObject *outcome, PyObject *result) {
    #ifndef Py_GIL_DISABLED
        if (!PyObject_IS_GC(result)) PyObject_GC_UnTrack(outcome);
    #endif
    }
    static inline void fa_track(PyObject *outcome) {
        if (!PyObject_GC_IsTracked(outcome)) PyObject_GC_Track(outcome);
    }

    /* A list of one, with room for three more. */
    static PyObject *fa_list(PyObject *item) {
    #ifndef Py_GIL_DISABLED
        PyObject *list = PyList_New(4);
        if (!list) return NULL;
        Py_SET_SIZE((PyVarObject *)list, 1);
    #else
        PyObject *list = PyList_New(1);
        if (!list) return NULL;
    #endif
        Py_INCREF(item);
        PyList_SET_ITEM(list, 0, item);
        return list;
    }

    /* What is done with a new object of a subclass, or of the class when nothing initialises it. */
    static PyTypeObject *fa_class;
    static newfunc fa_was_new;
    static int (*fa_starts)(PyObject *);

    static PyObject *fa_new(PyTypeObject *type, PyObject *args, PyObject *named) {
        PyObject *made = fa_was_new(type, args, named);
        if (type != fa_class && made != NULL && fa_starts(made)) Py_CLEAR(made);
        return made;
    }

    static int fa_start(PyObject *cls, int (*starts)(PyObject *)) {
        fa_class = (PyTypeObject *)cls;
        fa_starts = starts;
        fa_was_new = fa_class->tp_new;
        fa_class->tp_new = fa_new;
        return 0;
    }

    /* What Cython lets no extension class define. */
    static int fa_define(PyObject *cls, const char *name, PyObject *value) {
        if (PyDict_SetItemString(((PyTypeObject *)cls)->tp_dict, name, value)) return -1;
        PyType_Modified((PyTypeObject *)cls);
        return 0;
    }

    /* The public path of a class, for repr, pickle and documentation. */
    static int fa_publish(PyObject *cls, const char *name, PyObject *module) {
        PyTypeObject *type = (PyTypeObject *)cls;
        if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
            if (PyDict_SetItemString(type->tp_dict, "__module__", module)) return -1;
        } else {
            type->tp_name = name;
        }
        PyType_Modified(type);
        return 0;
    }
    """
    ctypedef struct fa_buf:
        Py_ssize_t len
        int depth
    void fa_open(fa_buf*) noexcept
    void fa_close(fa_buf*) noexcept
    int fa_keep(PyObject*, const char*) except -1
    int fa_reserve(fa_buf*, Py_ssize_t) except -1
    int fa_raw(fa_buf*, const char*, Py_ssize_t) except -1
    int fa_char(fa_buf*, char) except -1
    int fa_text(fa_buf*, object) except -1
    int fa_string(fa_buf*, object) except -1
    int fa_small_int(fa_buf*, object) except -1
    int fa_double(fa_buf*, double) except -1
    int fa_head(fa_buf*, PyObject*, PyObject*, PyObject*, PyObject*, PyObject*) except -1
    int fa_flat(fa_buf*, object) except -1
    object fa_bytes(fa_buf*)
    int fa_enter(fa_buf*, PyObject*) noexcept
    list fa_list(object)
    void fa_untrack(PyObject*, PyObject*) noexcept
    void fa_track(PyObject*) noexcept
    int fa_start(object, int (*)(PyObject*) except -1) except -1
    int fa_define(object, const char*, object) except -1
    int fa_publish(object, const char*, object) except -1

cdef extern from "Python.h":
    int Py_ReprEnter(object) except -1
    void Py_ReprLeave(object)
    PyObject* PyDict_GetItemWithError(object, object)
    bint PyDict_Next(PyObject*, Py_ssize_t*, PyObject**, PyObject**)

cdef object ERROR = ErrorSeverity.ERROR
cdef object WARNING = ErrorSeverity.WARNING
cdef object CRITICAL = ErrorSeverity.CRITICAL
cdef object FATAL = ErrorSeverity.FATAL

cdef enum:
    MANY = 16  # errors in a collection before it finds them by identity

cdef tuple EMPTY = ()

cdef object piece = _reports.piece
cdef object key_text = _reports.key_text
cdef object int_text = _reports.int_text
cdef object simplify = _reports.simplify
cdef object shown = _reports.shown
cdef object rank = _reports.rank


# Fields


cdef inline object as_path(object value, str name):
    # tuples and strings are kept; lists and other iterables become tuples
    if type(value) is tuple or isinstance(value, (tuple, str)):
        return value
    if value is None:
        return ()
    # bytes would become numbers, a dict would lose its values and a set has no order
    if isinstance(value, (bytes, bytearray, Mapping, Set)):
        raise TypeError(f"{name} must be a tuple or list of names, not {type(value).__name__}")
    try:
        return tuple(value)
    except TypeError:
        raise TypeError(f"{name} must be a tuple or list of names, not {type(value).__name__}") from None


cdef inline object as_context(object value):
    # dicts are kept, also those of a subclass; other mappings are copied
    if value is None or type(value) is dict or isinstance(value, dict):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"context must be a dict or another mapping, not {type(value).__name__}")


cdef object as_metadata(object value):
    # always a copy
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"metadata must be a dict or another mapping, not {type(value).__name__}")
    return dict(value)


cdef inline object part(object value):
    # one piece of a key, as a str
    return value if type(value) is str else piece(value)


def _restore_error(cls, fields, extras):
    # by public attributes: the class of a pickle may be a subclass of the other twin's error
    if cls is None:
        cls = FoobaraError
    error = cls.__new__(cls)
    if isinstance(error, FoobaraError):  # the setters may be the subclass's own
        (<FoobaraError>error)._path = as_path(fields[2], "path")
        (<FoobaraError>error)._context = as_context(fields[4])
        (<FoobaraError>error)._runtime_path = as_path(fields[5], "runtime_path")
    (error.category, error.symbol, error.path, error.message, error.context, error.runtime_path,
     error.is_fatal, severity, error.suggestion, error.help_url, error.cause, error.stack_trace) = fields
    error.severity = ErrorSeverity(severity[0]) if type(severity) is tuple else severity
    _reports.set_extras(error, extras)
    return error


@cython.freelist(64)
@cython.trashcan(True)
cdef class FoobaraError:
    """FoobaraError(category='data', symbol='', path=(), message='', context=None, runtime_path=(), is_fatal=False, \
severity=ErrorSeverity.ERROR, suggestion=None, help_url=None, cause=None, stack_trace=None)
--

One error of a command: where (path, runtime path), what (category, symbol, message) and how bad."""

    __hash__ = None
    __match_args__ = ("category", "symbol", "path", "message", "context", "runtime_path", "is_fatal", "severity",
                      "suggestion", "help_url", "cause", "stack_trace")
    __dataclass_fields__ = _reports.ErrorFields()
    __dataclass_params__ = _reports.ERROR_PARAMS
    __foobara_error__ = True

    def __init__(self, category="data", symbol="", path=(), message="", context=None, runtime_path=(),
                 is_fatal=False, severity=ERROR, suggestion=None, help_url=None, cause=None, stack_trace=None):
        if type(self) is FoobaraError:
            self.category = category
            self.symbol = symbol
            self._path = as_path(path, "path")
            self.message = message
        else:
            (<object>self).category = category
            (<object>self).symbol = symbol
            self._path = as_path(path, "path")
            (<object>self).message = message
        self._context = as_context(context)
        self._runtime_path = as_path(runtime_path, "runtime_path")
        self.is_fatal = is_fatal
        self.severity = severity
        self.suggestion = suggestion
        self.help_url = help_url
        self.cause = cause
        self.stack_trace = stack_trace

    @property
    def path(self):
        """Where in the inputs: a tuple of names; a str is kept as it was given."""
        return self._path

    @path.setter
    def path(self, value):
        self._path = as_path(value, "path")

    @property
    def runtime_path(self):
        """The symbols of the commands around the one that failed, outermost first."""
        return self._runtime_path

    @runtime_path.setter
    def runtime_path(self, value):
        self._runtime_path = as_path(value, "runtime_path")

    @property
    def context(self):
        """Details of the error; the dict is created at the first look."""
        if self._context is None:
            first_context(self)
        return self._context

    @context.setter
    def context(self, value):
        self._context = as_context(value)

    # Factories

    @classmethod
    def data_error(cls, symbol, path, message, suggestion=None, **context):
        """An input that is wrong; ``severity`` and ``is_fatal`` go by name, other names are context."""
        return build(cls, "data", symbol, path, message, suggestion, None, context)

    @classmethod
    def validation_error(cls, symbol, path, message, suggestion=None, **context):
        """The same as :meth:`data_error`."""
        return build(cls, "data", symbol, path, message, suggestion, None, context)

    @classmethod
    def runtime_error(cls, symbol, message, is_fatal=False, suggestion=None, **context):
        """Something that went wrong while running; critical when fatal."""
        context["is_fatal"] = is_fatal
        refuse_severity(context)
        return build(cls, "runtime", symbol, (), message, suggestion, CRITICAL if is_fatal else ERROR, context)

    @classmethod
    def domain_error(cls, symbol, message, path=(), suggestion=None, **context):
        """A rule of the domain that does not hold."""
        return build(cls, "domain", symbol, path, message, suggestion, None, context)

    @classmethod
    def system_error(cls, symbol, message, is_fatal=True, suggestion=None, **context):
        """A failure of the system itself: fatal, or critical when *is_fatal* is False."""
        context["is_fatal"] = is_fatal
        refuse_severity(context)
        return build(cls, "system", symbol, (), message, suggestion, FATAL if is_fatal else CRITICAL, context)

    @classmethod
    def auth_error(cls, symbol, message, suggestion=None, **context):
        """A caller who is not known, or not allowed to do this."""
        return build(cls, "auth", symbol, (), message, suggestion, None, context)

    @classmethod
    def external_error(cls, symbol, message, service=None, suggestion=None, **context):
        """A failure of another service, whose name goes to ``context["service"]``; a warning."""
        refuse_severity(context)
        if service:
            context["service"] = service
        return build(cls, "external", symbol, (), message, suggestion, WARNING, context)

    @classmethod
    def from_exception(cls, exception, symbol="exception", category="runtime"):
        """Describe an exception: its text (Pydantic's without input), its type and module in the context."""
        kind = type(exception)
        context = {"exception_type": kind.__name__, "exception_module": kind.__module__}
        return cls(category=category, symbol=symbol, message=_reports.told_by(exception), context=context)

    @classmethod
    def from_dict(cls, data):
        """Build an error from what :meth:`to_dict` returned; TypeError for anything but a mapping."""
        if not isinstance(data, Mapping):
            raise TypeError(f"from_dict takes a dict as to_dict returns, not {type(data).__name__}")
        severity = data.get("severity", ERROR)
        cause = data.get("cause")
        return cls(
            category=data.get("category", "data"),
            symbol=data.get("symbol", ""),
            path=data.get("path", ()),
            message=data.get("message", ""),
            context=dict(as_context(data.get("context")) or {}),
            runtime_path=data.get("runtime_path", ()),
            is_fatal=data.get("is_fatal", False),
            severity=severity if isinstance(severity, ErrorSeverity) else ErrorSeverity(severity),
            suggestion=data.get("suggestion"),
            help_url=data.get("help_url"),
            cause=FoobaraError.from_dict(cause) if isinstance(cause, dict) else cause,
        )

    # Derived

    def key(self):
        """Return ``outer>inner>category.path.symbol`` of the present fields; an empty path is ``root``."""
        names, outer = path_of(self), outer_of(self)
        path = ".".join([part(p) for p in names]) if names else "root"
        tail = ".".join([part(category_of(self)), path, part(symbol_of(self))])
        if not outer:
            return tail
        return ">".join([part(p) for p in outer]) + ">" + tail

    @property
    def error_code(self):
        """``category.path.symbol``; an empty path adds nothing."""
        return ".".join([part(category_of(self)), *[part(p) for p in path_of(self)], part(symbol_of(self))])

    def with_runtime_path_prefix(self, *prefix):
        """Return a copy with *prefix* in front of the runtime path; the context dict is shared."""
        cdef FoobaraError copy = clone(self, True)
        if type(copy) is FoobaraError:
            copy._runtime_path = prefix + tuple(self._runtime_path)
        else:
            (<object>copy).runtime_path = prefix + tuple(outer_of(self))
        return copy

    def with_path_prefix(self, *prefix):
        """Return a copy with *prefix* in front of the path; the context dict is shared."""
        cdef FoobaraError copy = clone(self, True)
        if type(copy) is FoobaraError:
            copy._path = prefix + tuple(self._path)
        else:
            (<object>copy).path = prefix + tuple(path_of(self))
        return copy

    def with_cause(self, cause):
        """Return a copy whose cause is *cause*; the context dict is shared."""
        cdef FoobaraError copy = clone(self, True)
        set_cause(copy, cause)
        return copy

    def with_suggestion(self, suggestion):
        """Return a copy with this suggestion; the context dict is shared."""
        cdef FoobaraError copy = clone(self, True)
        if type(copy) is FoobaraError:
            copy.suggestion = suggestion
        else:
            (<object>copy).suggestion = suggestion
        return copy

    def with_help_url(self, help_url):
        """Return a copy with this help URL; the context dict is shared."""
        cdef FoobaraError copy = clone(self, True)
        if type(copy) is FoobaraError:
            copy.help_url = help_url
        else:
            (<object>copy).help_url = help_url
        return copy

    def get_error_chain(self):
        """Return this error, its cause, the cause's cause and so on; a cycle ends the list."""
        chain = [self]
        seen = {id(self)}
        cause = cause_of(self)
        while isinstance(cause, FoobaraError) and id(cause) not in seen:
            seen.add(id(cause))
            chain.append(cause)
            cause = cause_of(<FoobaraError>cause)
        return chain

    def get_root_cause(self):
        """Return the last error of :meth:`get_error_chain`."""
        return self.get_error_chain()[-1]

    # Output

    def to_dict(self):
        """Return a dict: optional members only when set, the context dict itself, no stack trace."""
        return error_dict(self)

    def to_json_bytes(self):
        """Return :meth:`to_dict` as compact UTF-8 JSON; values JSON lacks are converted."""
        cdef fa_buf b
        fa_open(&b)
        try:
            fa_enter(&b, <PyObject*>self)
            put_error(&b, self)
            return fa_bytes(&b)
        finally:
            fa_close(&b)

    def to_problem(self):
        """Return the RFC 9457 problem document of this one error."""
        return _reports.problem([self])

    # Protocols

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return same_error(self, other)

    def __ne__(self, other):
        # Not what Cython makes of __eq__: a subclass may have one of its own.
        equal = (<object>self).__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __repr__(self):
        if Py_ReprEnter(self):
            return "..."
        try:
            return _reports.error_text(self)
        finally:
            Py_ReprLeave(self)

    def __copy__(self):
        return clone(self, True)

    def __replace__(self, **changes):
        return _reports.replaced(clone(self, True), changes)

    def __deepcopy__(self, memo):
        cdef FoobaraError copy = clone(self, False)
        from copy import deepcopy
        memo[id(self)] = copy
        copy._path = deepcopy(self._path, memo)
        copy._context = deepcopy(self._context, memo)
        copy._runtime_path = deepcopy(self._runtime_path, memo)
        cause = deepcopy(cause_of(self), memo)
        set_cause(copy, cause)
        _reports.set_extras(copy, deepcopy(_reports.extras(self, FoobaraError), memo))
        return copy

    def __reduce_ex__(self, protocol):
        from foobara_accel.core.errors import _restore_error as restore
        kind = type(self)
        severity = severity_of(self)
        if isinstance(severity, ErrorSeverity):
            severity = (severity.value,)
        fields = (category_of(self), symbol_of(self), self._path, message_of(self), self._context, self._runtime_path,
                  is_fatal_of(self), severity, suggestion_of(self), help_url_of(self), None, stack_trace_of(self))
        given = (None if kind is FoobaraError else kind, fields, _reports.extras(self, FoobaraError))
        cause = cause_of(self)
        if cause is None:
            return restore, given
        # Not among what the error is made of: it may lead back to this error. Put by a function of its own, as
        # a subclass may have a __setstate__.
        from foobara_accel.core.errors import _restore_cause as put_cause
        return restore, given, cause, None, None, put_cause

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return _reports.error_schema(cls)


def _init_subclass(cls, **given):
    super(FoobaraError, cls).__init_subclass__(**given)
    _reports.keep_text(cls, FoobaraError)


fa_define(FoobaraError, b"__init_subclass__", classmethod(_init_subclass))


cdef int start(PyObject* made) except -1:
    # A subclass may have fields or slots of its own in place of these, or an __init__ that sets none: what it
    # does not set is then the default.
    cdef FoobaraError error = <FoobaraError>made
    error.category = "data"
    error.symbol = ""
    error._path = EMPTY
    error.message = ""
    error._runtime_path = EMPTY
    error.is_fatal = False
    error.severity = ERROR
    return 0


fa_start(FoobaraError, start)


# The fields of an error. A subclass may have an attribute of that name of its own.


cdef inline object path_of(FoobaraError error):
    return error._path if type(error) is FoobaraError else as_path((<object>error).path, "path")


cdef inline object outer_of(FoobaraError error):
    return error._runtime_path if type(error) is FoobaraError else as_path((<object>error).runtime_path, "runtime_path")


cdef inline object context_of(FoobaraError error):
    return error._context if type(error) is FoobaraError else (<object>error).context


cdef inline object category_of(FoobaraError error):
    return error.category if type(error) is FoobaraError else (<object>error).category


cdef inline object symbol_of(FoobaraError error):
    return error.symbol if type(error) is FoobaraError else (<object>error).symbol


cdef inline object message_of(FoobaraError error):
    return error.message if type(error) is FoobaraError else (<object>error).message


cdef inline object is_fatal_of(FoobaraError error):
    return error.is_fatal if type(error) is FoobaraError else (<object>error).is_fatal


cdef inline object severity_of(FoobaraError error):
    return error.severity if type(error) is FoobaraError else (<object>error).severity


cdef inline object suggestion_of(FoobaraError error):
    return error.suggestion if type(error) is FoobaraError else (<object>error).suggestion


cdef inline object help_url_of(FoobaraError error):
    return error.help_url if type(error) is FoobaraError else (<object>error).help_url


cdef inline object cause_of(FoobaraError error):
    return error.cause if type(error) is FoobaraError else (<object>error).cause


cdef inline object stack_trace_of(FoobaraError error):
    return error.stack_trace if type(error) is FoobaraError else (<object>error).stack_trace


cdef int set_cause(FoobaraError error, object cause) except -1:
    if type(error) is FoobaraError:
        error.cause = cause
    else:
        (<object>error).cause = cause
    return 0


cdef int first_context(FoobaraError error) except -1:
    # made in front of the question: making an object may let another thread run
    cdef dict made = {}
    with cython.critical_section(error):
        if error._context is None:
            error._context = made
    return 0


cdef object refuse_severity(dict context):
    if "severity" in context:
        raise TypeError("severity follows from is_fatal and the kind of error; it cannot be passed")


cdef object build(object cls, object category, object symbol, object path, object message, object suggestion,
                  object severity, dict context):
    # what the factories share: path, severity and is_fatal travel in the keyword arguments
    cdef FoobaraError error
    if "category" in context:
        raise TypeError("the factory decides the category; it cannot be passed")
    is_fatal = context.pop("is_fatal", False)
    if "path" in context:
        path = context.pop("path")
    if severity is None:
        severity = context.pop("severity", None)
        if severity is None:
            severity = FATAL if is_fatal else ERROR
    runtime_path = context.pop("runtime_path", ())
    help_url = context.pop("help_url", None)
    if cls is FoobaraError:
        error = make_error(category, symbol, path, message, context or None, runtime_path, is_fatal, severity)
        error.suggestion = suggestion
        error.help_url = help_url
        return error
    return cls(category=category, symbol=symbol, path=path, message=message, context=context,
               runtime_path=runtime_path, is_fatal=is_fatal, severity=severity, suggestion=suggestion,
               help_url=help_url)


cdef FoobaraError clone(FoobaraError error, bint share):
    cdef FoobaraError copy
    kind = type(error)
    copy = FoobaraError.__new__(FoobaraError) if kind is FoobaraError else kind.__new__(kind)
    if share and error._context is None:
        first_context(error)
    if kind is FoobaraError:
        copy.category = error.category
        copy.symbol = error.symbol
        copy.message = error.message
    else:
        (<object>copy).category = (<object>error).category
        (<object>copy).symbol = (<object>error).symbol
        (<object>copy).message = (<object>error).message
    copy._path = error._path
    copy._context = error._context
    copy._runtime_path = error._runtime_path
    copy.is_fatal = error.is_fatal
    copy.severity = error.severity
    copy.suggestion = error.suggestion
    copy.help_url = error.help_url
    copy.cause = error.cause
    copy.stack_trace = error.stack_trace
    if kind is not FoobaraError:
        _reports.set_extras(copy, _reports.extras(error, FoobaraError))
    return copy


cdef object same_error(FoobaraError a, FoobaraError b):
    # causes are followed in a loop: a chain may be long, or closed
    cdef set seen = None
    while True:
        if a is b:
            return True
        if not (category_of(a) == category_of(b) and symbol_of(a) == symbol_of(b) and path_of(a) == path_of(b)
                and message_of(a) == message_of(b) and (context_of(a) or {}) == (context_of(b) or {})
                and outer_of(a) == outer_of(b) and is_fatal_of(a) == is_fatal_of(b) and severity_of(a) == severity_of(b)
                and suggestion_of(a) == suggestion_of(b) and help_url_of(a) == help_url_of(b) and stack_trace_of(a) == stack_trace_of(b)):
            return False
        if not isinstance(cause_of(a), FoobaraError) or type(cause_of(a)) is not type(cause_of(b)):
            return bool(cause_of(a) == cause_of(b))
        a, b = cause_of(a), cause_of(b)
        if seen is None:
            seen = set()
        if (id(a), id(b)) in seen:
            return True
        seen.add((id(a), id(b)))


cdef object severity_text(object severity):
    return severity.value if isinstance(severity, ErrorSeverity) else severity


cdef object dict_of(FoobaraError error):
    # as error.to_dict(), which a class of its own may have overridden
    if type(error) is FoobaraError:
        return error_dict(error)
    own = _reports.own_dict(error, FoobaraError.to_dict)
    return error_dict(error) if own is _reports.NO_OWN_DICT else own


cdef dict error_dict(FoobaraError error):
    cdef dict first = None
    cdef dict outer = None
    cdef dict this
    cdef set seen = None
    while True:
        this = {
            "key": error.key(),
            "category": category_of(error),
            "symbol": symbol_of(error),
            "path": list(path_of(error)),
            "runtime_path": list(outer_of(error)),
            "message": message_of(error),
            "context": error.context,
            "is_fatal": is_fatal_of(error),
            "severity": severity_text(severity_of(error)),
        }
        if suggestion_of(error):
            this["suggestion"] = suggestion_of(error)
        if help_url_of(error):
            this["help_url"] = help_url_of(error)
        if outer is None:
            first = this
        else:
            outer["cause"] = this
        outer = this
        cause = cause_of(error)
        if not isinstance(cause, FoobaraError):
            if cause:
                this["cause"] = cause
            return first
        if seen is None:
            seen = {id(error)}
        if id(cause) in seen:
            return first
        if type(cause) is not FoobaraError:
            own = _reports.own_dict(cause, FoobaraError.to_dict)
            if own is not _reports.NO_OWN_DICT:
                this["cause"] = own
                return first
        seen.add(id(cause))
        error = <FoobaraError>cause


# Collection


@cython.freelist(16)
cdef class ErrorCollection:
    """The errors of one command in order of arrival, each object once."""

    __hash__ = object.__hash__

    def __init__(self):
        pass

    cdef bint has_any(self):
        return self._pending is not None or (self._items is not None and len(self._items) > 0)

    cdef list items(self):
        if self._pending is not None:
            settle(self)
        if self._items is None:
            first_items(self)
        return self._items

    cdef int append(self, FoobaraError error) except -1:
        cdef list items = self.items()
        cdef Py_ssize_t i
        if self._ids is None:
            for i in range(len(items)):
                if items[i] is error:
                    return 0
            items.append(error)
            if len(items) >= MANY:
                self._ids = {id(e) for e in items}
            return 0
        if id(error) not in self._ids:
            self._ids.add(id(error))
            items.append(error)
        return 0

    # Changing

    def add(self, error):
        """Add an error unless this object is present; returns the collection. TypeError for another type."""
        self.append(as_error(error))
        return self

    def add_all(self, *errors):
        """Add several errors; returns the collection."""
        for error in errors:
            self.append(as_error(error))
        return self

    def merge(self, errors):
        """Add the errors of a collection or any iterable; returns the collection."""
        for error in list(errors):
            self.append(as_error(error))
        return self

    def clear(self):
        """Remove every error."""
        held = (self._items, self._pending)  # freed at the end: that may run any code
        with cython.critical_section(self):
            self._items = None
            self._pending = None
            self._ids = None
        del held

    def copy(self):
        """Return a new collection with the same error objects."""
        return collection_of(list(self.items()))

    # Looking

    def has_errors(self):
        """Tell whether there is an error."""
        return self.has_any()

    def has_fatal(self):
        """Tell whether an error is fatal."""
        if self._items is None:
            return False
        for error in self._items:
            if is_fatal_of(<FoobaraError>error):
                return True
        return False

    def is_empty(self):
        """Tell whether there is no error."""
        return not self.has_any()

    def count(self):
        """Return how many errors there are."""
        return self.__len__()

    def __len__(self):
        if self._pending is not None:
            settle(self)
        return 0 if self._items is None else len(self._items)

    def __bool__(self):
        return self.has_any()

    def __iter__(self):
        return iter(list(self.items()))

    def __contains__(self, key):
        if isinstance(key, FoobaraError):
            return any([error is key for error in self.items()])
        return any([error.key() == key for error in self.items()])

    def get(self, key):
        """Return the last error with this key, or None."""
        found = None
        for error in self.items():
            if error.key() == key:
                found = error
        return found

    def first(self):
        """Return the first error, or None."""
        cdef list items = self.items()
        return items[0] if items else None

    def all(self):
        """Return a new list of the errors."""
        return list(self.items())

    def keys(self):
        """Return the keys, each once, in order of first arrival."""
        return list(dict.fromkeys([error.key() for error in self.items()]))

    # Choosing

    def at_path(self, path, *rest):
        """Return the errors at exactly this path, given as names or as one list or tuple."""
        wanted = (path, *rest) if isinstance(path, str) else (*as_path(path, "path"), *rest)
        return [error for error in self.items() if tuple(path_of(<FoobaraError>error)) == wanted]

    def with_symbol(self, symbol):
        """Return the errors with this symbol."""
        return [error for error in self.items() if symbol_of(<FoobaraError>error) == symbol]

    def by_category(self, category):
        """Return the errors of this category."""
        return [error for error in self.items() if category_of(<FoobaraError>error) == category]

    def by_severity(self, severity):
        """Return the errors of this severity, given as ErrorSeverity or as its value."""
        return [error for error in self.items() if severity_of(<FoobaraError>error) == severity]

    def in_runtime_path(self, *prefix):
        """Return the errors whose runtime path starts with *prefix*: names, or one list or tuple."""
        if len(prefix) == 1 and isinstance(prefix[0], (list, tuple)):
            prefix = tuple(prefix[0])
        n = len(prefix)
        return [error for error in self.items() if tuple(outer_of(<FoobaraError>error)[:n]) == prefix]

    def fatal_errors(self):
        """Return the fatal errors."""
        return [error for error in self.items() if is_fatal_of(<FoobaraError>error)]

    def critical_errors(self):
        """Return the errors whose severity is critical or fatal."""
        return [error for error in self.items() if severity_of(<FoobaraError>error) in (CRITICAL, FATAL)]

    def data_errors(self):
        """Return the errors of category data."""
        return self.by_category("data")

    def runtime_errors(self):
        """Return the errors of category runtime."""
        return self.by_category("runtime")

    def system_errors(self):
        """Return the errors of category system."""
        return self.by_category("system")

    def domain_errors(self):
        """Return the errors of category domain."""
        return self.by_category("domain")

    def auth_errors(self):
        """Return the errors of category auth."""
        return self.by_category("auth")

    def with_suggestions(self):
        """Return the errors that carry a suggestion."""
        return [error for error in self.items() if suggestion_of(<FoobaraError>error)]

    def group_by_path(self):
        """Return path -> errors, in order of first arrival."""
        groups = {}
        for error in self.items():
            groups.setdefault(path_of(<FoobaraError>error), []).append(error)
        return groups

    def group_by_category(self):
        """Return category -> errors, in order of first arrival."""
        groups = {}
        for error in self.items():
            groups.setdefault(category_of(<FoobaraError>error), []).append(error)
        return groups

    def sort_by_severity(self):
        """Return the errors, most severe first; equals keep their order."""
        return sorted(self.items(), key=rank, reverse=True)

    def most_severe(self):
        """Return the first of the most severe errors, or None."""
        return max(self.items(), key=rank, default=None)

    # Output

    def messages(self):
        """Return the messages."""
        return [message_of(<FoobaraError>error) for error in self.items()]

    def to_sentence(self):
        """Return the messages as ``a, b and c``."""
        return _reports.sentence([part(message) for message in self.messages()])

    def to_dict(self):
        """Return key -> error dict; of errors with the same key the last."""
        return {error.key(): dict_of(error) for error in self.items()}

    def to_list(self):
        """Return the error dicts."""
        return [dict_of(error) for error in self.items()]

    def to_json_bytes(self):
        """Return :meth:`to_list` as compact UTF-8 JSON; values JSON lacks are converted."""
        cdef fa_buf b
        fa_open(&b)
        try:
            put_errors(&b, self.items())
            return fa_bytes(&b)
        finally:
            fa_close(&b)

    def to_problem(self):
        """Return the RFC 9457 problem document, None without errors."""
        return _reports.problem(self.items())

    def to_human_readable(self):
        """Return a numbered list for a person to read."""
        return _reports.human_readable(self.items())

    def summary(self):
        """Return the counts: total, fatal, by_category."""
        return _reports.summary(self.items())

    # Protocols

    def __repr__(self):
        if Py_ReprEnter(self):
            return "..."
        try:
            return f"ErrorCollection({self.items()!r})"
        finally:
            Py_ReprLeave(self)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        from copy import deepcopy
        cdef ErrorCollection copy = ErrorCollection.__new__(ErrorCollection)
        memo[id(self)] = copy
        for error in self.items():
            copy.append(deepcopy(error, memo))
        return copy

    def __reduce_ex__(self, protocol):
        from foobara_accel.core.errors import _restore_collection as restore
        return restore, (list(self.items()),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return _reports.collection_schema(cls, handler.generate_schema(FoobaraError), collection_of)


cdef FoobaraError as_error(object error):
    if not isinstance(error, FoobaraError):
        raise TypeError(f"an ErrorCollection holds FoobaraError objects, not {type(error).__name__}")
    return <FoobaraError>error


cdef int settle(ErrorCollection collection) except -1:
    # What waits is alone: whoever adds an error converts first. Of threads that convert at the same time the
    # first one's errors stay and the others' are dropped.
    cdef list items
    cdef object pending, prefix, model
    with cython.critical_section(collection):
        pending, prefix, model = collection._pending, collection._pending_prefix, collection._pending_model
    if pending is None:
        return 0
    if type(pending) is tuple:
        items = row_errors(pending, prefix)
    else:
        items = validation_errors(pending, prefix, collection._pending_echo, model)
    with cython.critical_section(collection):
        if collection._pending is pending:
            collection._items = items
            collection._pending = None
            collection._pending_model = None
            collection._ids = None
    return 0


cdef int first_items(ErrorCollection collection) except -1:
    cdef list made = []
    with cython.critical_section(collection):
        if collection._items is None:
            collection._items = made
    return 0


cdef list row_errors(tuple rows, object runtime_path):
    # the context of a row is shared by all collections with that row
    return [
        make_error("data", symbol, path, message, None if context is None else dict(context), runtime_path,
                   False, ERROR)
        for path, symbol, message, context in rows
    ]


cdef list validation_errors(object error, object runtime_path, bint echo_inputs, object model):
    cdef list found = []
    for symbol, path, message, context in _reports.validation_rows(error, echo_inputs, model):
        found.append(make_error("data", symbol, path, message, context, runtime_path, False, ERROR))
    return found


# Outcome


@cython.freelist(64)
cdef class CommandOutcome:
    """What a command came to: a result, or errors."""

    __hash__ = None
    __class_getitem__ = classmethod(_reports.OutcomeAlias)

    def __init__(self, result=None, errors=(), metadata=None, **ignored):
        fa_track(<PyObject*>self)
        self._result = result
        self._collection = None
        self._errors = as_errors(errors)
        self._metadata = as_metadata(metadata)

    @classmethod
    def from_result(cls, result=None, **metadata):
        """Return a success; keyword arguments become the metadata."""
        return cls(result=result, metadata=metadata)

    @classmethod
    def from_errors(cls, *errors, **metadata):
        """Return a failure with these errors (none: a success); keyword arguments become the metadata."""
        return cls(errors=errors, metadata=metadata)

    @property
    def result(self):
        """The result; None after a failure."""
        return self._result

    @result.setter
    def result(self, value):
        fa_track(<PyObject*>self)
        self._result = value

    @property
    def errors(self):
        """The errors, a list of this outcome's own."""
        return errors_of(self)

    @errors.setter
    def errors(self, value):
        fa_track(<PyObject*>self)
        self._errors = as_errors(value)
        self._collection = None

    @property
    def metadata(self):
        """What else is known of the run."""
        if self._metadata is None:
            first_metadata(self)
        return self._metadata

    @metadata.setter
    def metadata(self, value):
        fa_track(<PyObject*>self)
        self._metadata = as_metadata(value)

    def is_success(self):
        """Tell whether there are no errors."""
        return not failed(self)

    def success(self):
        """Tell whether there are no errors."""
        return not failed(self)

    def is_failure(self):
        """Tell whether there are errors."""
        return failed(self)

    def failure(self):
        """Tell whether there are errors."""
        return failed(self)

    def unwrap(self):
        """Return the result; ValueError with the messages after a failure."""
        if failed(self):
            messages = ", ".join([part(message_of(<FoobaraError>error)) for error in errors_of(self)])
            raise ValueError(f"Command failed: {messages}")
        return self._result

    def unwrap_or(self, default):
        """Return the result, *default* after a failure."""
        return default if failed(self) else self._result

    def map(self, fn):
        """Return an outcome with ``fn(result)`` and the same metadata; a failure returns itself."""
        if failed(self):
            return self
        kind = type(self)
        return kind(result=fn(self._result), metadata=self._metadata)

    def flat_map(self, fn):
        """Return the outcome ``fn(result)`` returns; a failure returns itself."""
        return self if failed(self) else fn(self._result)

    def add_error(self, error):
        """Add an error; returns the outcome."""
        errors_of(self).append(as_outcome_error(error))
        return self

    # Output

    def to_dict(self):
        """Return success, then the result itself or the error dicts, then metadata."""
        if failed(self):
            return {
                "success": False,
                "errors": [dict_of(error) for error in errors_of(self)],
                "metadata": self.metadata,
            }
        return {"success": True, "result": self._result, "metadata": self.metadata}

    def to_json_bytes(self):
        """Return :meth:`to_dict` as compact UTF-8 JSON; values JSON lacks are converted."""
        cdef fa_buf b
        fa_open(&b)
        try:
            fa_enter(&b, <PyObject*>self)
            put_outcome(&b, self)
            return fa_bytes(&b)
        finally:
            fa_close(&b)

    def to_problem(self):
        """Return the RFC 9457 problem document of a failure, None of a success."""
        return _reports.problem(errors_of(self)) if failed(self) else None

    # Protocols

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        if self is other:
            return True
        if failed(self) or failed(other):
            if errors_of(self) != errors_of(other):
                return False
        return bool(
            self._result == (<CommandOutcome>other)._result
            and (self._metadata or {}) == ((<CommandOutcome>other)._metadata or {})
        )

    def __repr__(self):
        if Py_ReprEnter(self):
            return "..."
        try:
            errors = errors_of(self) if failed(self) else []
            return (
                f"{type(self).__qualname__}(result={shown(self._result)}, errors={errors!r}, "
                f"metadata={shown(self._metadata or {})})"
            )
        finally:
            Py_ReprLeave(self)

    def __copy__(self):
        return outcome_copy(self, self._result, list(errors_of(self)), dict(self._metadata or {}))

    def __deepcopy__(self, memo):
        from copy import deepcopy
        cdef CommandOutcome copy = outcome_copy(self, None, [], None)
        memo[id(self)] = copy
        copy._result = deepcopy(self._result, memo)
        copy._errors = deepcopy(errors_of(self), memo)
        copy._metadata = deepcopy(self._metadata, memo)
        _reports.set_extras(copy, deepcopy(_reports.extras(self, CommandOutcome), memo))
        return copy

    def __reduce_ex__(self, protocol):
        from foobara_accel.core.outcome import _restore_outcome as restore
        kind = type(self)
        errors = list(errors_of(self)) if failed(self) else []
        return restore, (
            None if kind is CommandOutcome else kind, self._result, errors, self._metadata,
            _reports.extras(self, CommandOutcome),
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from typing import Any, get_args
        arguments = get_args(source)
        result = handler.generate_schema(arguments[0] if arguments else Any)
        return _reports.outcome_schema(cls, result, handler.generate_schema(FoobaraError), outcome_from)


cdef inline bint failed(CommandOutcome outcome):
    cdef ErrorCollection collection
    if outcome._errors is None and outcome._collection is not None:
        with cython.critical_section(outcome):
            collection = outcome._collection
        if collection is not None:
            return collection.has_any()
    return outcome._errors is not None and len(outcome._errors) > 0  # again: a first look replaces the collection


cdef list errors_of(CommandOutcome outcome):
    if outcome._errors is None:
        first_errors(outcome)
    return outcome._errors


cdef int first_errors(CommandOutcome outcome) except -1:
    cdef ErrorCollection collection
    cdef list made
    with cython.critical_section(outcome):
        collection = outcome._collection
    made = [] if collection is None else list(collection.items())
    with cython.critical_section(outcome):
        if outcome._errors is None:
            fa_track(<PyObject*>outcome)
            outcome._errors = made
            outcome._collection = None
    return 0


cdef int first_metadata(CommandOutcome outcome) except -1:
    cdef dict made = {}
    with cython.critical_section(outcome):
        if outcome._metadata is None:
            fa_track(<PyObject*>outcome)
            outcome._metadata = made
    return 0


cdef list as_errors(object errors):
    cdef list found
    if isinstance(errors, FoobaraError) or isinstance(errors, (str, bytes, dict)):
        raise TypeError(f"errors must be an iterable of FoobaraError objects, not {type(errors).__name__}")
    try:
        found = list(errors)
    except TypeError:
        raise TypeError(
            f"errors must be an iterable of FoobaraError objects, not {type(errors).__name__}"
        ) from None
    for error in found:
        as_outcome_error(error)
    return found


cdef FoobaraError as_outcome_error(object error):
    if not isinstance(error, FoobaraError):
        raise TypeError(f"an outcome holds FoobaraError objects, not {type(error).__name__}")
    return <FoobaraError>error


cdef CommandOutcome outcome_copy(CommandOutcome outcome, object result, list errors, object metadata):
    cdef CommandOutcome copy
    kind = type(outcome)
    copy = kind.__new__(kind)
    copy._result = result
    copy._errors = errors
    copy._metadata = metadata
    _reports.set_extras(copy, _reports.extras(outcome, CommandOutcome))
    return copy


def outcome_from(cls, parts):
    # parts: what validation made of a dict such as to_dict returns
    errors = parts.get("errors") or []
    if parts["success"] and errors:
        raise ValueError("a successful outcome has no errors")
    if not parts["success"] and not errors:
        raise ValueError("a failed outcome needs errors")
    return cls(result=parts.get("result"), errors=errors, metadata=parts.get("metadata"))


def _restore_outcome(cls, result, errors, metadata, extras):
    outcome = (CommandOutcome if cls is None else cls).__new__(CommandOutcome if cls is None else cls)
    (<CommandOutcome?>outcome)._result = result
    (<CommandOutcome?>outcome)._errors = errors
    (<CommandOutcome?>outcome)._metadata = metadata
    _reports.set_extras(outcome, extras)
    return outcome


def collection_of(list errors):
    # a collection of these error objects
    cdef ErrorCollection collection = ErrorCollection.__new__(ErrorCollection)
    for error in errors:
        collection.append(as_error(error))
    return collection


# JSON


cdef int put_value(fa_buf* b, object value) except -1:
    cdef int entered
    kind = type(value)
    if value is None:
        return fa_raw(b, "null", 4)
    if kind is str:
        return fa_string(b, value)
    if value is True:
        return fa_raw(b, "true", 4)
    if value is False:
        return fa_raw(b, "false", 5)
    if kind is int:
        return put_int(b, value)
    if kind is float:
        return fa_double(b, <double>value)
    entered = fa_enter(b, <PyObject*>value)
    if entered != 1:
        return fa_string(b, _reports.CIRCULAR if entered == 0 else _reports.TOO_DEEP)
    if kind is dict:
        put_dict(b, <dict>value)
    elif kind is list:
        put_items(b, tuple(<list>value))
    elif kind is tuple:
        put_items(b, <tuple>value)
    elif isinstance(value, FoobaraError):
        put_error(b, <FoobaraError>value)
    elif isinstance(value, ErrorCollection):
        put_errors(b, (<ErrorCollection>value).items())
    elif isinstance(value, CommandOutcome):
        put_outcome(b, <CommandOutcome>value)
    else:
        plain = simplify(value)
        if type(plain) is bytes:
            fa_raw(b, <bytes>plain, len(<bytes>plain))
        else:
            put_value(b, plain)
    b.depth -= 1
    return 0


cdef int put_int(fa_buf* b, object value) except -1:
    if fa_small_int(b, value) == 1:
        return 0
    digits = int_text(value)
    if digits[:2] == "0x" or digits[:3] == "-0x":
        return fa_string(b, digits)
    return fa_text(b, digits)


cdef int put_dict(fa_buf* b, dict value) except -1:
    cdef int entered
    cdef bint first = True
    b.depth -= 1
    entered = fa_flat(b, value)
    b.depth += 1
    if entered == 1:
        return 0
    fa_char(b, c"{")
    # a copy: converting a value may run code that changes the dict
    for key, item in list(value.items()):
        if not first:
            fa_char(b, c",")
        first = False
        fa_string(b, key if type(key) is str else key_text(key))
        fa_char(b, c":")
        put_value(b, item)
    return fa_char(b, c"}")


cdef int put_items(fa_buf* b, tuple items) except -1:
    cdef bint first = True
    fa_char(b, c"[")
    for item in items:
        if not first:
            fa_char(b, c",")
        first = False
        put_value(b, item)
    return fa_char(b, c"]")


cdef int put_part(fa_buf* b, object value) except -1:
    return fa_text(b, part(value))


cdef int put_path(fa_buf* b, object path) except -1:
    return put_items(b, path if type(path) is tuple else tuple(path))


cdef int put_head(fa_buf* b, FoobaraError error) except -1:
    # from the brace to the context, for fields of any type
    fa_raw(b, b'{"key":"', 8)
    if type(error) is FoobaraError:
        for p in error._runtime_path:
            put_part(b, p)
            fa_char(b, c">")
        put_part(b, error.category)
        fa_char(b, c".")
        if error._path:
            for p in error._path:
                put_part(b, p)
                fa_char(b, c".")
        else:
            fa_raw(b, "root.", 5)
        put_part(b, error.symbol)
    else:
        put_part(b, error.key())
    fa_raw(b, b'","category":', 13)
    put_value(b, category_of(error))
    fa_raw(b, b',"symbol":', 10)
    put_value(b, symbol_of(error))
    fa_raw(b, b',"path":', 8)
    put_path(b, path_of(error))
    fa_raw(b, b',"runtime_path":', 16)
    put_path(b, outer_of(error))
    fa_raw(b, b',"message":', 11)
    put_value(b, message_of(error))
    fa_raw(b, b',"context":', 11)
    return 0


cdef int put_rest(fa_buf* b, FoobaraError error) except -1:
    # Apart, so that an ordinary error pays for none of these names (bench case "fifty errors to JSON bytes").
    is_fatal, severity = is_fatal_of(error), severity_of(error)
    suggestion, help_url = suggestion_of(error), help_url_of(error)
    if is_fatal is False:
        fa_raw(b, b',"is_fatal":false', 17)
    else:
        fa_raw(b, b',"is_fatal":', 12)
        put_value(b, is_fatal)
    if severity is ERROR:
        fa_raw(b, b',"severity":"error"', 19)
    else:
        fa_raw(b, b',"severity":', 12)
        put_value(b, severity_text(severity))
    if suggestion is not None and suggestion:
        fa_raw(b, b',"suggestion":', 14)
        put_value(b, suggestion)
    if help_url is not None and help_url:
        fa_raw(b, b',"help_url":', 12)
        put_value(b, help_url)
    return 0


cdef int put_error(fa_buf* b, FoobaraError error) except -1:
    # causes are followed in a loop and their braces closed at the end: a chain may be long, or closed
    cdef Py_ssize_t closing = 1
    cdef set seen = None
    cdef bint plain
    while True:
        plain = type(error) is FoobaraError
        if not plain:
            own = _reports.own_dict(error, FoobaraError.to_dict)
            if own is not _reports.NO_OWN_DICT:
                put_value(b, own)
                closing -= 1
                break
            put_head(b, error)
        elif fa_head(b, <PyObject*>error.category, <PyObject*>error.symbol, <PyObject*>error._path,
                     <PyObject*>error._runtime_path, <PyObject*>error.message) == 0:
            put_head(b, error)
        context = error._context if plain else error.context
        if context is None:
            fa_raw(b, "{}", 2)
        elif type(context) is not dict or fa_flat(b, context) == 0:
            put_value(b, context)  # a flat dict is nowhere on the way here: it holds no error
        if (plain and error.is_fatal is False and error.severity is ERROR and error.suggestion is None
                and error.help_url is None and error.cause is None):
            fa_raw(b, b',"is_fatal":false,"severity":"error"', 36)
            break
        put_rest(b, error)
        cause = cause_of(error)
        if cause is None:
            break
        if not isinstance(cause, FoobaraError):
            if cause:
                fa_raw(b, b',"cause":', 9)
                put_value(b, cause)
            break
        if seen is None:
            seen = {id(error)}
        if id(cause) in seen:
            break
        seen.add(id(cause))
        fa_raw(b, b',"cause":', 9)
        closing += 1
        error = <FoobaraError>cause
    while closing:
        fa_char(b, c"}")
        closing -= 1
    return 0


cdef int put_errors(fa_buf* b, list errors) except -1:
    cdef bint first = True
    fa_reserve(b, 256 * len(errors))
    fa_char(b, c"[")
    for error in tuple(errors):
        if not first:
            fa_char(b, c",")
        first = False
        if fa_enter(b, <PyObject*>error) == 1:
            put_error(b, <FoobaraError>error)
            b.depth -= 1
        else:
            put_value(b, error)
    return fa_char(b, c"]")


cdef int put_outcome(fa_buf* b, CommandOutcome outcome) except -1:
    if failed(outcome):
        fa_raw(b, b'{"success":false,"errors":', 26)
        put_errors(b, errors_of(outcome))
    else:
        fa_raw(b, b'{"success":true,"result":', 25)
        put_value(b, outcome._result)
    fa_raw(b, b',"metadata":', 12)
    if outcome._metadata is None:
        fa_raw(b, "{}", 2)
    else:
        put_value(b, outcome._metadata)
    return fa_char(b, c"}")


# Construction


cdef FoobaraError make_error(object category, object symbol, object path, object message,
                             object context, object runtime_path, object is_fatal, object severity):
    cdef FoobaraError error = FoobaraError.__new__(FoobaraError)
    error.category = category
    error.symbol = symbol
    error._path = as_path(path, "path")
    error.message = message
    error._context = context
    error._runtime_path = as_path(runtime_path, "runtime_path")
    error.is_fatal = is_fatal
    error.severity = severity
    return error


cdef ErrorCollection new_collection():
    return ErrorCollection.__new__(ErrorCollection)


cdef ErrorCollection append_new(ErrorCollection collection, object category, object symbol, tuple path,
                                object message, object context):
    cdef FoobaraError error = FoobaraError.__new__(FoobaraError)
    cdef list items
    error.category = category
    error.symbol = symbol
    error._path = path
    error.message = message
    error._context = context
    error._runtime_path = EMPTY
    error.is_fatal = False
    error.severity = ERROR
    if collection is None:
        collection = ErrorCollection.__new__(ErrorCollection)
        collection._items = fa_list(error)
        return collection
    items = collection._items
    if items is not None and collection._pending is None and 0 < len(items) < MANY - 1:
        items.append(error)  # a new object: it cannot be among them
    else:
        collection.append(error)
    return collection


cdef ErrorCollection deferred_collection(object validation_error, tuple runtime_path, bint echo_inputs):
    cdef ErrorCollection collection = ErrorCollection.__new__(ErrorCollection)
    collection._pending = validation_error
    collection._pending_prefix = runtime_path
    collection._pending_echo = echo_inputs
    return collection


cdef ErrorCollection deferred_collection_for(object validation_error, tuple runtime_path, bint echo_inputs,
                                             object model):
    cdef ErrorCollection collection = deferred_collection(validation_error, runtime_path, echo_inputs)
    collection._pending_model = model
    return collection


cdef CommandOutcome succeed(object result):
    cdef CommandOutcome outcome = CommandOutcome.__new__(CommandOutcome)
    outcome._result = result
    fa_untrack(<PyObject*>outcome, <PyObject*>result)
    return outcome


cdef CommandOutcome fail(object result, ErrorCollection errors):
    cdef CommandOutcome outcome = CommandOutcome.__new__(CommandOutcome)
    outcome._result = result
    outcome._collection = errors
    return outcome


def _make_error(category, symbol, path, message, context, runtime_path, is_fatal, severity):
    """Return an error from its first eight fields; the context None is an empty one."""
    return make_error(category, symbol, path, message, context, runtime_path, is_fatal, severity)


def _new_collection():
    """Return an empty collection."""
    return new_collection()


def _append_new(collection, category, symbol, path, message, context):
    """Append a new error to *collection*, None: a new one; return the collection.

    *path* is a tuple; the context None is an empty one. The error has no runtime path and the severity error.
    """
    return append_new(collection, category, symbol, path, message, context)


def _deferred_collection(validation_error, runtime_path=(), echo_inputs=False, model=None):
    """Return a collection that converts a pydantic ValidationError when first looked at.

    In its place a tuple of rows (path, symbol, message, context or None) may be given, one per data error.
    """
    return deferred_collection_for(validation_error, tuple(runtime_path), echo_inputs, model)


def _succeed(result):
    """Return a successful outcome."""
    return succeed(result)


def _fail(result, errors):
    """Return an outcome that takes its errors from a collection."""
    return fail(result, errors)


def errors_from_validation(exc, runtime_path=(), echo_inputs=False, model=None):
    """Return a data error per error of a pydantic ValidationError, in its order; TypeError for anything else.

    With *echo_inputs* the context holds the offending input of fields that *model* declares and does not mark
    as sensitive; without a model nothing is echoed.
    """
    return validation_errors(exc, as_path(runtime_path, "runtime_path"), echo_inputs, model)


globals().update({
    "make_error": _make_error,
    "new_collection": _new_collection,
    "append_new": _append_new,
    "deferred_collection": _deferred_collection,
    "succeed": _succeed,
    "fail": _fail,
})

fa_publish(FoobaraError, b"foobara_accel.core.errors.FoobaraError", "foobara_accel.core.errors")
fa_publish(ErrorCollection, b"foobara_accel.core.errors.ErrorCollection", "foobara_accel.core.errors")
fa_publish(CommandOutcome, b"foobara_accel.core.outcome.CommandOutcome", "foobara_accel.core.outcome")


cdef int keep_all() except -1:
    cdef bytes name
    for name in (b"path", b"context", b"runtime_path", b"is_fatal", b"severity", b"suggestion", b"help_url", b"cause",
                 b"stack_trace"):
        fa_keep(<PyObject*>FoobaraError, name)
    for name in (b"result", b"errors", b"metadata"):
        fa_keep(<PyObject*>CommandOutcome, name)
    return 0


keep_all()
