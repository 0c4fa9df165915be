# cython: language_level=3
# cython: boundscheck=False, wraparound=False
"""Verdicts of whole columns, compiled. Twin of foobara_accel._pure.columns; the arithmetic is in kernels/columns.h.

Each function judges rows of one memory layout and writes one int8 per row to *out*: 1 or 0 for the kinds CARDS, IBANS
and PHONES, a code or -1 for BRANDS and COUNTRIES, NULL_ROW for None, OTHER_ROW for a phone number that the table does
not decide. Buffers are read as they are, without the GIL; what
they hold is not believed: a row that is out of bounds is BAD_VIEW or the number that the function returns.
"""

from cpython.buffer cimport PyBUF_ANY_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, \
    PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int8_t, int64_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

cdef extern from "Python.h":
    bint PyUnicode_Check(PyObject *value)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject *value)
    const unsigned char *PyUnicode_1BYTE_DATA(PyObject *value)
    PyObject *PyTuple_GET_ITEM(PyObject *values, Py_ssize_t at)
    bint PyUnicode_IS_ASCII(PyObject *value)

cdef extern from "kernels/columns.h" nogil:
    int FA_CARDS, FA_IBANS, FA_BRANDS, FA_COUNTRIES, FA_PHONES
    int FA_FIXED, FA_OFFSETS32, FA_OFFSETS64, FA_VIEWS
    int FA_NULL_ROW, FA_BAD_VIEW, FA_OTHER_ROW
    ctypedef struct fa_rows:
        int layout
        const unsigned char *data
        const void *offsets
        size_t width
        Py_ssize_t stride
        const unsigned char *low
        const unsigned char *high
        const unsigned char *const *buffers
        const int64_t *sizes
        int64_t buffer_count
    ctypedef struct fa_brands:
        const int8_t *four
        const uint32_t *starts
        const int8_t *brands
        size_t count
        const uint32_t *lengths
    ctypedef struct fa_phone_table:
        const uint16_t *verdicts
        unsigned valid
    ctypedef struct fa_tables:
        fa_brands brands
        fa_phone_table phones
        int dialled
    int64_t fa_judge(int kind, const fa_rows *rows, size_t first, size_t count, int lenient,
                     const fa_tables *tables, int8_t *out) noexcept
    int8_t fa_phone_row(const fa_tables *tables, const unsigned char *s, size_t n) noexcept
    int fa_columns_setup(int most) noexcept
    int fa_card_row(const unsigned char *s, size_t n) noexcept
    int fa_iban_row(const unsigned char *s, size_t n) noexcept
    int8_t fa_answer(int kind, const unsigned char *s, size_t n, int8_t strict, int lenient,
                     const fa_brands *table) noexcept
    void fa_narrow(const unsigned char *data, Py_ssize_t stride, size_t width, size_t count, int swap,
                   unsigned char *out) noexcept

__all__ = [
    "BAD_VIEW", "BRANDS", "CARDS", "COUNTRIES", "IBANS", "NULL_ROW", "OTHER_ROW", "PHONES",
    "export", "fixed", "kernel", "objects", "offsets", "views", "wide",
]

CARDS, IBANS, BRANDS, COUNTRIES, PHONES = FA_CARDS, FA_IBANS, FA_BRANDS, FA_COUNTRIES, FA_PHONES
NULL_ROW, BAD_VIEW, OTHER_ROW = FA_NULL_ROW, FA_BAD_VIEW, FA_OTHER_ROW

cdef int LEVEL = fa_columns_setup(2)


def kernel():
    """Return what judges the rows: avx2, sse2 or portable."""
    return ("portable", "sse2", "avx2")[LEVEL]


def _limit(int most):
    # For tests, and for nothing that runs beside another call.
    global LEVEL
    LEVEL = fa_columns_setup(most)


cdef class _Buffers:
    """The buffers of a call, released with it."""

    cdef Py_buffer held[8]
    cdef int count

    def __cinit__(self):
        self.count = 0

    cdef Py_buffer *take(self, object array, int flags) except NULL:
        cdef Py_buffer *view = &self.held[self.count]
        if self.count == 8:
            raise SystemError("too many buffers")
        PyObject_GetBuffer(array, view, flags)
        self.count += 1
        return view

    def __dealloc__(self):
        while self.count:
            self.count -= 1
            PyBuffer_Release(&self.held[self.count])


