# cython: language_level=3, binding=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The hot methods of foobara_py, written anew to take the place of its own (compiled twin of ``_pure/swap.py``).

1. A `World` knows foobara_py's classes: where their instances keep their slots, and what their methods were.
   It is *sound* while each of these methods is foobara_py's own or the replacement of it.
2. A `Plan` knows a command class: which of the phases are overridden, its registry, its inputs. It lives in the
   class it describes. The type's version tag is only a fast yes; a mismatch compares what was looked up.
3. ``drive`` is a run. It does itself what would be foobara_py's own doing, and after each call of the user's
   code looks whether that changed anything. At the first thing that is not plain (an exception, a transaction,
   a method set on the instance) the rest of the run goes the way of ``_foreign.Whole``, step by step.

Slots are read and written where their member descriptors say. Without a GIL that is not safe, so on such a build
the Python twin serves.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF

from foobara_accel._ext.guards cimport InputsBuilder

from sys import modules
from types import FunctionType

from pydantic import BaseModel, ValidationError

from foobara_accel._ext import pipeline
from foobara_accel._foreign import (
    PHASES,
    REPAIRS,
    STANDS_FOR,
    Whole,
    _surrounded,
    async_ways,
    dress,
    keep,
    stock,
    unpacked,
)
from foobara_accel._pure import swap as _pure

__all__ = ["REPAIRS", "STANDS_FOR", "replacements"]


cdef extern from *:
    """
    #include "structmember.h"

    #include "foobara_accel/calls.h"

    #ifdef Py_GIL_DISABLED
      #define FA_GIL 0
    #else
      #define FA_GIL 1
    #endif

    #define FA_SLOT(o, offset) (*(PyObject **)((char *)(o) + (offset)))

    /* 0: the type has no valid tag */
    static inline unsigned int fa_tag(PyObject *cls) {
        PyTypeObject *type = (PyTypeObject *)cls;
    #if PY_VERSION_HEX < 0x030C0000
        if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) return 0;
    #endif
        return type->tp_version_tag;
    }

    /* What the MRO holds under the name, unbound and borrowed; NULL without an exception. */
    static inline PyObject *fa_lookup(PyObject *cls, PyObject *name) {
        return _PyType_Lookup((PyTypeObject *)cls, name);
    }

    static inline void fa_put(PyObject *owner, Py_ssize_t offset, PyObject *value) {
        PyObject *old = FA_SLOT(owner, offset);
        Py_INCREF(value);
        FA_SLOT(owner, offset) = value;
        Py_XDECREF(old);
    }

    /* Into an empty slot; the reference is taken over. */
    static inline void fa_fill(PyObject *owner, Py_ssize_t offset, PyObject *value) {
        FA_SLOT(owner, offset) = value;
    }

    static inline PyObject *fa_alloc(PyObject *cls) {
        return ((PyTypeObject *)cls)->tp_alloc((PyTypeObject *)cls, 0);
    }

    /* An empty list with room for a history. */
    static inline PyObject *fa_history(void) {
        PyObject *list = PyList_New(8);
        if (list != NULL) Py_SET_SIZE((PyVarObject *)list, 0);
        return list;
    }

    static inline int fa_push(PyObject *list, PyObject *item) {
        Py_ssize_t size = PyList_GET_SIZE(list);
        if (size < ((PyListObject *)list)->allocated) {
            Py_INCREF(item);
            Py_SET_SIZE((PyVarObject *)list, size + 1);
            PyList_SET_ITEM(list, size, item);
            return 0;
        }
        return PyList_Append(list, item);
    }

    /* Whether nothing but our one reference leads to an object. */
    static inline int fa_ours(PyObject *object) {
    #if PY_VERSION_HEX >= 0x030E0000
        return PyUnstable_Object_IsUniquelyReferenced(object);
    #else
        return Py_REFCNT(object) == 1;
    #endif
    }

    static inline int fa_weakly_referenced(PyObject *object) {
        Py_ssize_t offset = Py_TYPE(object)->tp_weaklistoffset;
        return offset != 0 && *(PyObject **)((char *)object + offset) != NULL;
    }

    static inline void fa_empty(PyObject *list) {
        Py_ssize_t size = PyList_GET_SIZE(list);
        Py_SET_SIZE((PyVarObject *)list, 0);
        while (size > 0) Py_DECREF(PyList_GET_ITEM(list, --size));
    }

    static int fa_count(PyObject *object, void *counter) {
        *(Py_ssize_t *)counter += 1;
        return 0;
    }

    /* How many references the collector sees in an instance: one more than before for each attribute. */
    static inline Py_ssize_t fa_references(PyObject *self) {
        Py_ssize_t count = 0;
        Py_TYPE(self)->tp_traverse(self, fa_count, &count);
        return count;
    }

    /* The block of memory in which a dict keeps its entries. */
    static inline char *fa_keys(PyObject *dict) { return (char *)((PyDictObject *)dict)->ma_keys; }

    static inline int fa_abstract(PyObject *cls) {
        return PyType_HasFeature((PyTypeObject *)cls, Py_TPFLAGS_IS_ABSTRACT);
    }

    static Py_ssize_t fa_offset(PyObject *descriptor) {
        PyMemberDef *member;
        if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) return -1;
        member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX && member->flags == 0 ? member->offset : -1;
    }
    """
    bint FA_GIL
    PyObject *FA_SLOT(PyObject *owner, Py_ssize_t offset) noexcept
    unsigned int fa_tag(PyObject *cls) noexcept
    PyObject *fa_lookup(PyObject *cls, PyObject *name) noexcept
    void fa_put(PyObject *owner, Py_ssize_t offset, PyObject *value) noexcept
    void fa_fill(PyObject *owner, Py_ssize_t offset, PyObject *value) noexcept
    object fa_alloc(PyObject *cls)
    object fa_history()
    int fa_push(PyObject *history, PyObject *item) except -1
    bint fa_ours(PyObject *object) noexcept
    bint fa_weakly_referenced(PyObject *object) noexcept
    void fa_empty(PyObject *history) noexcept
    void PyDict_Clear(PyObject *) noexcept
    Py_ssize_t fa_references(PyObject *self) noexcept
    PyObject *fa_call_one(PyObject *function, PyObject *self) noexcept
    PyObject *fa_raised() noexcept
    char *fa_keys(PyObject *) noexcept
    bint fa_abstract(PyObject *cls) noexcept
    dict fa_members(PyTypeObject *cls)
    Py_ssize_t fa_offset(PyObject *descriptor) noexcept
    PyTypeObject *Py_TYPE(PyObject *) noexcept
    void Py_XDECREF(PyObject *) noexcept
    PyObject *PyErr_Occurred() noexcept
    void PyErr_Clear() noexcept
    bint PyDict_CheckExact(PyObject *) noexcept
    bint PyList_CheckExact(PyObject *) noexcept
    bint PyTuple_CheckExact(PyObject *) noexcept
    bint PyUnicode_CheckExact(PyObject *) noexcept
    bint PyFunction_Check(PyObject *) noexcept
    bint PyType_Check(PyObject *) noexcept
    bint PyType_IsSubtype(PyTypeObject *, PyTypeObject *) noexcept
    Py_ssize_t PyDict_GET_SIZE(PyObject *) noexcept
    Py_ssize_t PyList_GET_SIZE(PyObject *) noexcept
    PyObject *PyList_GET_ITEM(PyObject *, Py_ssize_t) noexcept
    PyObject *PyTuple_GET_ITEM(PyObject *, Py_ssize_t) noexcept
    int PyDict_Contains(PyObject *, PyObject *) except -1
    PyObject *PyDict_GetItem(PyObject *, PyObject *) noexcept
    int PyDict_SetItem(PyObject *, PyObject *, PyObject *) except -1
    int PyDict_Next(PyObject *, Py_ssize_t *, PyObject **, PyObject **) noexcept
    object PyDict_Copy(PyObject *)
    list PyDict_Values(PyObject *)
    object PyObject_GenericGetDict(PyObject *, void *)
    int PyObject_RichCompareBool(PyObject *, PyObject *, int) except -1
    int PyObject_IsTrue(PyObject *) except -1
    object PyLong_FromVoidPtr(void *)
    PyObject *PyObject_CallMethodNoArgs(PyObject *, PyObject *) noexcept
    int Py_NE
    PyObject *Py_True
    PyObject *Py_False


cdef enum:
    CASTING = 1
    EXECUTE = 5
    COMMIT = 6
    SUCCEEDED = 8
    FAILED = 9
    ERRORED = 10

# how a run ended, and what a step was
cdef enum:
    OUTCOME = 0                        # the answer is an outcome
    RESULT = 1                         # the answer is the result of a success
    REFUSED = 2                        # there is none: the errors are those of the command

# what the user's code left behind
cdef enum:
    CLEAN = 0
    MARKED = 1                         # attributes that stand in nobody's way
    DISTURBED = 2

cdef enum:
    STEP_RAISED = -1
    STEP_QUIET = 0                     # nothing of the user's was called
    STEP_CALLED = 1
    STEP_UNKNOWN = 2                   # not begun: it is not plain

cdef str PLAN = "_foobara_accel_plan"
cdef str RUNTIME_PATH = "_runtime_path"
cdef str SELF = "self"
cdef str SUBCOMMAND = "subcommand"
cdef str RUNTIME = "runtime"
cdef str DATA = "data"
cdef str NOTHING = ""
cdef str NAME = "__name__"
cdef str INPUT = "input"
cdef tuple EMPTY = ()
cdef frozenset RESERVED = frozenset(("category", "is_fatal", "path", "severity", "suggestion"))
cdef tuple NAMES = tuple(PHASES)
cdef str BEFORE = "before"
cdef str AFTER = "after"
cdef str AROUND = "around"
cdef str ERROR = "error"

# Attributes of a command class. CORE: the short way is for classes that leave all of these alone.
cdef tuple SLOTS = (
    "_raw_inputs",
    "_inputs",
    "_errors",
    "_result",
    "_outcome",
    "_state_machine",
    "_transaction",
    "_subcommand_runtime_path",
    "_loaded_records",
    "_enhanced_callback_executor",
)
cdef tuple CORE = (
    *SLOTS,
    "__class__",
    "__dict__",
    "__getattribute__",
    "__setattr__",
    "_execute_phase",
    "_fail",
    "rollback_transaction",
    "add_error",
)
cdef tuple MADE = ("__init__", "__new__", "run_instance")
cdef tuple OTHER = ("inputs_type", "full_command_symbol", "_validate_cross_domain_call", "__del__")
cdef tuple ASYNC = ("validate_inputs", "before_execute", "after_execute")
cdef tuple ASYNC_CORE = (*SLOTS, "__class__", "__dict__", "__getattribute__", "__setattr__", "add_error", *ASYNC)
cdef tuple DATA_NAMES = (
    "_enhanced_callback_registry",
    "_transaction_config",
    "_loads",
    "_has_before_execute",
    "_has_after_execute",
    "_cached_inputs_type",
    "_cached_full_symbol",
    "_domain",
)
cdef tuple WATCHED = (*CORE, *MADE, *OTHER, *ASYNC, *NAMES, *DATA_NAMES)
cdef frozenset OF_INSTANCES = frozenset((*NAMES, *ASYNC, *OTHER, "_execute_phase", "_fail", "rollback_transaction",
                                         "add_error", "_transaction_config", "run_subcommand", "run_instance"))


cdef object look(object cls, str name):
    cdef PyObject *found = fa_lookup(<PyObject *>cls, <PyObject *>name)
    return None if found is NULL else <object>found


cdef Py_ssize_t offset_of(object cls, str name) except -1:
    cdef PyObject *found = fa_lookup(<PyObject *>cls, <PyObject *>name)
    cdef Py_ssize_t offset = -1 if found is NULL else fa_offset(found)
    if offset < 0:
        raise TypeError(f"{cls.__name__}.{name} is not a slot")
    return offset


@cython.final
cdef class World:
    """foobara_py's classes, and whether their methods are still its own.

    Commands have their slots where *shape*, one of its two command classes, has them.
    """

    cdef object command, meta, machine, errors, error, outcome, registry, registered, condition, config
    cdef object detection, halt, async_command, context
    cdef object whole
    cdef object builder_for
    cdef object model_meta, model_init, model_call
    cdef object severity
    cdef list severities, severity_texts
    cdef InputsBuilder outcomes
    cdef Form written                  # what to_dict of an error returns
    cdef tuple states, moves, fails
    cdef PyObject *state[11]
    cdef PyObject *move[8]
    cdef PyObject *fail[8]
    cdef Py_ssize_t raw, inputs, collection, result, last_outcome, state_machine, transaction, path, records, executor
    cdef Py_ssize_t now, history
    cdef Py_ssize_t by_id, by_key, fatal
    cdef Py_ssize_t category, symbol, where, message, attached, runtime_path, is_fatal, how, suggestion, help_url
    cdef Py_ssize_t cause, stack_trace, cached_key
    cdef Py_ssize_t callbacks, compiled
    cdef Py_ssize_t callback, kind, when
    cdef Py_ssize_t from_state, to_state, transition
    cdef Py_ssize_t enabled, factory, auto_detect
    cdef dict own                      # name of a command's attribute: the values that are foobara_py's or ours
    cdef dict async_own                # the same of an async command
    cdef bint knows_async
    cdef list watched                  # (class, names, allowed values of each)
    cdef unsigned int tags[12]
    cdef Py_ssize_t count
    cdef PyObject *classes[12]

    def __cinit__(self, target, whole, builder_for, shape):
        cdef Py_ssize_t i
        self.command, self.meta = target.Command, type(target.Command)
        self.machine, self.errors, self.error = target.CommandStateMachine, target.ErrorCollection, target.FoobaraError
        self.outcome, self.registry = target.CommandOutcome, target.EnhancedCallbackRegistry
        self.registered, self.condition = target.RegisteredCallback, target.CallbackCondition
        self.config, self.detection = target.TransactionConfig, target.TransactionRegistry
        self.halt, self.async_command, self.context = target.Halt, target.AsyncCommand, target.TransactionContext
        self.whole, self.builder_for = whole, builder_for
        self.model_meta = type(BaseModel)
        self.model_init = look(BaseModel, "__init__")
        self.model_call = look(self.model_meta, "__call__")
        self.severity = self.error.__dataclass_fields__["severity"].default
        self.severities = list(type(self.severity))
        self.severity_texts = [one.value for one in self.severities]
        self.states = tuple(target.CommandState)
        self.moves = tuple([(self.states[i], self.states[i + 1]) for i in range(8)])
        self.fails = tuple([(self.states[i], self.states[FAILED]) for i in range(8)])
        for i in range(11):
            self.state[i] = <PyObject *>self.states[i]
        for i in range(8):
            self.move[i] = <PyObject *>self.moves[i]
            self.fail[i] = <PyObject *>self.fails[i]
        cls = shape
        self.raw, self.inputs, self.collection = offset_of(cls, SLOTS[0]), offset_of(cls, SLOTS[1]), offset_of(cls, SLOTS[2])
        self.result, self.last_outcome = offset_of(cls, SLOTS[3]), offset_of(cls, SLOTS[4])
        self.state_machine, self.transaction = offset_of(cls, SLOTS[5]), offset_of(cls, SLOTS[6])
        self.path, self.records, self.executor = offset_of(cls, SLOTS[7]), offset_of(cls, SLOTS[8]), offset_of(cls, SLOTS[9])
        self.now, self.history = offset_of(self.machine, "_state"), offset_of(self.machine, "_transition_history")
        cls = self.errors
        self.by_id, self.by_key = offset_of(cls, "_errors_by_id"), offset_of(cls, "_errors_by_key")
        self.fatal = offset_of(cls, "_has_fatal")
        cls = self.error
        self.category, self.symbol, self.where = offset_of(cls, "category"), offset_of(cls, "symbol"), offset_of(cls, "path")
        self.message, self.attached = offset_of(cls, "message"), offset_of(cls, "context")
        self.runtime_path, self.is_fatal = offset_of(cls, "runtime_path"), offset_of(cls, "is_fatal")
        self.how, self.suggestion = offset_of(cls, "severity"), offset_of(cls, "suggestion")
        self.help_url, self.cause = offset_of(cls, "help_url"), offset_of(cls, "cause")
        self.stack_trace, self.cached_key = offset_of(cls, "stack_trace"), offset_of(cls, "_cached_key")
        self.callbacks = offset_of(self.registry, "_callbacks")
        self.compiled = offset_of(self.registry, "_compiled_chains")
        self.callback, self.kind = offset_of(self.registered, "callback"), offset_of(self.registered, "callback_type")
        self.when = offset_of(self.registered, "condition")
        cls = self.condition
        self.from_state, self.to_state = offset_of(cls, "from_state"), offset_of(cls, "to_state")
        self.transition = offset_of(cls, "transition")
        cls = self.config
        self.enabled, self.factory = offset_of(cls, "enabled"), offset_of(cls, "handler_factory")
        self.auto_detect = offset_of(cls, "auto_detect")
        self.outcomes = outcome_builder(self.outcome)
        self.written = Form("key category symbol path runtime_path message context is_fatal severity".split())
        self.watched = []
        self.own, self.async_own = {}, {}
        self.knows_async = all(
            [offset_of(self.async_command, name) == offset_of(shape, name) for name in SLOTS]
        )
        self.count = 0

    cdef int learn(self, dict table) except -1:
        """Note what may be found under each name: what is there now, and the replacement in *table*."""
        cdef Py_ssize_t i
        ours = {}
        for key, value in table.items():
            owner, name = key.split(".")
            ours.setdefault(name, []).append(value)
        for name in WATCHED:
            self.own[name] = [look(self.command, name), *ours.get(name, ())]
            self.async_own[name] = [look(self.async_command, name), *ours.get(name, ())]
        # of a run's own: bool(), iteration, equality and text are not among what a run uses
        kept = (
            (self.meta, ("__call__", "__getattribute__")),
            (self.machine, ("__init__", "__new__", "transition_to", "fail", "error", "state", "_state",
                            "_transition_history", "__setattr__", "__getattribute__")),
            (self.errors, ("__init__", "__new__", "add", "has_errors", "all", "_errors_by_id", "_errors_by_key",
                           "_has_fatal", "__setattr__", "__getattribute__")),
            (self.error, ("__init__", "__post_init__", "__new__", "runtime_error", "data_error",
                          "_create_categorized_error", "with_runtime_path_prefix", "key", "to_dict",
                          "__setattr__", "__getattribute__", *self.error.__slots__)),
            (self.outcome, ("from_result", "from_errors", "__init__", "__new__", "is_failure")),
            (self.registry, ("has_callbacks", "get_callbacks", "__getattribute__", "_callbacks", "_compiled_chains")),
            (self.registered, ("callback", "callback_type", "condition", "__getattribute__")),
            (self.condition, ("matches", "from_state", "to_state", "transition", "__getattribute__")),
            (self.config, ("enabled", "handler_factory", "auto_detect", "__getattribute__")),
            (self.detection, ("detect",)),
            (self.whole.executor, ("__init__", "__new__", "execute_transition")),
        )
        for cls, names in kept:
            allowed = [[look(cls, name), *ours.get(name, ())] for name in names]
            self.watched.append((cls, names, allowed))
        self.count = len(self.watched)
        for i in range(self.count):
            self.classes[i] = <PyObject *>self.watched[i][0]
            self.tags[i] = 0
        return 0


cdef enum:
    PLACES = 9


@cython.final
cdef class Form:
    """Makes dicts with the same `PLACES` keys, in order; setting them one by one costs most of ``to_dict``.

    As in guards.pyx no layout is assumed: in a copy whose values are marks, each key and its mark are looked for.
    """

    cdef list names
    cdef dict blank
    cdef Py_ssize_t place[PLACES]
    cdef bint placed

    def __cinit__(self, names):
        cdef Py_ssize_t i
        cdef list held = []            # a container, so that the collector knows every copy
        self.names = list(names)
        self.blank = {name: held for name in names}
        self.placed = True
        for i in range(PLACES):
            self.placed = self.placed and self.find(i)
        self.placed = self.placed and self.holds()

    cdef bint find(self, Py_ssize_t i) except -1:
        cdef dict sample = self.blank.copy()
        cdef char *keys = fa_keys(<PyObject *>sample)
        cdef Py_ssize_t at, last = dict.__sizeof__(sample) - dict.__basicsize__ - 2 * <Py_ssize_t>sizeof(PyObject *)
        cdef PyObject **pair
        mark = object()
        sample[self.names[i]] = mark
        for at in range(0, last + 1, sizeof(PyObject *)):
            pair = <PyObject **>(keys + at)
            if pair[0] is PyList_GET_ITEM(<PyObject *>self.names, i) and pair[1] is <PyObject *>mark:
                self.place[i] = at + <Py_ssize_t>sizeof(PyObject *)
                return True
        return False

    cdef bint holds(self) except -1:
        cdef PyObject *given[PLACES]
        cdef Py_ssize_t i
        cdef list marks = [object() for _ in self.names]
        for i in range(PLACES):
            given[i] = PyList_GET_ITEM(<PyObject *>marks, i)
        made = self.blank.copy()
        self.fill(made, given)
        return made == dict(zip(self.names, marks)) and list(made.values()) == marks

    cdef int fill(self, dict made, PyObject **given) except -1:
        """Put the values into a fresh copy of `blank`, which nobody else has seen."""
        cdef char *keys = fa_keys(<PyObject *>made)
        cdef PyObject **place
        cdef PyObject *old
        cdef Py_ssize_t i
        for i in range(PLACES):
            if not self.placed:
                PyDict_SetItem(<PyObject *>made, PyList_GET_ITEM(<PyObject *>self.names, i), given[i])
                continue
            place = <PyObject **>(keys + self.place[i])
            old = place[0]
            Py_INCREF(<object>given[i])
            place[0] = given[i]
            Py_DECREF(<object>old)
        return 0


cdef InputsBuilder outcome_builder(object outcome):
    # The builder of a model with three fields that may be anything, which is what validating an outcome comes to.
    from foobara_accel.core.inputs import ANY, FieldSpec, InputsSpec

    fields = tuple([FieldSpec(name, ANY) for name in ("result", "errors", "metadata")])
    if tuple(outcome.model_fields) != tuple([field.name for field in fields]):
        raise TypeError("an outcome has other fields")
    return InputsBuilder(InputsSpec(outcome, outcome.__pydantic_validator__, 1, "", fields), None)


cdef inline bint sound(World w) noexcept:
    """Whether foobara_py's own classes are as they were."""
    cdef Py_ssize_t i
    for i in range(w.count):
        if w.tags[i] == 0 or w.tags[i] != fa_tag(w.classes[i]):
            return sound_yet(w)
    return w.outcomes._is_current()