cdef int8_t *_out(_Buffers held, object out, Py_ssize_t count) except NULL:
    cdef Py_buffer *view = held.take(out, PyBUF_WRITABLE | PyBUF_ANY_CONTIGUOUS)
    if view.len != count or view.itemsize != 1:
        raise ValueError(f"out has {view.len} bytes, not one for each of {count} rows")
    return <int8_t *>view.buf


cdef int _read(_Buffers held, int kind, object given, fa_tables *tables) except -1:
    cdef Py_buffer *part
    cdef fa_brands *brands = &tables.brands
    memset(tables, 0, sizeof(fa_tables))
    if kind == FA_BRANDS:
        four, bounds, codes, lengths = given
        brands.four = <const int8_t *>held.take(four, PyBUF_ANY_CONTIGUOUS).buf
        part = held.take(bounds, PyBUF_ANY_CONTIGUOUS)
        brands.starts = <const uint32_t *>part.buf
        brands.count = part.len // 4
        brands.brands = <const int8_t *>held.take(codes, PyBUF_ANY_CONTIGUOUS).buf
        brands.lengths = <const uint32_t *>held.take(lengths, PyBUF_ANY_CONTIGUOUS).buf
    elif kind == FA_PHONES:
        verdicts, tables.phones.valid, tables.dialled = given
        part = held.take(verdicts, PyBUF_ANY_CONTIGUOUS)
        if part.len:
            tables.phones.verdicts = <const uint16_t *>part.buf
    return 0


cdef void _bounds(fa_rows *rows, Py_buffer *view) noexcept:
    # The first row may be the last in memory.
    cdef Py_ssize_t count = view.shape[0], last
    memset(rows, 0, sizeof(fa_rows))
    rows.layout = FA_FIXED
    rows.data = rows.low = rows.high = <const unsigned char *>view.buf
    rows.width = view.itemsize
    rows.stride = view.strides[0]
    if count:
        last = (count - 1) * rows.stride
        rows.low += min(last, 0)
        rows.high += max(last, 0) + <Py_ssize_t>rows.width


def fixed(int kind, rows, out, bint lenient, given):
    """Judge a one-dimensional array of a fixed number of bytes per row, NUL after the last."""
    cdef _Buffers held = _Buffers()
    cdef fa_rows described
    cdef fa_tables tables
    cdef Py_buffer *view = held.take(rows, PyBUF_STRIDES | PyBUF_FORMAT)
    cdef size_t count = view.shape[0]
    cdef int8_t *answers = _out(held, out, count)
    _read(held, kind, given, &tables)
    _bounds(&described, view)
    with nogil:
        fa_judge(kind, &described, 0, count, lenient, &tables, answers)