cdef bint sound_yet(World w) noexcept:
    cdef Py_ssize_t i
    cdef PyObject *found
    cdef list values
    for i in range(w.count):
        cls, names, allowed = w.watched[i]
        for name, values in zip(names, allowed):
            if not any_is(values, look(cls, name)):
                return False
        w.tags[i] = fa_tag(<PyObject *>cls)
    return w.outcomes._is_current()


cdef bint any_is(list values, object found) noexcept:
    for value in values:
        if value is found:
            return True
    return False


# -- plans -----------------------------------------------------------------------------------------


@cython.final
cdef class Plan:
    """What is known of one command class. It belongs to that class and is found in its dict."""

    cdef object cls
    cdef World world
    cdef unsigned int tag              # of the class when it was last as described; 0: compare
    cdef unsigned int base_tag         # of Command
    cdef object mro
    cdef tuple users                   # the classes of the MRO that are not Command's
    cdef list held                     # by class: the values of WATCHED in its dict, None where there is none
    cdef list resolved                 # what the class has under the names of WATCHED
    cdef object base                   # Command or AsyncCommand
    cdef bint is_async
    cdef bint plain                    # nothing of CORE is overridden
    cdef bint makes                    # plain, and so are making and running an instance
    cdef unsigned int hooks            # bits of the phases that are not foobara_py's
    cdef bint flagged                  # before_execute or after_execute is switched on, or records are loaded
    cdef bint own_type                 # inputs_type is overridden
    cdef bint own_symbol
    cdef bint own_domains
    cdef object registry, config, domain, symbol, model, execute
    cdef InputsBuilder builder
    cdef unsigned int model_tag, meta_tag  # of the model, and of what it is called by, when they were plain
    cdef Py_ssize_t references         # of an instance without attributes
    cdef bint keeps                    # instances that nobody else refers to are used again
    cdef object spare                  # one of them, as it is when made
    cdef list chains                   # by phase: the callbacks by kind, or None; of `noted`
    cdef list noted                    # what the registry's list held: the items, and the parts of each
    cdef object noted_list
    cdef object path_from, path_to     # the last runtime path, and the one of a subcommand below it

    def __reduce__(self):
        return type(None), ()          # a class that is pickled by value leaves it behind


cdef Plan plan_of(World w, PyObject *cls):
    """The plan of *cls* if it is a command class that goes the short way at all, as it is now; else None."""
    cdef PyObject *found = fa_lookup(cls, <PyObject *>PLAN)
    cdef Plan plan
    if found is not NULL and Py_TYPE(found) is <PyTypeObject *>Plan:
        plan = <Plan>found
        if <PyObject *>plan.cls is cls and plan.world is w:
            if (plan.tag != 0 and plan.tag == fa_tag(cls)) or same(plan):
                return plan
    return new_plan(w, cls)


cdef inline Plan plan_of_any(World w, object cls):
    """`plan_of` for what need be no class: ``Command.run.__func__`` may be given anything."""
    return plan_of(w, <PyObject *>cls) if PyType_Check(<PyObject *>cls) else None


cdef inline bint current(Plan plan) noexcept:
    return (plan.tag != 0 and plan.tag == fa_tag(<PyObject *>plan.cls)) or same(plan)


cdef bint same(Plan plan) noexcept:
    """Whether the class still has what the plan was made from."""
    cdef Py_ssize_t i, j, total = len(WATCHED)
    cdef PyObject *cls = <PyObject *>plan.cls
    cdef PyObject *found
    cdef PyObject *value
    cdef dict members
    cdef list held
    cdef unsigned int base = fa_tag(<PyObject *>plan.base)
    if <PyObject *>(<type>plan.cls).__mro__ is not <PyObject *>plan.mro:
        return False
    if base != 0 and base == plan.base_tag:
        # Only the classes above Command can have changed.
        for i in range(len(plan.users)):
            members = fa_members(<PyTypeObject *>PyTuple_GET_ITEM(<PyObject *>plan.users, i))
            held = <list>plan.held[i]
            for j in range(total):
                found = PyDict_GetItem(<PyObject *>members, PyTuple_GET_ITEM(<PyObject *>WATCHED, j))
                value = PyList_GET_ITEM(<PyObject *>held, j)
                if found is NULL:
                    found = <PyObject *>ABSENT
                if found is not value:
                    return False
    else:
        for j in range(total):
            found = fa_lookup(cls, PyTuple_GET_ITEM(<PyObject *>WATCHED, j))
            if found is NULL:
                found = <PyObject *>ABSENT
            if found is not PyList_GET_ITEM(<PyObject *>plan.resolved, j):
                return False
        plan.base_tag = fa_tag(<PyObject *>plan.base)
    fa_lookup(cls, <PyObject *>PLAN)   # gives the class a tag if it can have one
    plan.tag = fa_tag(cls)
    return True


cdef object ABSENT = object()


cdef Plan new_plan(World w, PyObject *cls):
    cdef Plan plan
    cdef Py_ssize_t i
    cdef object owner, value
    cdef dict own = w.own
    cdef tuple core = CORE
    owner = <object>cls
    if type(owner) is not w.meta or owner is w.command or owner is w.async_command:
        return None
    plan = Plan.__new__(Plan)
    plan.base = w.command
    plan.is_async = False
    if not PyType_IsSubtype(<PyTypeObject *>cls, <PyTypeObject *>w.command):
        if not w.knows_async or not PyType_IsSubtype(<PyTypeObject *>cls, <PyTypeObject *>w.async_command):
            return None
        plan.base, plan.is_async, own, core = w.async_command, True, w.async_own, ASYNC_CORE
    plan.cls, plan.world, plan.mro = owner, w, owner.__mro__
    base = plan.base.__mro__
    plan.users = tuple([one for one in owner.__mro__ if one not in base])
    plan.held = []
    for one in plan.users:
        members = fa_members(<PyTypeObject *>one)
        plan.held.append([members.get(name, ABSENT) for name in WATCHED])
    plan.resolved = []
    for name in WATCHED:
        if fa_lookup(cls, <PyObject *>name) is NULL:
            plan.resolved.append(ABSENT)
        else:
            plan.resolved.append(look(owner, name))
    found = dict(zip(WATCHED, plan.resolved))
    plan.base_tag = fa_tag(<PyObject *>plan.base)
    plan.hooks = 0
    for i in range(7):
        if i != EXECUTE and not any_is(own[NAMES[i]], found[NAMES[i]]):
            plan.hooks |= 1 << i
    plan.plain = all([any_is(own[name], found[name]) for name in core])
    plan.makes = (
        plan.plain
        and all([any_is(own[name], found[name]) for name in MADE])
        and not fa_abstract(cls)
    )
    plan.own_type = not any_is(own["inputs_type"], found["inputs_type"])
    plan.own_symbol = not any_is(own["full_command_symbol"], found["full_command_symbol"])
    plan.own_domains = not any_is(own["_validate_cross_domain_call"], found["_validate_cross_domain_call"])
    plan.flagged = False
    for name in ("_loads", "_has_before_execute", "_has_after_execute"):
        value = found[name]
        # What has a __get__ is not what a class gives; what has a truth of its own may change it.
        if value is not ABSENT and value is not None and value is not False:
            plan.flagged = True
    if w.whole.hooks is not None and not plan.is_async and (w.whole.calls(owner, 0) or w.whole.calls(owner, 1)):
        plan.flagged = True
    plan.registry = found["_enhanced_callback_registry"]
    if plan.registry is not None and type(plan.registry) is not w.registry:
        plan.plain = plan.makes = False
    plan.config = found["_transaction_config"]
    plan.domain = found["_domain"]
    plan.symbol = found["_cached_full_symbol"]
    if type(plan.symbol) is not str:
        plan.symbol = None
    plan.model = None
    plan.builder = None
    plan.model_tag = plan.meta_tag = 0
    if not plan.own_type:
        value = found["_cached_inputs_type"]
        if isinstance(value, type) and issubclass(value, BaseModel):
            plan.model = value
            if type(value) is w.model_meta:
                try:
                    plan.builder = w.builder_for(value)
                except Exception:
                    plan.builder = None        # the run says what is wrong with that model
    plan.execute = found["execute"]
    if type(plan.execute) is not FunctionType:
        plan.execute = None
    plan.path_from = plan.path_to = None
    plan.references = -1
    plan.spare = plan.chains = plan.noted = plan.noted_list = None
    plan.keeps = plan.makes and found["__del__"] is ABSENT
    if plan.keeps:
        value = make(w, plan, {}, EMPTY)
        plan.references = fa_references(<PyObject *>value)
    forget(w, owner)
    type.__setattr__(owner, PLAN, plan)
    # The first look-up after a change gives the class its tag; what was found is compared once more with it.
    fa_lookup(cls, <PyObject *>PLAN)
    plan.tag = 0
    same(plan)
    return plan


cdef int forget(World w, object owner) except -1:
    """Let an instance go that was kept for the class as it was: a __del__ of now is not for it."""
    old = fa_members(<PyTypeObject *>owner).get(PLAN)
    if type(old) is Plan and (<Plan>old).spare is not None:
        try:
            (<Plan>old).spare.__class__ = (<Plan>old).base
        except TypeError:
            pass                       # it has slots of its own
        (<Plan>old).spare = None
    return 0


cdef object make(World w, Plan plan, object raw, object path):
    """A new instance, as Command's own constructor makes it."""
    cdef object command = fa_alloc(<PyObject *>plan.cls)
    cdef object machine = fa_alloc(<PyObject *>w.machine)
    cdef object errors = fa_alloc(<PyObject *>w.errors)
    cdef object value
    cdef PyObject *self = <PyObject *>command
    fa_put(<PyObject *>machine, w.now, w.state[0])
    value = fa_history()
    fa_put(<PyObject *>machine, w.history, <PyObject *>value)
    value = {}
    fa_put(<PyObject *>errors, w.by_id, <PyObject *>value)
    fa_put(<PyObject *>errors, w.by_key, <PyObject *>None)
    fa_put(<PyObject *>errors, w.fatal, Py_False)
    value = {}
    fa_put(self, w.raw, <PyObject *>raw)
    fa_put(self, w.inputs, <PyObject *>None)
    fa_put(self, w.collection, <PyObject *>errors)
    fa_put(self, w.result, <PyObject *>None)
    fa_put(self, w.last_outcome, <PyObject *>None)
    fa_put(self, w.state_machine, <PyObject *>machine)
    fa_put(self, w.path, <PyObject *>path)
    fa_put(self, w.records, <PyObject *>value)
    if not plan.is_async:              # which leaves these two out
        fa_put(self, w.transaction, <PyObject *>None)
        fa_put(self, w.executor, <PyObject *>None)
    return command


cdef inline object take(World w, Plan plan, object raw, object path):
    """An instance as its constructor makes it; the last one of its class where nobody has kept that."""
    cdef object command = plan.spare
    if command is None:
        return make(w, plan, raw, path)
    plan.spare = None
    fa_put(<PyObject *>command, w.raw, <PyObject *>raw)
    fa_put(<PyObject *>command, w.path, <PyObject *>path)
    return command


cdef inline int give_back(World w, Plan plan, PyObject *self) except -1:
    """Keep an instance for the next run. Its one reference is the caller's; it has no attributes."""
    cdef PyObject *machine = FA_SLOT(self, w.state_machine)
    cdef PyObject *errors = FA_SLOT(self, w.collection)
    cdef PyObject *history
    cdef PyObject *by_id
    cdef PyObject *records = FA_SLOT(self, w.records)
    if not plan.keeps or plan.spare is not None or not fa_ours(self) or fa_weakly_referenced(self):
        return 0
    if not fa_ours(machine) or not fa_ours(errors) or not steady(w, machine):
        return 0
    history, by_id = FA_SLOT(machine, w.history), FA_SLOT(errors, w.by_id)
    if not fa_ours(history) or not fa_ours(by_id) or not fa_ours(records) or not PyDict_CheckExact(records):
        return 0
    if PyDict_GET_SIZE(records) or FA_SLOT(self, w.last_outcome) is not <PyObject *>None:
        return 0
    fa_empty(history)
    fa_put(machine, w.now, w.state[0])
    if PyDict_GET_SIZE(by_id):
        PyDict_Clear(by_id)
    fa_put(errors, w.by_key, <PyObject *>None)
    fa_put(errors, w.fatal, Py_False)
    fa_put(self, w.executor, <PyObject *>None)
    fa_put(self, w.raw, <PyObject *>None)
    fa_put(self, w.inputs, <PyObject *>None)
    fa_put(self, w.result, <PyObject *>None)
    # Letting go of values may have run code: look again.
    if plan.spare is None and fa_ours(self):
        plan.spare = <object>self
    return 0


cdef bint shadowed(World w, Plan plan, PyObject *self) except -1:
    """Whether the instance has an attribute of its own in the place of a method, or lacks a slot."""
    return marks(w, plan, self) == DISTURBED


cdef int marks(World w, Plan plan, PyObject *self) except -1:
    cdef Py_ssize_t more = 0
    if not holds_all(w, self):
        return DISTURBED
    if plan.is_async:
        more = (FA_SLOT(self, w.transaction) is not NULL) + (FA_SLOT(self, w.executor) is not NULL)
    elif FA_SLOT(self, w.transaction) is NULL or FA_SLOT(self, w.executor) is NULL:
        return DISTURBED
    if plan.references >= 0 and fa_references(self) == plan.references + more:
        return CLEAN
    own = PyObject_GenericGetDict(self, NULL)
    return MARKED if len(own) == 0 or OF_INSTANCES.isdisjoint(own) else DISTURBED


cdef inline bint holds_all(World w, PyObject *self) noexcept:
    return (
        FA_SLOT(self, w.raw) is not NULL
        and FA_SLOT(self, w.inputs) is not NULL
        and FA_SLOT(self, w.collection) is not NULL
        and FA_SLOT(self, w.result) is not NULL
        and FA_SLOT(self, w.last_outcome) is not NULL
        and FA_SLOT(self, w.state_machine) is not NULL
        and FA_SLOT(self, w.path) is not NULL
        and FA_SLOT(self, w.records) is not NULL
    )


cdef int left(World w, Plan plan, PyObject *self) except -1:
    """What the user's code has left behind: CLEAN, MARKED, or DISTURBED for what the short way does not know."""
    cdef PyObject *errors
    cdef int how
    if <PyObject *>Py_TYPE(self) is not <PyObject *>plan.cls or not current(plan) or not sound(w):
        return DISTURBED
    how = marks(w, plan, self)
    if how == DISTURBED or FA_SLOT(self, w.transaction) is not <PyObject *>None:
        return DISTURBED
    if FA_SLOT(self, w.executor) is not <PyObject *>None:
        return DISTURBED               # a run within the run has set it
    errors = FA_SLOT(self, w.collection)
    if <PyObject *>Py_TYPE(errors) is not <PyObject *>w.errors or FA_SLOT(errors, w.by_id) is NULL:
        return DISTURBED
    if not PyDict_CheckExact(FA_SLOT(errors, w.by_id)) or not steady(w, FA_SLOT(self, w.state_machine)):
        return DISTURBED
    return how


cdef inline bint steady(World w, PyObject *machine) noexcept:
    if <PyObject *>Py_TYPE(machine) is not <PyObject *>w.machine or FA_SLOT(machine, w.now) is NULL:
        return False
    return FA_SLOT(machine, w.history) is not NULL and PyList_CheckExact(FA_SLOT(machine, w.history))


cdef inline bint waiting(World w, object registry) noexcept:
    """Whether callbacks may have to be called."""
    cdef PyObject *callbacks
    if registry is None:
        return False
    callbacks = FA_SLOT(<PyObject *>registry, w.callbacks)
    return callbacks is NULL or not PyList_CheckExact(callbacks) or PyList_GET_SIZE(callbacks) != 0


cdef inline bint wrong(World w, PyObject *self) noexcept:
    return PyDict_GET_SIZE(FA_SLOT(FA_SLOT(self, w.collection), w.by_id)) > 0


cdef inline bint opens(World w, Plan plan) except -1:
    """Whether opening may find a transaction handler."""
    cdef PyObject *config = <PyObject *>plan.config
    cdef PyObject *handlers
    if <PyObject *>Py_TYPE(config) is not <PyObject *>w.config:
        return True
    if FA_SLOT(config, w.enabled) is NULL or FA_SLOT(config, w.factory) is NULL or FA_SLOT(config, w.auto_detect) is NULL:
        return True
    if not truth(FA_SLOT(config, w.enabled)):
        return False
    if truth(FA_SLOT(config, w.factory)):
        return True
    if not truth(FA_SLOT(config, w.auto_detect)):
        return False
    handlers = fa_lookup(<PyObject *>w.detection, <PyObject *>HANDLERS)
    return handlers is NULL or not PyList_CheckExact(handlers) or PyList_GET_SIZE(handlers) > 0


cdef str HANDLERS = "_handlers"


cdef inline int truth(PyObject *value) except -1:
    if value is Py_True:
        return 1
    if value is <PyObject *>None or value is Py_False:
        return 0
    return PyObject_IsTrue(value)


cdef inline int advance(World w, PyObject *self, int number) except -1:
    """Move the state machine to state *number*, as far as it may."""
    cdef PyObject *machine = FA_SLOT(self, w.state_machine)
    if FA_SLOT(machine, w.now) is w.state[number - 1]:
        fa_push(FA_SLOT(machine, w.history), w.move[number - 1])
        fa_put(machine, w.now, w.state[number])
    else:
        (<object>machine).transition_to(<object>w.state[number])
    return 0


# -- a run -----------------------------------------------------------------------------------------


cdef object drive(World w, object command, Plan plan, int *ended, bint *clean):
    """Run *command*, of which *ended* says what is wanted: OUTCOME, or anything else. The plan is its class's.

    *clean* becomes whether nothing is known that would keep the instance from being used again.
    """
    cdef PyObject *self = <PyObject *>command
    cdef object registry = plan.registry
    cdef PyObject *called
    cdef int number, status, how = CLEAN
    cdef object result = None
    cdef bint wanted = ended[0] == OUTCOME
    ended[0] = OUTCOME
    clean[0] = False
    if plan.flagged or plan.hooks & 1 or opens(w, plan):
        return w.whole.resume(command, 0, registry, None)
    if plan.hooks == 0 and not waiting(w, registry):
        # No callback and no hook: bench cases "simple run", "parent and one subcommand", "two runtime errors".
        advance(w, self, 1)
        advance(w, self, 2)
        status = cast(w, command, plan)
        if status != STEP_QUIET:
            if status == STEP_RAISED:
                return raised(w, command, 2, registry)
            if left(w, plan, self) == DISTURBED or waiting(w, registry):
                return w.whole.resume(command, 2, registry, None)
        if wrong(w, self):
            clean[0] = status == STEP_QUIET or left(w, plan, self) == CLEAN
            return refused(w, command, wanted, ended)
        for number in range(3, 7):
            advance(w, self, number)
        if plan.execute is not None:
            called = fa_call_one(<PyObject *>plan.execute, self)
        else:
            called = PyObject_CallMethodNoArgs(self, PyTuple_GET_ITEM(<PyObject *>NAMES, EXECUTE))
        if called is NULL:
            return raised(w, command, 6, registry)
        result = <object>called
        Py_DECREF(result)
        fa_put(self, w.result, called)
        how = left(w, plan, self)
        if how == DISTURBED or waiting(w, registry):
            return w.whole.resume(command, 6, registry, None)
        if wrong(w, self):
            clean[0] = how == CLEAN
            return refused(w, command, wanted, ended)
        advance(w, self, 7)
    else:
        for number in range(7):
            status = step(w, command, plan, registry, number)
            if status == STEP_UNKNOWN:
                return w.whole.resume(command, number, registry, None)
            if status == STEP_RAISED:
                return raised(w, command, number + 1, registry)
            if status == STEP_CALLED:
                how = left(w, plan, self)
                if how == DISTURBED:
                    return w.whole.resume(command, number + 1, registry, None)
            if number != COMMIT and wrong(w, self):
                clean[0] = how == CLEAN
                return refused(w, command, wanted, ended)
        result = <object>FA_SLOT(self, w.result)
    advance(w, self, SUCCEEDED)
    clean[0] = how == CLEAN
    if not wanted:
        ended[0] = RESULT
        return result
    return outcome(w, result, [], {})


cdef object raised(World w, object command, int done, object registry):
    """The rest of a run after its phase *done* raised what is raised now."""
    cdef PyObject *error = fa_raised()
    cdef list kept = [<object>error]
    Py_DECREF(<object>error)
    return w.whole.resume(command, done, registry, kept)


cdef object refused(World w, object command, bint wanted, int *ended):
    """End a run that has errors and no transaction."""
    cdef PyObject *machine = FA_SLOT(<PyObject *>command, w.state_machine)
    cdef PyObject *now = FA_SLOT(machine, w.now)
    cdef int number
    for number in range(8):
        if w.state[number] is now:
            fa_push(FA_SLOT(machine, w.history), w.fail[number])
            fa_put(machine, w.now, w.state[FAILED])
            break
    else:
        (<object>machine).fail()
    if not wanted:
        ended[0] = REFUSED
        return None
    return outcome(w, None, PyDict_Values(FA_SLOT(FA_SLOT(<PyObject *>command, w.collection), w.by_id)), {})


cdef object outcome(World w, object result, list errors, dict metadata):
    cdef PyObject *given[3]
    cdef PyObject *made
    given[0], given[1], given[2] = <PyObject *>result, <PyObject *>errors, <PyObject *>metadata
    made = w.outcomes._assemble(given, 3)
    if made is NULL:
        return reraise()
    answer = <object>made
    Py_DECREF(answer)
    return answer


cdef object reraise():
    # Tells Cython that the exception a C call has set is to travel on.
    raise_set()


cdef int raise_set() except -1:
    return -1


cdef int step(World w, object command, Plan plan, object registry, int number) except -2:
    """One phase. STEP_RAISED: an exception is set."""
    cdef PyObject *self = <PyObject *>command
    cdef PyObject *machine = FA_SLOT(self, w.state_machine)
    cdef PyObject *callbacks = NULL if registry is None else FA_SLOT(<PyObject *>registry, w.callbacks)
    cdef PyObject *called
    cdef PyObject *now = FA_SLOT(machine, w.now)
    cdef list chains = None
    cdef object action
    if registry is not None:
        if callbacks is NULL or not PyList_CheckExact(callbacks) or FA_SLOT(<PyObject *>registry, w.compiled) is NULL:
            return STEP_UNKNOWN
        if PyList_GET_SIZE(callbacks):
            if truth(FA_SLOT(<PyObject *>registry, w.compiled)):
                return STEP_UNKNOWN
            if now is not w.state[number]:
                chains = picked(w, <list>callbacks, <object>now, number)
            else:
                if not noted(w, plan, callbacks):
                    note(w, plan, <list>callbacks)
                chains = <list>plan.chains[number]
    if chains is None:
        if number == EXECUTE and plan.execute is not None:
            advance(w, self, number + 1)
            called = fa_call_one(<PyObject *>plan.execute, self)
        elif number == CASTING and not plan.hooks & 2:
            advance(w, self, number + 1)
            return cast(w, command, plan)
        elif number == EXECUTE or plan.hooks >> number & 1:
            try:
                action = getattr(command, NAMES[number])
            except BaseException as error:
                return set_again(error)
            advance(w, self, number + 1)
            called = call(action)
        else:
            advance(w, self, number + 1)
            return STEP_QUIET
        if called is NULL:
            return STEP_RAISED
        if number == EXECUTE:
            fa_put(self, w.result, called)
        Py_DECREF(<object>called)
        return STEP_CALLED
    try:
        action = getattr(command, NAMES[number])
        advance(w, self, number + 1)
        result = transition(command, action, chains)
    except BaseException as error:
        return set_again(error)
    if number == EXECUTE:
        fa_put(self, w.result, <PyObject *>result)
    return STEP_CALLED