def wide(int kind, rows, bint swapped, out, bint lenient, given):
    """Judge a one-dimensional array of a fixed number of UCS-4 characters per row, NUL after the last."""
    cdef _Buffers held = _Buffers()
    cdef fa_rows described
    cdef fa_tables tables
    cdef Py_buffer *view = held.take(rows, PyBUF_STRIDES | PyBUF_FORMAT)
    cdef Py_ssize_t count = view.shape[0], width = view.itemsize // 4, some, done = 0, block
    cdef const unsigned char *data = <const unsigned char *>view.buf
    cdef int8_t *answers = _out(held, out, count)
    cdef unsigned char *own
    _read(held, kind, given, &tables)
    # A block that the first cache holds.
    block = min(max(1, 16384 // max(1, width)), max(1, count))
    own = <unsigned char *>malloc(block * max(1, width))
    if own == NULL:
        raise MemoryError
    with nogil:
        memset(&described, 0, sizeof(fa_rows))
        described.layout = FA_FIXED
        described.data = described.low = own
        described.width = described.stride = width
        while done < count:
            some = min(block, count - done)
            fa_narrow(data + done * view.strides[0], view.strides[0], width, some, swapped, own)
            described.high = own + some * width
            fa_judge(kind, &described, 0, some, lenient, &tables, answers + done)
            done += some
        free(own)


def offsets(int kind, ends, text, out, bint lenient, given):
    """Judge rows of *text* between each two of *ends*, int32 or int64; returns the first row whose offsets are
    negative, decreasing or beyond the text, -1 for none."""
    cdef _Buffers held = _Buffers()
    cdef fa_rows described
    cdef fa_tables tables
    cdef Py_buffer *view = held.take(ends, PyBUF_ANY_CONTIGUOUS)
    cdef Py_buffer *data = held.take(text, PyBUF_ANY_CONTIGUOUS)
    cdef Py_ssize_t count = view.len // view.itemsize - 1
    cdef int8_t *answers = _out(held, out, count)
    cdef int64_t bad
    _read(held, kind, given, &tables)
    memset(&described, 0, sizeof(fa_rows))
    described.layout = FA_OFFSETS32 if view.itemsize == 4 else FA_OFFSETS64
    described.offsets = view.buf
    described.data = described.low = <const unsigned char *>data.buf
    described.high = described.data + data.len
    with nogil:
        bad = fa_judge(kind, &described, 0, count, lenient, &tables, answers)
    return bad


def views(int kind, rows, buffers, out, bint lenient, given):
    """Judge Arrow views: 16 bytes each, the text in them or in one of *buffers*."""
    cdef _Buffers held = _Buffers()
    cdef fa_rows described
    cdef fa_tables tables
    cdef Py_buffer *view = held.take(rows, PyBUF_ANY_CONTIGUOUS)
    cdef Py_buffer each
    cdef Py_ssize_t count = view.len // 16, many = len(buffers), i, taken = 0
    cdef int8_t *answers = _out(held, out, count)
    cdef const unsigned char **texts
    cdef int64_t *sizes
    _read(held, kind, given, &tables)
    memset(&described, 0, sizeof(fa_rows))
    texts = <const unsigned char **>calloc(many + 1, sizeof(void *))
    sizes = <int64_t *>calloc(many + 1, sizeof(int64_t))
    try:
        if texts == NULL or sizes == NULL:
            raise MemoryError
        for i in range(many):
            # The caller keeps the arrays, which own nothing that could move.
            PyObject_GetBuffer(buffers[i], &each, PyBUF_ANY_CONTIGUOUS)
            texts[i] = <const unsigned char *>each.buf
            sizes[i] = each.len
            PyBuffer_Release(&each)
        described.layout = FA_VIEWS
        described.data = described.low = <const unsigned char *>view.buf
        described.high = described.data + view.len
        described.buffers = texts
        described.sizes = sizes
        described.buffer_count = many
        with nogil:
            fa_judge(kind, &described, 0, count, lenient, &tables, answers)
    finally:
        free(texts)
        free(sizes)


def objects(int kind, tuple values, out, bint lenient, given):
    """Judge a tuple of str and None; returns the first row that is neither, -1 for none."""
    cdef _Buffers held = _Buffers()
    cdef fa_tables tables
    cdef Py_ssize_t count = len(values), i
    cdef int8_t *answers = _out(held, out, count)
    cdef PyObject *value
    cdef const unsigned char *text
    cdef size_t n
    cdef int8_t strict
    _read(held, kind, given, &tables)
    for i in range(count):
        value = PyTuple_GET_ITEM(<PyObject *>values, i)
        if PyUnicode_Check(value):
            if not PyUnicode_IS_ASCII(value):
                if kind == FA_PHONES:
                    answers[i] = FA_OTHER_ROW
                    continue
                answers[i] = 0 if kind == FA_CARDS or kind == FA_IBANS else -1
                continue
            text = PyUnicode_1BYTE_DATA(value)
            n = PyUnicode_GET_LENGTH(value)
            if kind == FA_PHONES:
                answers[i] = fa_phone_row(&tables, text, n)
                continue
            if kind == FA_CARDS or kind == FA_BRANDS:
                strict = fa_card_row(text, n)
            else:
                strict = fa_iban_row(text, n)
            answers[i] = fa_answer(kind, text, n, strict, lenient, &tables.brands)
        elif value == <PyObject *>None:
            answers[i] = FA_NULL_ROW
        else:
            return i
    return -1


# Arrow's C data interface (arrow.apache.org/docs/format/CDataInterface.html): what is exported is memory of this
# module's own, so that whoever has it may release it at any time and in any thread, with or without an interpreter.
cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    struct ArrowSchema {
        const char *format, *name, *metadata;
        int64_t flags, n_children;
        struct ArrowSchema **children, *dictionary;
        void (*release)(struct ArrowSchema *);
        void *private_data;
    };
    struct ArrowArray {
        int64_t length, null_count, offset, n_buffers, n_children;
        const void **buffers;
        struct ArrowArray **children, *dictionary;
        void (*release)(struct ArrowArray *);
        void *private_data;
    };
    static void fa_release_schema(struct ArrowSchema *schema) {
        if (schema->dictionary) {
            if (schema->dictionary->release) schema->dictionary->release(schema->dictionary);
            free(schema->dictionary);
        }
        free(schema->private_data);
        schema->release = NULL;
    }
    static void fa_release_array(struct ArrowArray *array) {
        int64_t i;
        if (array->dictionary) {
            if (array->dictionary->release) array->dictionary->release(array->dictionary);
            free(array->dictionary);
        }
        for (i = 0; i < array->n_buffers; i++) free((void *)array->buffers[i]);
        free(array->buffers);
        array->release = NULL;
    }
    static int fa_fill_schema(struct ArrowSchema *schema, const char *format) {
        size_t size = strlen(format) + 1;
        memset(schema, 0, sizeof *schema);
        schema->private_data = malloc(size);
        if (!schema->private_data) return 0;
        schema->format = memcpy(schema->private_data, format, size);
        schema->name = "";
        schema->flags = 2; /* nullable */
        schema->release = fa_release_schema;
        return 1;
    }
    static int fa_fill_array(struct ArrowArray *array, int64_t length, int64_t null_count, int64_t buffers) {
        memset(array, 0, sizeof *array);
        array->buffers = calloc((size_t)buffers, sizeof(void *));
        if (!array->buffers) return 0;
        array->length = length;
        array->null_count = null_count;
        array->n_buffers = buffers;
        array->release = fa_release_array;
        return 1;
    }
    static int fa_fill_buffer(struct ArrowArray *array, int64_t which, const void *data, size_t size) {
        void *own = malloc(size + 1); /* never of 0 bytes, which may be NULL */
        if (!own) return 0;
        memcpy(own, data, size);
        array->buffers[which] = own;
        return 1;
    }
    """
    struct ArrowSchema:
        ArrowSchema *dictionary
        void (*release)(ArrowSchema *) noexcept
    struct ArrowArray:
        ArrowArray *dictionary
        void (*release)(ArrowArray *) noexcept
    bint fa_fill_schema(ArrowSchema *schema, const char *format)
    bint fa_fill_array(ArrowArray *array, int64_t length, int64_t null_count, int64_t buffers)
    bint fa_fill_buffer(ArrowArray *array, int64_t which, const void *data, size_t size)


cdef void _drop_schema(object capsule) noexcept:
    cdef ArrowSchema *schema = <ArrowSchema *>PyCapsule_GetPointer(capsule, "arrow_schema")
    if schema.release != NULL:
        schema.release(schema)
    free(schema)


cdef void _drop_array(object capsule) noexcept:
    cdef ArrowArray *array = <ArrowArray *>PyCapsule_GetPointer(capsule, "arrow_array")
    if array.release != NULL:
        array.release(array)
    free(array)


cdef int _write_array(ArrowArray *array, Py_ssize_t length, Py_ssize_t null_count, tuple buffers) except -1:
    cdef Py_ssize_t i
    cdef bytes data
    if not fa_fill_array(array, length, null_count, len(buffers)):
        raise MemoryError
    for i in range(len(buffers)):
        if buffers[i] is not None:
            data = buffers[i]
            if not fa_fill_buffer(array, i, <const char *>data, len(data)):
                raise MemoryError
    return 0


def export(bytes format, Py_ssize_t length, Py_ssize_t null_count, tuple buffers, dictionary):
    """Return an Arrow array as its two capsules; *buffers* are bytes or None, *dictionary* None or the
    (format, length, null count, buffers) of one."""
    cdef ArrowSchema *schema = <ArrowSchema *>calloc(1, sizeof(ArrowSchema))
    cdef ArrowArray *array = <ArrowArray *>calloc(1, sizeof(ArrowArray))
    if schema == NULL or array == NULL:
        free(schema)
        free(array)
        raise MemoryError
    # From here on the capsules own both: what is only half filled has a release too, or nothing to release.
    try:
        schemas = PyCapsule_New(schema, "arrow_schema", _drop_schema)
    except:
        free(schema)
        free(array)
        raise
    try:
        arrays = PyCapsule_New(array, "arrow_array", _drop_array)
    except:
        free(array)
        raise
    if not fa_fill_schema(schema, format):
        raise MemoryError
    _write_array(array, length, null_count, buffers)
    if dictionary is not None:
        schema.dictionary = <ArrowSchema *>calloc(1, sizeof(ArrowSchema))
        array.dictionary = <ArrowArray *>calloc(1, sizeof(ArrowArray))
        if schema.dictionary == NULL or array.dictionary == NULL:
            raise MemoryError
        values, many, nulls, parts = dictionary
        if not fa_fill_schema(schema.dictionary, values):
            raise MemoryError
        _write_array(array.dictionary, many, nulls, parts)
    return schemas, arrays