cdef extern from *:
    """
    static inline void fa_set_again(PyObject *value) {
        Py_INCREF(value);
    #if PY_VERSION_HEX >= 0x030C0000
        PyErr_SetRaisedException(value);
    #else
        Py_INCREF(Py_TYPE(value));
        PyErr_Restore((PyObject *)Py_TYPE(value), value, PyException_GetTraceback(value));
    #endif
    }
    """
    void fa_set_again(PyObject *value) noexcept


cdef PyObject *call(object action) noexcept:
    return PyObject_CallNoArgs(<PyObject *>action)


cdef extern from "Python.h":
    PyObject *PyObject_CallNoArgs(PyObject *) noexcept


cdef bint noted(World w, Plan plan, PyObject *callbacks) noexcept:
    """Whether the list of a registry holds what the chains of the plan were made from."""
    cdef PyObject *known = <PyObject *>plan.noted
    cdef PyObject *item
    cdef PyObject *when
    cdef Py_ssize_t i, size = PyList_GET_SIZE(callbacks)
    if plan.noted_list is not <object>callbacks or PyList_GET_SIZE(known) != 7 * size:
        return False
    for i in range(size):
        item = PyList_GET_ITEM(callbacks, i)
        when = FA_SLOT(item, w.when) if item is PyList_GET_ITEM(known, 7 * i) else NULL
        if (
            when is NULL
            or when is not PyList_GET_ITEM(known, 7 * i + 1)
            or FA_SLOT(item, w.callback) is not PyList_GET_ITEM(known, 7 * i + 2)
            or FA_SLOT(item, w.kind) is not PyList_GET_ITEM(known, 7 * i + 3)
            or FA_SLOT(when, w.from_state) is not PyList_GET_ITEM(known, 7 * i + 4)
            or FA_SLOT(when, w.to_state) is not PyList_GET_ITEM(known, 7 * i + 5)
            or FA_SLOT(when, w.transition) is not PyList_GET_ITEM(known, 7 * i + 6)
        ):
            return False
    return True


cdef int note(World w, Plan plan, list callbacks) except -1:
    """Make the chains of the seven phases anew."""
    cdef int number
    known, chains = [], []
    for item in callbacks:
        if type(item) is not w.registered or type(item.condition) is not w.condition:
            known = None               # of something else only the present answer is known
            break
        when = item.condition
        known += (item, when, item.callback, item.callback_type, when.from_state, when.to_state, when.transition)
    for number in range(7):
        chains.append(picked(w, callbacks, <object>w.state[number], number))
    plan.noted, plan.noted_list, plan.chains = [] if known is None else known, callbacks, chains
    return 0


cdef list picked(World w, list callbacks, object before, int number):
    """The callbacks of a transition by kind, or None where there is none."""
    cdef PyObject *item
    cdef PyObject *when
    cdef PyObject *kind
    cdef list chains = None
    cdef Py_ssize_t at
    cdef bint fits
    for registered in list(callbacks):
        item = <PyObject *>registered
        if <PyObject *>Py_TYPE(item) is not <PyObject *>w.registered:
            fits = registered.condition.matches(before, <object>w.state[number + 1], NAMES[number])
            chosen = registered.callback_type
        else:
            kind, when = FA_SLOT(item, w.kind), FA_SLOT(item, w.when)
            chosen = <object>kind
            if <PyObject *>Py_TYPE(when) is <PyObject *>w.condition:
                fits = (
                    agrees(FA_SLOT(when, w.transition), PyTuple_GET_ITEM(<PyObject *>NAMES, number))
                    and agrees(FA_SLOT(when, w.from_state), <PyObject *>before)
                    and agrees(FA_SLOT(when, w.to_state), w.state[number + 1])
                )
            else:
                fits = (<object>when).matches(before, <object>w.state[number + 1], NAMES[number])
        if not fits:
            continue
        if chosen is BEFORE:
            at = 0
        elif chosen is AFTER:
            at = 1
        elif chosen is AROUND:
            at = 2
        elif chosen is ERROR:
            at = 3
        elif chosen in KINDS:
            at = KINDS.index(chosen)
        else:
            continue
        if chains is None:
            chains = [None, None, None, None]
        if chains[at] is None:
            chains[at] = []
        (<list>chains[at]).append(registered.callback)
    return chains


cdef tuple KINDS = (BEFORE, AFTER, AROUND, ERROR)


cdef inline bint agrees(PyObject *wanted, PyObject *given) except -1:
    if wanted is given or wanted is <PyObject *>None:
        return True
    return not PyObject_RichCompareBool(wanted, given, Py_NE)


cdef object transition(object command, object action, list chains):
    if chains[3] is None:
        return surround(command, action, chains)
    try:
        return surround(command, action, chains)
    except Exception as error:
        for callback in <list>chains[3]:
            callback(command, error)
        raise


cdef object surround(object command, object action, list chains):
    if chains[0] is not None:
        for callback in <list>chains[0]:
            callback(command)
    if chains[2] is not None:
        result = _surrounded(command, chains[2], 0, action)()
    else:
        result = action()
    if chains[1] is not None:
        for callback in <list>chains[1]:
            callback(command)
    return result


cdef int set_again(object error) except -2:
    # To be taken up as it is by whoever called: a status and not an exception of ours.
    fa_set_again(<PyObject *>error)
    return STEP_RAISED


# -- inputs ----------------------------------------------------------------------------------------


cdef int cast(World w, object command, Plan plan) except -2:
    """Make the inputs of a command, whose class leaves cast_and_validate_inputs alone; as a step."""
    cdef PyObject *self = <PyObject *>command
    cdef PyObject *raw = FA_SLOT(self, w.raw)
    cdef PyObject *made
    cdef object held = None if raw is NULL else <object>raw
    cdef InputsBuilder builder = plan.builder
    cdef int status = STEP_CALLED
    if builder is None or type(held) is not dict or not builder._is_current() or not model_is_plain(w, plan):
        try:
            cast_slowly(w, command, plan)
        except BaseException as error:
            return set_again(error)
        return STEP_CALLED
    if builder.guarded:
        status = STEP_QUIET
        made = builder._guard_dict(raw)
        if made is NULL and PyErr_Occurred() is NULL:
            made = validated(builder, raw)
    else:
        made = validated(builder, raw)
    if made is not NULL:
        fa_put(self, w.inputs, made)
        Py_DECREF(<object>made)
        return status
    error = <object>fa_raised()
    Py_DECREF(error)
    if not isinstance(error, ValidationError):
        return set_again(error)
    try:
        refuse(w, command, error)
    except BaseException as second:
        return set_again(second)
    return STEP_CALLED


cdef PyObject *validated(InputsBuilder builder, PyObject *raw) noexcept:
    """What ``Model(**raw)`` makes where only pydantic-core has a part in it; NULL: an exception is set."""
    cdef Py_ssize_t at = 0
    cdef PyObject *key
    cdef PyObject *value
    cdef PyObject *made
    cdef PyObject *own
    while PyDict_Next(raw, &at, &key, &value):
        if not PyUnicode_CheckExact(key):
            return called_with(builder.model, raw)
    if builder.level == 3:
        return called_with(builder.model, raw)
    own = PyDict_Copy_(raw)            # an error about a missing field refers to what was given
    if own is NULL:
        return NULL
    made = builder._validate(own)
    Py_DECREF(<object>own)
    return made


cdef extern from "Python.h":
    PyObject *PyDict_Copy_ "PyDict_Copy"(PyObject *) noexcept
    PyObject *PyObject_Call(PyObject *, PyObject *, PyObject *) noexcept


cdef PyObject *called_with(object model, PyObject *raw) noexcept:
    return PyObject_Call(<PyObject *>model, <PyObject *>EMPTY, raw)


cdef bint model_is_plain(World w, Plan plan) noexcept:
    cdef PyObject *model = <PyObject *>plan.model
    cdef PyObject *meta = <PyObject *>w.model_meta
    if (
        plan.model_tag != 0
        and plan.model_tag == fa_tag(model)
        and plan.meta_tag != 0
        and plan.meta_tag == fa_tag(meta)
    ):
        return True
    if plan.builder.level < 3 and (
        fa_lookup(model, <PyObject *>INIT) is not <PyObject *>w.model_init
        or fa_lookup(model, <PyObject *>NEW) is not <PyObject *>OBJECT_NEW
        or fa_lookup(meta, <PyObject *>CALL) is not <PyObject *>w.model_call
    ):
        return False
    plan.model_tag, plan.meta_tag = fa_tag(model), fa_tag(meta)
    return True


cdef str INIT = "__init__"
cdef str NEW = "__new__"
cdef str CALL = "__call__"
cdef object OBJECT_NEW = object.__dict__["__new__"]


cdef object cast_slowly(World w, object command, Plan plan):
    try:
        command._inputs = command.inputs_type()(**command._raw_inputs)
    except ValidationError as error:
        refuse(w, command, error)


cdef object refuse(World w, object command, object error):
    # Neither the address of pydantic's page nor the context of its message is asked for: bench case "three
    # validation errors".
    cdef object made
    cdef bint plain = adds_plainly(w, command)
    for row in error.errors(include_url=False, include_context=False):
        path = tuple([str(part) for part in row["loc"]])
        context = {"input": row.get("input")}
        if plain and sound(w):
            collect(w, command, new_error(w, DATA, row["type"], path, row["msg"], context, False, w.severity, None))
        else:
            command.add_error(
                w.error(category=DATA, symbol=row["type"], path=path, message=row["msg"], context=context)
            )


# -- errors ----------------------------------------------------------------------------------------


cdef object new_error(World w, object category, object symbol, object path, object message, object context,
                      object is_fatal, object severity, object suggestion):
    """A new FoobaraError, whose path is no list."""
    cdef object made = fa_alloc(<PyObject *>w.error)
    cdef PyObject *error = <PyObject *>made
    fa_put(error, w.category, <PyObject *>category)
    fa_put(error, w.symbol, <PyObject *>symbol)
    fa_put(error, w.where, <PyObject *>path)
    fa_put(error, w.message, <PyObject *>message)
    fa_put(error, w.attached, <PyObject *>context)
    fa_put(error, w.runtime_path, <PyObject *>EMPTY)
    fa_put(error, w.is_fatal, <PyObject *>is_fatal)
    fa_put(error, w.how, <PyObject *>severity)
    fa_put(error, w.suggestion, <PyObject *>suggestion)
    fa_put(error, w.help_url, <PyObject *>None)
    fa_put(error, w.cause, <PyObject *>None)
    fa_put(error, w.stack_trace, <PyObject *>None)
    fa_put(error, w.cached_key, <PyObject *>None)
    return made


cdef bint adds_plainly(World w, object command) except -1:
    """Whether add_error of this command would be foobara_py's own, and so would all that it does."""
    cdef Plan plan
    cdef PyObject *errors
    if not sound(w):
        return False
    plan = plan_of(w, <PyObject *>Py_TYPE(<PyObject *>command))
    if plan is None or not plan.plain or shadowed(w, plan, <PyObject *>command):
        return False
    errors = FA_SLOT(<PyObject *>command, w.collection)
    return (
        <PyObject *>Py_TYPE(errors) is <PyObject *>w.errors
        and FA_SLOT(errors, w.by_id) is not NULL
        and PyDict_CheckExact(FA_SLOT(errors, w.by_id))
        and FA_SLOT(errors, w.by_key) is <PyObject *>None
        and PyTuple_CheckExact(FA_SLOT(<PyObject *>command, w.path))
    )


cdef int collect(World w, object command, object error) except -1:
    """``add_error`` where it adds plainly and *error* is one of ours."""
    cdef PyObject *self = <PyObject *>command
    cdef PyObject *path = FA_SLOT(self, w.path)
    cdef PyObject *errors
    if truth(path):
        error = prefixed(w, error, <object>path)
    errors = FA_SLOT(self, w.collection)
    key = PyLong_FromVoidPtr(<void *><PyObject *>error)
    PyDict_SetItem(FA_SLOT(errors, w.by_id), <PyObject *>key, <PyObject *>error)
    if truth(FA_SLOT(<PyObject *>error, w.is_fatal)):
        fa_put(errors, w.fatal, Py_True)
    return 0


cdef object prefixed(World w, object error, object prefix):
    """A copy of an error, for a command that runs below others."""
    cdef object made
    cdef PyObject *runtime_path = FA_SLOT(<PyObject *>error, w.runtime_path)
    cdef PyObject *source = <PyObject *>error
    if not whole_error(w, source) or not PyTuple_CheckExact(runtime_path) or type(prefix) is not tuple:
        return error.with_runtime_path_prefix(*prefix)
    made = copied(w, source)
    path = <tuple>prefix + <tuple>runtime_path
    fa_put(<PyObject *>made, w.runtime_path, <PyObject *>path)
    return made


cdef object copied(World w, PyObject *source):
    """Another error of the same fields and no key yet; the context is shared."""
    cdef object made = new_error(
        w,
        <object>FA_SLOT(source, w.category),
        <object>FA_SLOT(source, w.symbol),
        <object>FA_SLOT(source, w.where),
        <object>FA_SLOT(source, w.message),
        <object>FA_SLOT(source, w.attached),
        <object>FA_SLOT(source, w.is_fatal),
        <object>FA_SLOT(source, w.how),
        <object>FA_SLOT(source, w.suggestion),
    )
    fa_put(<PyObject *>made, w.runtime_path, FA_SLOT(source, w.runtime_path))
    fa_put(<PyObject *>made, w.help_url, FA_SLOT(source, w.help_url))
    fa_put(<PyObject *>made, w.cause, FA_SLOT(source, w.cause))
    fa_put(<PyObject *>made, w.stack_trace, FA_SLOT(source, w.stack_trace))
    return made


# -- subcommands -----------------------------------------------------------------------------------


cdef object subcommand(World w, object command, object command_class, dict inputs, object whole):
    """The result of a subcommand, or None after its errors have become those of *command*."""
    cdef Plan parent, child
    cdef PyObject *path
    cdef int ended = RESULT
    cdef bint clean = False
    cdef object below, made, result
    if not PyType_Check(<PyObject *>command_class) or not sound(w):
        return whole(command, command_class, **inputs)
    parent = plan_of(w, <PyObject *>Py_TYPE(<PyObject *>command))
    child = None if parent is None else plan_of(w, <PyObject *>command_class)
    if (
        child is None
        or parent.is_async
        or child.is_async
        or not parent.plain
        or not child.makes
        or parent.own_symbol
        or parent.own_domains
        or shadowed(w, parent, <PyObject *>command)
        or PyDict_Contains(<PyObject *>inputs, <PyObject *>RUNTIME_PATH)
        or PyDict_Contains(<PyObject *>inputs, <PyObject *>SELF)
    ):
        return whole(command, command_class, **inputs)
    path = FA_SLOT(<PyObject *>command, w.path)
    if parent.domain is not None and child.domain is not None:
        # A descriptor that both inherit may give each its own domain.
        if parent.domain is not child.domain or type(parent.domain) is not str:
            command._validate_cross_domain_call(command_class)
    if parent.symbol is None or not PyTuple_CheckExact(path):
        below = command._subcommand_runtime_path + (command.full_command_symbol(),)
    elif <PyObject *>parent.path_from is path:
        below = parent.path_to
    else:
        below = <tuple>path + (parent.symbol,)
        parent.path_from, parent.path_to = <object>path, below
    made = take(w, child, inputs, below)
    result = drive(w, made, child, &ended, &clean)
    if ended == RESULT:
        if clean:
            give_back(w, child, <PyObject *>made)
        return result
    if ended == OUTCOME:
        if not result.is_failure():
            return result.result
        errors = result.errors
    else:
        errors = PyDict_Values(FA_SLOT(FA_SLOT(<PyObject *>made, w.collection), w.by_id))
    for error in errors:
        error.context["subcommand"] = command_class.__name__
        command._errors.add(error)
    return None


# -- what takes the place of foobara_py's methods ----------------------------------------------------


def replacements(target, repairs):
    """Return what takes the place of foobara_py's methods, by "Class.attribute".

    *target* has its classes under their names; *repairs* names the repairs of `_foreign` that are wanted.
    Class methods are ``classmethod`` objects, all else is called with the instance first.
    """
    from foobara_accel.core.inputs import builder_for

    cdef World w, later_on
    cdef dict table = _pure.replacements(target, repairs)
    if not FA_GIL:
        return table
    whole = Whole(target, repairs)
    whole.transition = table["EnhancedCallbackExecutor.execute_transition"]
    # Before 3.12 an async command has its slots a word further on: its list of weak references comes first.
    w = later_on = World(target, whole, builder_for, target.Command)
    if not w.knows_async:
        later_on = World(target, whole, builder_for, target.AsyncCommand)
    table.update(runs(w, target))
    table.update(failing(w, target))
    table.update(told(w, target))
    table.update(made_errors(w, target))
    table.update(queries(w, target))
    table.update(machines(w, target))
    table.update(outcomes(w, target))
    table.update(later(later_on, target))
    table.update(types(target))
    dress(table, target)
    w.learn(table)
    if later_on is not w:
        later_on.learn(table)
    return table


cdef object run_class(World w, object cls, dict inputs):
    cdef Plan plan = plan_of_any(w, cls)
    cdef int ended = OUTCOME
    cdef bint clean = False
    cdef object command, answer
    if (
        plan is None
        or not plan.makes
        or plan.is_async
        or not sound(w)
        or PyDict_Contains(<PyObject *>inputs, <PyObject *>RUNTIME_PATH)
        or PyDict_Contains(<PyObject *>inputs, <PyObject *>SELF)
    ):
        return cls(**inputs).run_instance()
    command = take(w, plan, inputs, EMPTY)
    answer = drive(w, command, plan, &ended, &clean)
    if clean:
        give_back(w, plan, <PyObject *>command)
    return answer


# Where the code of a function is exchanged, that has made a dict of the keywords already: `exchanged` is what
# takes it as it is.
cdef dict runs(World w, object target):
    whole_subcommand = keep(stock(target.SubcommandConcern, "run_subcommand"))

    def run(cls, **inputs):
        return run_class(w, cls, inputs)

    def run_packed(cls, inputs):
        return run_class(w, cls, inputs)

    def run_subcommand_packed(self, command_class, inputs):
        return subcommand(w, self, command_class, inputs, whole_subcommand)

    run.exchanged, run_packed.packed = run_packed, True
    run_subcommand_packed.packed = True

    def run_instance(self):
        cdef Plan plan = plan_of(w, <PyObject *>Py_TYPE(<PyObject *>self))
        cdef int ended = OUTCOME
        cdef bint clean = False
        if (
            plan is None
            or not plan.plain
            or plan.is_async
            or left(w, plan, <PyObject *>self) == DISTURBED
            or wrong(w, <PyObject *>self)
            or FA_SLOT(FA_SLOT(<PyObject *>self, w.state_machine), w.now) is not w.state[0]
        ):
            return w.whole.run(self)
        return drive(w, self, plan, &ended, &clean)

    def run_subcommand(self, command_class, **inputs):
        return subcommand(w, self, command_class, inputs, whole_subcommand)

    run_subcommand.exchanged = run_subcommand_packed

    def run_subcommand_bang(self, command_class, **inputs):
        result = self.run_subcommand(command_class, **inputs)
        if result is None and self._errors.has_errors():
            raise w.halt()
        return result

    def cast_and_validate_inputs(self):
        cdef Plan plan = plan_of(w, <PyObject *>Py_TYPE(<PyObject *>self))
        if plan is None or not plan.plain or not sound(w) or shadowed(w, plan, <PyObject *>self):
            cast_slowly(w, self, plan)
        elif cast(w, self, plan) == STEP_RAISED:
            raise_set()

    return {
        "ExecutionConcern.run": classmethod(run),
        "StateConcern.run_instance": run_instance,
        "SubcommandConcern.run_subcommand": run_subcommand,
        "SubcommandConcern.run_subcommand_bang": run_subcommand_bang,
        "SubcommandConcern.run_subcommand_": run_subcommand_bang,
        "InputsConcern.cast_and_validate_inputs": cast_and_validate_inputs,
    }


cdef dict failing(World w, object target):
    def add_runtime_error(self, symbol, message, halt, context):
        add_at_runtime(w, self, symbol, message, halt, context)

    def add_input_error(self, path, symbol, message, context):
        add_to_input(w, self, path, symbol, message, context)

    return taking(target, "ErrorsConcern", (add_runtime_error, add_input_error))


cdef int add_at_runtime(World w, object command, object symbol, object message, object halt, dict context) except -1:
    if adds_plainly(w, command) and (PyDict_GET_SIZE(<PyObject *>context) == 0 or RESERVED.isdisjoint(context)):
        collect(w, command, new_error(w, RUNTIME, symbol, EMPTY, message, context, False, w.severity, None))
    else:
        command.add_error(w.error.runtime_error(symbol, message, **context))
    if halt:
        raise w.halt()
    return 0


cdef int add_to_input(World w, object command, object path, object symbol, object message, dict context) except -1:
    if adds_plainly(w, command) and (PyDict_GET_SIZE(<PyObject *>context) == 0 or RESERVED.isdisjoint(context)):
        if isinstance(path, list):
            path = tuple(path)
        collect(w, command, new_error(w, DATA, symbol, path, message, context, False, w.severity, None))
    else:
        command.add_error(w.error.data_error(symbol, path, message, **context))
    return 0


cdef dict told(World w, object target):
    whole_key, whole_dict = keep(stock(target.FoobaraError, "key")), keep(stock(target.FoobaraError, "to_dict"))

    def key(self):
        if type(self) is w.error and sound(w):
            found = key_of(w, <PyObject *>self)
            if found is not None:
                return found
        return whole_key(self)

    def to_dict(self):
        if type(self) is w.error and sound(w):
            found = dict_of(w, <PyObject *>self)
            if found is not None:
                return found
        return whole_dict(self)

    return {"FoobaraError.key": key, "FoobaraError.to_dict": to_dict}


cdef object key_of(World w, PyObject *error):
    """The key of an error, which keeps it; None: it is not made of plain texts."""
    cdef PyObject *cached = FA_SLOT(error, w.cached_key)
    cdef PyObject *category = FA_SLOT(error, w.category)
    cdef PyObject *symbol = FA_SLOT(error, w.symbol)
    cdef PyObject *path = FA_SLOT(error, w.where)
    cdef PyObject *runtime_path = FA_SLOT(error, w.runtime_path)
    if cached is not <PyObject *>None:
        return None if cached is NULL else <object>cached
    if category is NULL or symbol is NULL or path is NULL or runtime_path is NULL:
        return None
    if not PyUnicode_CheckExact(category) or not PyUnicode_CheckExact(symbol):
        return None
    if not PyTuple_CheckExact(path) or not PyTuple_CheckExact(runtime_path):
        return None
    above = ">".join(<tuple>runtime_path) if <tuple>runtime_path else None
    where = ".".join(<tuple>path) if <tuple>path else "root"
    made = f"{<str>category}.{<str>where}.{<str>symbol}"
    if above is not None:
        made = f"{<str>above}>{<str>made}"
    fa_put(error, w.cached_key, <PyObject *>made)
    return made


cdef object dict_of(World w, PyObject *error):
    """``to_dict`` (bench case "two errors to JSON bytes"); None: there is something unusual in the error."""
    cdef Py_ssize_t i
    cdef object key, path, runtime_path
    cdef PyObject *given[PLACES]
    cdef dict made
    if not whole_error(w, error):
        return None
    key = key_of(w, error)
    if key is None:
        return None
    for i in range(len(w.severities)):
        if PyList_GET_ITEM(<PyObject *>w.severities, i) is FA_SLOT(error, w.how):
            given[8] = PyList_GET_ITEM(<PyObject *>w.severity_texts, i)
            break
    else:
        return None
    path, runtime_path = listed(FA_SLOT(error, w.where)), listed(FA_SLOT(error, w.runtime_path))
    made = w.written.blank.copy()
    if not whole_error(w, error):      # making these may have started a collection
        return None
    given[0], given[3], given[4] = <PyObject *>key, <PyObject *>path, <PyObject *>runtime_path
    given[1], given[2] = FA_SLOT(error, w.category), FA_SLOT(error, w.symbol)
    given[5], given[6], given[7] = FA_SLOT(error, w.message), FA_SLOT(error, w.attached), FA_SLOT(error, w.is_fatal)
    w.written.fill(made, given)
    if truth(FA_SLOT(error, w.suggestion)):
        made["suggestion"] = <object>FA_SLOT(error, w.suggestion)
    if truth(FA_SLOT(error, w.help_url)):
        made["help_url"] = <object>FA_SLOT(error, w.help_url)
    if truth(FA_SLOT(error, w.cause)):
        made["cause"] = (<object>FA_SLOT(error, w.cause)).to_dict()
    return made


cdef inline list listed(PyObject *path):
    return [] if path is <PyObject *>EMPTY else list(<object>path)


cdef bint whole_error(World w, PyObject *error) noexcept:
    return (
        FA_SLOT(error, w.where) is not NULL
        and FA_SLOT(error, w.runtime_path) is not NULL
        and FA_SLOT(error, w.category) is not NULL
        and FA_SLOT(error, w.symbol) is not NULL
        and FA_SLOT(error, w.message) is not NULL
        and FA_SLOT(error, w.attached) is not NULL
        and FA_SLOT(error, w.is_fatal) is not NULL
        and FA_SLOT(error, w.suggestion) is not NULL
        and FA_SLOT(error, w.help_url) is not NULL
        and FA_SLOT(error, w.cause) is not NULL
        and FA_SLOT(error, w.how) is not NULL
        and FA_SLOT(error, w.stack_trace) is not NULL
    )


cdef dict made_errors(World w, object target):
    """How errors are made, and made from others."""
    error_class = target.FoobaraError
    severities = type(w.severity)
    critical, fatal, warning = severities.CRITICAL, severities.FATAL, severities.WARNING
    old = {
        name: keep(stock(error_class, name))
        for name in ("with_path_prefix", "with_runtime_path_prefix", "with_cause", "with_suggestion", "with_help_url")
    }
    factories = {
        name: keep(getattr(stock(error_class, name), "__func__", None))
        for name in ("data_error", "validation_error", "runtime_error", "domain_error", "system_error", "auth_error",
                     "external_error", "from_exception")
    }

    def data_error(cls, symbol, path, message, suggestion, context):
        if not makes(w, cls, context):
            return factories["data_error"](cls, symbol, path, message, suggestion, **context)
        if isinstance(path, list):
            path = tuple(path)
        return new_error(w, DATA, symbol, path, message, context, False, w.severity, suggestion)

    def validation_error(cls, symbol, path, message, suggestion, context):
        if not makes(w, cls, context):
            return factories["validation_error"](cls, symbol, path, message, suggestion, **context)
        if isinstance(path, list):
            path = tuple(path)
        return new_error(w, DATA, symbol, path, message, context, False, w.severity, suggestion)

    def runtime_error(cls, symbol, message, is_fatal, suggestion, context):
        if not makes(w, cls, context):
            return factories["runtime_error"](cls, symbol, message, is_fatal, suggestion, **context)
        how = critical if is_fatal else w.severity
        return new_error(w, RUNTIME, symbol, EMPTY, message, context, is_fatal, how, suggestion)

    def domain_error(cls, symbol, message, path, suggestion, context):
        if not makes(w, cls, context):
            return factories["domain_error"](cls, symbol, message, path, suggestion, **context)
        if isinstance(path, list):
            path = tuple(path)
        return new_error(w, "domain", symbol, path, message, context, False, w.severity, suggestion)

    def system_error(cls, symbol, message, is_fatal, suggestion, context):
        if not makes(w, cls, context):
            return factories["system_error"](cls, symbol, message, is_fatal, suggestion, **context)
        how = fatal if is_fatal else critical
        return new_error(w, "system", symbol, EMPTY, message, context, is_fatal, how, suggestion)

    def auth_error(cls, symbol, message, suggestion, context):
        if not makes(w, cls, context):
            return factories["auth_error"](cls, symbol, message, suggestion, **context)
        return new_error(w, "auth", symbol, EMPTY, message, context, False, w.severity, suggestion)

    def external_error(cls, symbol, message, service, suggestion, context):
        if not makes(w, cls, context):
            return factories["external_error"](cls, symbol, message, service, suggestion, **context)
        if service:
            context["service"] = service
        return new_error(w, "external", symbol, EMPTY, message, context, False, warning, suggestion)

    def from_exception(cls, exception, symbol, category):
        if not makes(w, cls, EMPTY_CONTEXT):
            return factories["from_exception"](cls, exception, symbol, category)
        message = str(exception)
        context = {"exception_type": type(exception).__name__, "exception_module": type(exception).__module__}
        return new_error(w, category, symbol, EMPTY, message, context, False, w.severity, None)

    def with_runtime_path_prefix(self, prefix):
        if not copies(w, self):
            return old["with_runtime_path_prefix"](self, *prefix)
        made = copied(w, <PyObject *>self)
        path = <tuple>prefix + <tuple>FA_SLOT(<PyObject *>made, w.runtime_path)
        fa_put(<PyObject *>made, w.runtime_path, <PyObject *>path)
        return made

    def with_path_prefix(self, prefix):
        if not copies(w, self):
            return old["with_path_prefix"](self, *prefix)
        made = copied(w, <PyObject *>self)
        path = <tuple>prefix + <tuple>FA_SLOT(<PyObject *>made, w.where)
        fa_put(<PyObject *>made, w.where, <PyObject *>path)
        return made

    def with_cause(self, cause):
        if not copies(w, self):
            return old["with_cause"](self, cause)
        made = copied(w, <PyObject *>self)
        fa_put(<PyObject *>made, w.cause, <PyObject *>cause)
        return made

    def with_suggestion(self, suggestion):
        if not copies(w, self):
            return old["with_suggestion"](self, suggestion)
        made = copied(w, <PyObject *>self)
        fa_put(<PyObject *>made, w.suggestion, <PyObject *>suggestion)
        return made

    def with_help_url(self, help_url):
        if not copies(w, self):
            return old["with_help_url"](self, help_url)
        made = copied(w, <PyObject *>self)
        fa_put(<PyObject *>made, w.help_url, <PyObject *>help_url)
        return made

    return taking(
        target, "FoobaraError",
        (data_error, validation_error, runtime_error, domain_error, system_error, auth_error, external_error,
         from_exception, with_runtime_path_prefix, with_path_prefix, with_cause, with_suggestion, with_help_url),
    )


cdef dict EMPTY_CONTEXT = {}


cdef bint makes(World w, object cls, dict context) except -1:
    """Whether a factory of errors does what foobara_py's own does."""
    return cls is w.error and sound(w) and (PyDict_GET_SIZE(<PyObject *>context) == 0 or RESERVED.isdisjoint(context))


cdef bint copies(World w, object self) noexcept:
    """Whether a copy of an error has the fields that its constructor would give it."""
    cdef PyObject *error = <PyObject *>self
    return (
        Py_TYPE(error) is <PyTypeObject *>w.error
        and sound(w)
        and whole_error(w, error)
        and PyTuple_CheckExact(FA_SLOT(error, w.where))
        and PyTuple_CheckExact(FA_SLOT(error, w.runtime_path))
    )


cdef dict taking(object target, str owner, tuple functions):
    """Replacements from functions that take what their names stand for as it is, rest and keywords in one each."""
    cdef dict table = {}
    for function in functions:
        name = function.__name__
        before = stock(getattr(target, owner), name)
        before_function = getattr(before, "__func__", before)
        function.packed = True
        if type(before_function) is FunctionType:
            made = unpacked(function, before_function)
            made.exchanged = function
        else:
            made = function            # somebody has patched it or taken it away: what it belongs to stays as it is
        table[f"{owner}.{name}"] = classmethod(made) if isinstance(before, classmethod) else made
    return table


cdef dict queries(World w, object target):
    """What an ErrorCollection is asked, and what it is given."""
    cls = target.ErrorCollection
    old = {name: keep(stock(cls, name)) for name in (
        "_rebuild_key_index", "first", "at_path", "with_symbol", "by_category", "in_runtime_path", "fatal_errors",
        "group_by_category", "messages", "to_dict", "to_list", "copy",
    )}

    def _rebuild_key_index(self):
        cdef dict by_id = held(w, self)
        if by_id is None:
            return old["_rebuild_key_index"](self)
        made = {key_in(w, error): error for error in by_id.values()}
        fa_put(<PyObject *>self, w.by_key, <PyObject *>made)

    def first(self):
        cdef dict by_id = held(w, self)
        if by_id is None:
            return old["first"](self)
        for error in by_id.values():
            return error
        return None

    def at_path(self, path, rest):
        cdef dict by_id = held(w, self)
        cdef list found = []
        if by_id is None:
            return old["at_path"](self, path, *rest)
        if rest:
            wanted = (path,) + rest if isinstance(path, str) else tuple(path) + rest
        elif isinstance(path, (list, tuple)):
            wanted = tuple(path)
        else:
            wanted = (path,)
        for error in by_id.values():
            if field(w, error, w.where, "path") == wanted:
                found.append(error)
        return found

    def with_symbol(self, symbol):
        cdef dict by_id = held(w, self)
        if by_id is None:
            return old["with_symbol"](self, symbol)
        return those(w, by_id, w.symbol, "symbol", symbol)

    def by_category(self, category):
        cdef dict by_id = held(w, self)
        if by_id is None:
            return old["by_category"](self, category)
        return those(w, by_id, w.category, "category", category)

    def in_runtime_path(self, path):
        cdef dict by_id = held(w, self)
        cdef list found = []
        cdef Py_ssize_t size = len(<tuple>path)
        if by_id is None:
            return old["in_runtime_path"](self, *path)
        for error in by_id.values():
            if len(field(w, error, w.runtime_path, "runtime_path")) >= size:
                if field(w, error, w.runtime_path, "runtime_path")[:size] == path:
                    found.append(error)
        return found

    def fatal_errors(self):
        cdef dict by_id = held(w, self)
        cdef list found = []
        if by_id is None:
            return old["fatal_errors"](self)
        for error in by_id.values():
            if field(w, error, w.is_fatal, "is_fatal"):
                found.append(error)
        return found

    def group_by_category(self):
        cdef dict by_id = held(w, self)
        cdef dict groups = {}
        if by_id is None:
            return old["group_by_category"](self)
        for error in by_id.values():
            category = field(w, error, w.category, "category")
            if category not in groups:
                groups[category] = []
            (<list>groups[category]).append(error)
        return groups

    def messages(self):
        cdef dict by_id = held(w, self)
        if by_id is None:
            return old["messages"](self)
        return [field(w, error, w.message, "message") for error in by_id.values()]

    def to_dict(self):
        cdef dict by_id = held(w, self)
        cdef PyObject *by_key
        if by_id is None:
            return old["to_dict"](self)
        if FA_SLOT(<PyObject *>self, w.by_key) is <PyObject *>None:
            self._rebuild_key_index()
        by_key = FA_SLOT(<PyObject *>self, w.by_key)
        if by_key is NULL or not PyDict_CheckExact(by_key):
            return old["to_dict"](self)
        return {key: dict_in(w, error) for key, error in (<dict>by_key).items()}

    def to_list(self):
        cdef dict by_id = held(w, self)
        if by_id is None:
            return old["to_list"](self)
        return [dict_in(w, error) for error in by_id.values()]

    def copy(self):
        cdef dict by_id = held(w, self)
        cdef PyObject *by_key = NULL if by_id is None else FA_SLOT(<PyObject *>self, w.by_key)
        if by_key is NULL or not (by_key is <PyObject *>None or PyDict_CheckExact(by_key)):
            return old["copy"](self)
        if FA_SLOT(<PyObject *>self, w.fatal) is NULL:
            return old["copy"](self)
        made = fa_alloc(<PyObject *>w.errors)
        value = by_id.copy()
        fa_put(<PyObject *>made, w.by_id, <PyObject *>value)
        value = (<dict>by_key).copy() if truth(by_key) else None
        fa_put(<PyObject *>made, w.by_key, <PyObject *>value)
        fa_put(<PyObject *>made, w.fatal, FA_SLOT(<PyObject *>self, w.fatal))
        return made

    return taking(
        target, "ErrorCollection",
        (_rebuild_key_index, first, at_path, with_symbol, by_category, in_runtime_path, fatal_errors,
         group_by_category, messages, to_dict, to_list, copy),
    )


cdef dict held(World w, object errors):
    """The errors of a collection by their addresses; None: it is not plain."""
    cdef PyObject *by_id
    if type(errors) is not w.errors or not sound(w):
        return None
    by_id = FA_SLOT(<PyObject *>errors, w.by_id)
    return None if by_id is NULL or not PyDict_CheckExact(by_id) else <dict>by_id


cdef inline object field(World w, object error, Py_ssize_t offset, str name):
    cdef PyObject *value = FA_SLOT(<PyObject *>error, offset) if type(error) is w.error else NULL
    return getattr(error, name) if value is NULL else <object>value


cdef list those(World w, dict by_id, Py_ssize_t offset, str name, object wanted):
    cdef list found = []
    cdef bint fits
    for error in by_id.values():
        value = field(w, error, offset, name)
        if type(value) is str and type(wanted) is str:
            fits = <str>value == <str>wanted
        else:
            fits = value == wanted
        if fits:
            found.append(error)
    return found


cdef object key_in(World w, object error):
    found = key_of(w, <PyObject *>error) if type(error) is w.error and sound(w) else None
    return error.key() if found is None else found


cdef object dict_in(World w, object error):
    found = dict_of(w, <PyObject *>error) if type(error) is w.error and sound(w) else None
    return error.to_dict() if found is None else found


cdef dict machines(World w, object target):
    """States, and the callbacks of a transition."""
    cls = target.CommandStateMachine
    old_transition = keep(stock(cls, "transition_to"))
    old_fail = keep(stock(cls, "fail"))
    old_get = keep(stock(target.EnhancedCallbackRegistry, "get_callbacks"))
    misses = offset_of(target.EnhancedCallbackRegistry, "_cache_misses")
    kind_of = type(w.states[0])

    def transition_to(self, new_state):
        cdef PyObject *machine = <PyObject *>self
        cdef PyObject *now
        cdef int number
        if not steady(w, machine) or not sound(w):
            return old_transition(self, new_state)
        now = FA_SLOT(machine, w.now)
        for number in range(8):
            if w.state[number] is now:
                if w.state[number + 1] is <PyObject *>new_state:
                    fa_push(FA_SLOT(machine, w.history), w.move[number])
                elif w.state[FAILED] is <PyObject *>new_state:
                    fa_push(FA_SLOT(machine, w.history), w.fail[number])
                else:
                    break
                fa_put(machine, w.now, <PyObject *>new_state)
                return True
        return old_transition(self, new_state)

    def fail(self):
        return transition_to(self, w.states[FAILED]) if type(self) is w.machine and sound(w) else old_fail(self)

    def get_callbacks(self, callback_type, from_state, to_state, name):
        cdef PyObject *registry = <PyObject *>self
        cdef PyObject *callbacks
        cdef PyObject *item
        cdef list found = []
        if (
            type(self) is not w.registry
            or not sound(w)
            or type(callback_type) is not str
            or type(from_state) is not kind_of
            or type(to_state) is not kind_of
            or type(name) is not str
        ):
            return old_get(self, callback_type, from_state, to_state, name)
        callbacks = FA_SLOT(registry, w.callbacks)
        if callbacks is NULL or not PyList_CheckExact(callbacks) or FA_SLOT(registry, misses) is NULL:
            return old_get(self, callback_type, from_state, to_state, name)
        if FA_SLOT(registry, w.compiled) is NULL or not PyDict_CheckExact(FA_SLOT(registry, w.compiled)):
            return old_get(self, callback_type, from_state, to_state, name)
        if PyDict_GET_SIZE(FA_SLOT(registry, w.compiled)):
            return old_get(self, callback_type, from_state, to_state, name)
        count = <object>FA_SLOT(registry, misses) + 1
        fa_put(registry, misses, <PyObject *>count)
        for registered in <list>callbacks:
            item = <PyObject *>registered
            if <PyObject *>Py_TYPE(item) is not <PyObject *>w.registered or FA_SLOT(item, w.kind) is NULL:
                fits = registered.callback_type == callback_type
            else:
                fits = <object>FA_SLOT(item, w.kind) == callback_type
            if fits and met(w, registered.condition, from_state, to_state, name):
                found.append(registered.callback)
        return found

    table = taking(target, "EnhancedCallbackRegistry", (get_callbacks,))
    allowed = {w.states[i]: {w.states[i + 1], w.states[FAILED], w.states[ERRORED]} for i in range(8)}
    allowed |= {w.states[i]: set() for i in range(8, 11)}
    if getattr(modules[cls.__module__], "VALID_TRANSITIONS", None) == allowed:
        table |= taking(target, "CommandStateMachine", (transition_to, fail))
    return table


cdef bint met(World w, object condition, object before, object after, object name) except -1:
    """Whether a condition holds for a transition."""
    cdef PyObject *when = <PyObject *>condition
    if <PyObject *>Py_TYPE(when) is not <PyObject *>w.condition:
        return condition.matches(before, after, name)
    return (
        agrees(FA_SLOT(when, w.transition), <PyObject *>name)
        and agrees(FA_SLOT(when, w.from_state), <PyObject *>before)
        and agrees(FA_SLOT(when, w.to_state), <PyObject *>after)
    )


cdef dict outcomes(World w, object target):
    def from_result(cls, result, metadata):
        if cls is w.outcome and sound(w):
            return outcome(w, result, [], metadata)
        return cls(result=result, errors=[], metadata=metadata)

    def from_errors(cls, errors, metadata):
        if cls is w.outcome and sound(w):
            return outcome(w, None, list(errors), metadata)
        return cls(result=None, errors=list(errors), metadata=metadata)

    return taking(target, "CommandOutcome", (from_result, from_errors))


cdef dict types(object target):
    """Types: ``process`` with what the stock processors do in place of calling them."""
    cls = target.FoobaraType
    function = stock(cls, "process") if isinstance(cls, type) else None
    # A foobara_py without its types, or with something else in their place, is refused by its shape.
    if not isinstance(function, FunctionType):
        return {}
    processors = {name: getattr(target, name, None) for name in pipeline.PROCESSORS}
    return {"FoobaraType.process": pipeline.processing(cls, keep(function), processors)}


cdef dict later(World w, object target):
    """Async commands: what a coroutine of ``_foreign`` does before and after it awaits."""

    def begin(cls, inputs):
        cdef Plan plan = plan_of_any(w, cls)
        cdef int status
        if (
            plan is None
            or not plan.makes
            or not plan.is_async
            or not sound(w)
            or PyDict_Contains(<PyObject *>inputs, <PyObject *>RUNTIME_PATH)
            or PyDict_Contains(<PyObject *>inputs, <PyObject *>SELF)
        ):
            command = cls(**inputs)
            return command, command, None
        command = make(w, plan, inputs, EMPTY)
        if waiting(w, plan.registry):
            return command, command, None
        status = cast(w, command, plan)
        if status == STEP_RAISED:
            raise_set()
        fa_put(<PyObject *>command, w.executor, <PyObject *>None)
        if status == STEP_QUIET:
            return command, plan.registry, True
        if wrong(w, <PyObject *>command):
            return command, plan.registry, False
        if not current(plan) or not sound(w) or not idle(w, plan, <PyObject *>command):
            return command, plan.registry, None
        return command, plan.registry, True

    def end(self):
        cdef Plan plan = plan_of(w, <PyObject *>Py_TYPE(<PyObject *>self))
        if plan is None or not plan.makes or not plan.is_async or not sound(w) or not idle(w, plan, <PyObject *>self):
            return None
        return outcome(w, <object>FA_SLOT(<PyObject *>self, w.result), [], {})

    return async_ways(target, begin, end)


cdef bint idle(World w, Plan plan, PyObject *self) except -1:
    """Whether an async command has no callbacks, errors or attributes in the way, and never left its first state."""
    cdef PyObject *errors
    cdef PyObject *machine
    if waiting(w, plan.registry):
        return False
    if marks(w, plan, self) == DISTURBED:
        return False
    errors, machine = FA_SLOT(self, w.collection), FA_SLOT(self, w.state_machine)
    if <PyObject *>Py_TYPE(errors) is not <PyObject *>w.errors or FA_SLOT(errors, w.by_id) is NULL:
        return False
    if not PyDict_CheckExact(FA_SLOT(errors, w.by_id)) or wrong(w, self) or not steady(w, machine):
        return False
    return FA_SLOT(machine, w.now) is w.state[0]
