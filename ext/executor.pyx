# cython: language_level=3, boundscheck=False, wraparound=False
"""Runs commands: the instance core, the plan of a class and the eight phases.

Design (the twin of _pure/executor.py, in the same order)
1. ``analyse(cls)`` (core/plan.py, written once for both twins) turns a class into a ``PlanSpec``.
2. A plan is used while the epoch and the resolved class attributes are those it was built from.
   The type's version tag is only a fast yes; a mismatch compares the attributes and rebuilds
   nothing when they are the same (a class that counts its runs in an attribute: one comparison a run).
3. ``execute_only`` is the one hot path: no callbacks, no transaction, no phase but execute;
   ``execute_between`` is the same with callbacks before and after execute.
4. ``phases`` is every other run. It starts at any phase, so the hot path hands over to it
   as soon as something shows up that it does not know.
5. ``Runner`` is a callable per class with vectorcall, so that a run makes neither a bound method
   nor a dict of its keywords. Instances that nobody else holds go back to a pool of their class.
"""

cimport cython
from cpython.dict cimport PyDict_New, PyDict_SetItem
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF

from foobara_accel._ext.errors cimport (
    CommandOutcome,
    ErrorCollection,
    FoobaraError,
    append_new,
    deferred_collection_for,
    fail,
    make_error,
    new_collection,
    succeed,
)
from foobara_accel._ext.guards cimport InputsBuilder

from inspect import Parameter, Signature
from types import FunctionType

from pydantic import ValidationError

from foobara_accel._ext import errors as _errors
from foobara_accel._instances import checked_state, restored, state_of
from foobara_accel._reports import echoed_model, exception_text
from foobara_accel._vocabulary import STATE_NAMES, CommandState, Halt

cdef extern from *:
    """
    #include <stddef.h>

    #include "foobara_accel/calls.h"

    #if defined(Py_GIL_DISABLED)
      #define FA_POOL 0
      #define FA_GIL 0
      typedef PyCriticalSection fa_section;
      #define fa_enter(section, owner) PyCriticalSection_Begin(section, owner)
      #define fa_leave(section) PyCriticalSection_End(section)
    #else
      #define FA_POOL 16
      #define FA_GIL 1
      typedef char fa_section;
      #define fa_enter(section, owner) ((void)(section))
      #define fa_leave(section) ((void)(section))
    #endif

    /* 0: the type has no valid tag */
    static inline unsigned int fa_tag(PyObject *cls) {
        PyTypeObject *type = (PyTypeObject *)cls;
    #if PY_VERSION_HEX < 0x030C0000
        if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) return 0;
    #endif
        return type->tp_version_tag;
    }

    /* A new reference to what the MRO holds under the name, unbound; NULL without an exception. */
    static inline PyObject *fa_lookup(PyObject *cls, PyObject *name) {
    #if defined(Py_GIL_DISABLED)
        return _PyType_LookupRef((PyTypeObject *)cls, name);
    #else
        PyObject *found = _PyType_Lookup((PyTypeObject *)cls, name);
        Py_XINCREF(found);
        return found;
    #endif
    }

    /* The instance's own attributes; NULL while it has none. Borrowed. */
    static inline PyObject *fa_attributes(PyObject *self) {
        Py_ssize_t offset = Py_TYPE(self)->tp_dictoffset;
        if (offset > 0) {
            PyObject *attributes = *(PyObject **)((char *)self + offset);
            return attributes != NULL && PyDict_GET_SIZE(attributes) ? attributes : NULL;
        }
        return NULL;
    }

    /* Whether no __getattr__ or __getattribute__ answers for attributes of the instance. */
    static inline int fa_plain(PyObject *self) {
        return Py_TYPE(self)->tp_getattro == PyObject_GenericGetAttr;
    }

    static PyObject *fa_cannot(PyTypeObject *type, PyObject *args, PyObject *keywords) {
        (void)args; (void)keywords;
        PyErr_Format(PyExc_TypeError, "cannot create '%.100s' instances", type->tp_name);
        return NULL;
    }

    /* Only this module makes instances of the type: one that Python made would have nothing in it. */
    static void fa_seal(PyTypeObject *type) {
        type->tp_new = fa_cannot;
        type->tp_vectorcall = NULL;    /* Cython's, which does not ask tp_new */
    }

    static int fa_set_attributes(PyObject *self, PyObject *value, void *closure) {
        PyObject **place = (PyObject **)((char *)self + Py_TYPE(self)->tp_dictoffset), *old;
        fa_section section;
        (void)closure;
        if (value != NULL && !PyDict_Check(value)) {
            PyErr_Format(
                PyExc_TypeError, "__dict__ must be set to a dictionary, not a '%.200s'", Py_TYPE(value)->tp_name
            );
            return -1;
        }
        Py_XINCREF(value);
        fa_enter(&section, self);
        old = *place;
        *place = value;
        fa_leave(&section);
        Py_XDECREF(old);
        return 0;
    }

    /* Have the attributes of an instance be replaced and deleted, as those of any object. Cython's __dict__ is not. */
    static void fa_free_attributes(PyTypeObject *type) {
        PyGetSetDef *one;
        for (one = type->tp_getset; one != NULL && one->name != NULL; one++)
            if (strcmp(one->name, "__dict__") == 0 && type->tp_dictoffset > 0) one->set = fa_set_attributes;
    }

    static inline int fa_ours_alone(PyObject *self) {
        Py_ssize_t offset = Py_TYPE(self)->tp_weaklistoffset;
        if (Py_REFCNT(self) != 1) return 0;
        if (offset > 0 && *(PyObject **)((char *)self + offset) != NULL) return 0;
        offset = Py_TYPE(self)->tp_dictoffset;
        if (offset > 0) {
            PyObject *attributes = *(PyObject **)((char *)self + offset);
            if (attributes != NULL && (PyDict_GET_SIZE(attributes) || Py_REFCNT(attributes) != 1)) return 0;
        }
        return 1;
    }

    static inline PyObject *fa_new(PyObject *cls, PyObject *nothing) {
        PyObject *self = ((PyTypeObject *)cls)->tp_new((PyTypeObject *)cls, nothing, NULL);
        /* Cython makes the dict at once; without one the interpreter calls methods without looking into it. */
        if (self != NULL && Py_TYPE(self)->tp_dictoffset > 0)
            Py_CLEAR(*(PyObject **)((char *)self + Py_TYPE(self)->tp_dictoffset));
        return self;
    }

    /* The item's reference passes to the caller; None takes its place. */
    static inline PyObject *fa_take(PyObject *list, Py_ssize_t index) {
        PyObject *item = PyList_GET_ITEM(list, index);
        Py_INCREF(Py_None);
        PyList_SET_ITEM(list, index, Py_None);
        return item;
    }

    static inline void fa_put(PyObject *list, Py_ssize_t index, PyObject *item) {
        PyObject *old = PyList_GET_ITEM(list, index);
        Py_INCREF(item);
        PyList_SET_ITEM(list, index, item);
        Py_DECREF(old);
    }

    /* Whether the class itself has the value under the name; None stands for nothing too. */
    static int fa_holds(PyObject *cls, PyObject *name, PyObject *value) {
        PyObject *members = fa_members((PyTypeObject *)cls), *found;
    #if defined(Py_GIL_DISABLED)
        if (PyDict_GetItemRef(members, name, &found) < 0) PyErr_Clear();
        Py_XDECREF(found);  /* compared only */
    #else
        found = PyDict_GetItem(members, name);
    #endif
        Py_DECREF(members);
        return found == value || (found == NULL && value == Py_None);
    }

    static inline void fa_next(unsigned long long *number) {
    #if defined(Py_GIL_DISABLED)
        __atomic_fetch_add(number, 1, __ATOMIC_SEQ_CST);
    #else
        *number += 1;
    #endif
    }

    static void fa_make_vectorcall(PyTypeObject *type, Py_ssize_t offset) {
        type->tp_vectorcall_offset = offset;
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
        type->tp_call = PyVectorcall_Call;
        PyType_Modified(type);
    }
    """
    ctypedef PyObject *(*vectorcallfunc)(PyObject *, PyObject *const *, size_t, PyObject *)
    int FA_POOL
    bint FA_GIL
    # Where an object's fields are read or replaced that another thread may replace; nothing under a GIL.
    ctypedef struct fa_section:
        pass
    void fa_enter(fa_section *, PyObject *) noexcept
    void fa_leave(fa_section *) noexcept
    unsigned int fa_tag(PyObject *cls)
    PyObject *fa_lookup(PyObject *cls, PyObject *name)
    PyObject *fa_attributes(PyObject *self)
    void fa_seal(PyTypeObject *type)
    void fa_free_attributes(PyTypeObject *type)
    bint fa_plain(PyObject *self)
    bint fa_ours_alone(PyObject *self)
    PyObject *fa_call_one(PyObject *function, PyObject *self)
    PyObject *fa_raised()
    PyObject *PyErr_GetHandledException()
    void PyErr_SetHandledException(PyObject *value)
    void fa_raise_again(PyObject *value)
    object fa_take(PyObject *list, Py_ssize_t index)
    void fa_put(PyObject *list, Py_ssize_t index, PyObject *item)
    object fa_new(object cls, object nothing)
    dict fa_members(PyTypeObject *cls)
    bint fa_holds(PyObject *cls, PyObject *name, PyObject *value)
    void fa_make_vectorcall(PyTypeObject *cls, Py_ssize_t offset)
    Py_ssize_t PyVectorcall_NARGS(size_t nargsf)
    PyObject *PyTuple_GET_ITEM(PyObject *, Py_ssize_t)
    Py_ssize_t PyTuple_GET_SIZE(PyObject *)
    int PyErr_GivenExceptionMatches(PyObject *, PyObject *)
    bint PyFunction_Check(PyObject *)  # of that type exactly
    PyObject *PyObject_CallOneArg(PyObject *, PyObject *)
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    int METH_FASTCALL
    int METH_KEYWORDS
    int METH_NOARGS
    object PyDescr_NewMethod(PyTypeObject *, PyMethodDef *)
    void PyType_Modified(PyTypeObject *)
    void PyErr_Clear()
    bint PyErr_ExceptionMatches(PyObject *kind)
    void PyErr_SetNone(PyObject *)
    PyTypeObject *Py_TYPE(PyObject *)
    void Py_XINCREF(PyObject *)
    void fa_next(unsigned long long *number) noexcept
    PyObject *PyObject_CallMethodNoArgs(PyObject *, PyObject *)
    void Py_XDECREF(PyObject *)

cdef enum:
    EXECUTE = 5
    COMMIT = 6
    BEFORE = 7
    AFTER = 8
    ROLLBACK = 9
    COMMITTED = 2                      # what closed is from the commit on: nothing undoes the run any more
    SUCCEEDED = 8
    FAILED = 9
    ERRORED = 10

# A hook's number is its bit in the mask of a plan; the first seven are the phases.
cdef tuple HOOKS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
    "before_execute",
    "after_execute",
    "rollback_transaction",
)
cdef frozenset HOOK_NAMES = frozenset(HOOKS)
cdef tuple STATES = tuple(CommandState)
cdef tuple NO_CHAINS = (None,) * 8 + ({}, {})
cdef tuple REGISTRIES = ("_callback_registry", "_enhanced_callback_registry")
cdef tuple EMPTY = ()

RUN_SIGNATURE = Signature([Parameter("inputs", Parameter.VAR_KEYWORD)])

cdef unsigned long long _epoch = 0
cdef object _services = None
cdef object ERROR = None             # the severity of the errors made here


def configure(services):
    """Give the twin what stands above it: the analysis of a class and the services of a run."""
    global _services, ERROR
    _services = services
    ERROR = services.ERROR


def bump_epoch():
    """Make every plan be built anew before it is used again."""
    fa_next(&_epoch)


def epoch():
    """Return the number that ``bump_epoch`` raises."""
    return _epoch


@cython.final
cdef class Plan:
    """What running one command class takes, compiled once; never used after the class has changed."""

    cdef object __weakref__
    cdef readonly object cls
    cdef readonly InputsBuilder builder
    cdef readonly tuple chains
    cdef readonly unsigned int mask
    cdef readonly bint opens
    cdef readonly bint generic
    cdef readonly bint echo
    cdef readonly bint logs
    cdef readonly bint execute_only
    cdef bint between                  # as execute_only, with callbacks before and after execute
    cdef tuple before                  # those callbacks
    cdef tuple after
    cdef unsigned int nothing          # bits of the phases in which a run of this class does nothing
    cdef bint plain_inputs             # guarded, and nothing to call before or while they are built
    cdef readonly tuple watched        # names whose values the plan was made from
    cdef tuple resolved                # those values, unbound; None where the MRO has none
    cdef tuple behind                  # the bases that may have callbacks of their own,
    cdef tuple registries              # and for each what it has under the two names of a registry
    cdef readonly unsigned long long epoch
    cdef unsigned int tag
    cdef unsigned int subcommands      # the class's tag while its run_subcommand was the library's
    cdef unsigned int untimed          # the class's tag while it had no timeout (async runs)
    cdef object execute                # the plain function, or None where only a method call will do
    cdef list pool                     # idle instances of cls, each with this as its only reference, then None
    cdef Py_ssize_t idle               # how many there are
    cdef bint poolable
    # the subcommand called last, so that a parent with one child looks nothing up
    cdef object last_class
    cdef Plan last_plan
    cdef object last_tracker
    cdef unsigned long long last_epoch

    cdef int set_up(self, spec, tuple resolved, unsigned long long at) except -1:
        cdef object cls = spec.cls
        self.cls = cls
        self.builder = spec.builder
        self.mask = spec.mask
        self.chains = spec.chains
        self.opens = spec.opens
        self.generic = spec.generic
        self.echo = spec.echo
        self.watched = spec.watched
        self.resolved = resolved
        self.behind = spec.behind
        self.registries = spec.registries
        # What a metaclass answers is asked at every run: such a plan is never current.
        self.epoch = at - 1 if spec.volatile else at
        self.logs = spec.logs
        self.subcommands = self.untimed = 0
        self.tag = 0                   # the first use compares, and then takes the tag
        self.execute_only = (
            spec.mask & ~(1 << EXECUTE) == 0 and spec.chains is None and not spec.opens and not spec.generic
        )
        self.between = self.only_between(spec)
        self.before = spec.chains[EXECUTE][0] if self.between else EMPTY
        self.after = spec.chains[EXECUTE][2] if self.between else EMPTY
        self.plain_inputs = (
            spec.mask & 3 == 0
            and not spec.opens
            and not spec.generic
            and self.builder.guarded
            and (spec.chains is None or (spec.chains[0] is None and spec.chains[1] is None))
        )
        self.nothing = 0
        for phase in range(7):
            if phase not in (1, EXECUTE) and not spec.mask >> phase & 1 and not (phase == 0 and spec.opens):
                if spec.chains is None or spec.chains[phase] is None and (phase != COMMIT or spec.chains[7] is None):
                    self.nothing |= 1 << phase
        execute = resolved[spec.watched.index("execute")]
        self.execute = execute if type(execute) is FunctionType and not spec.hooked else None
        self.pool = [None] * FA_POOL
        self.idle = 0
        self.poolable = FA_POOL > 0 and not spec.generic and not hasattr(cls, "__del__")

    cdef bint only_between(self, object spec) except -1:
        if spec.chains is None or spec.mask & ~(1 << EXECUTE) or spec.opens or spec.generic:
            return False
        for phase in range(8):
            chain = spec.chains[phase]
            if (chain is None) is (phase == EXECUTE) or chain is not None and (chain[1] or chain[3]):
                return False
        return True


cdef tuple look_up(object cls, tuple names):
    cdef list found = []
    cdef PyObject *value
    for name in names:
        value = fa_lookup(<PyObject *>cls, <PyObject *>name)
        if value is NULL:
            found.append(None)
        else:
            found.append(<object>value)
            Py_DECREF(<object>value)
    return tuple(found)


cdef bint same(Plan plan) noexcept:
    """Whether the class still has what the plan was made from; then its new tag is the plan's."""
    cdef Py_ssize_t index
    cdef PyObject *value
    cdef PyObject *cls = <PyObject *>plan.cls
    cdef unsigned int now, tag = fa_tag(cls)
    for index in range(PyTuple_GET_SIZE(<PyObject *>plan.watched)):
        value = fa_lookup(cls, PyTuple_GET_ITEM(<PyObject *>plan.watched, index))
        if value is NULL:
            if plan.resolved[index] is not None:
                return False
            continue
        Py_DECREF(<object>value)
        if value is not PyTuple_GET_ITEM(<PyObject *>plan.resolved, index):
            return False
    for index in range(PyTuple_GET_SIZE(<PyObject *>plan.registries)):
        if not fa_holds(
            PyTuple_GET_ITEM(<PyObject *>plan.behind, index >> 1),
            PyTuple_GET_ITEM(<PyObject *>REGISTRIES, index & 1),
            PyTuple_GET_ITEM(<PyObject *>plan.registries, index),
        ):
            return False
    # Only a tag that held before and after the look-ups stands for what they found. The first of them gives
    # one to a class that had none; without a GIL another thread may have changed the class after that.
    now = fa_tag(cls)
    plan.tag = now if tag == now or (tag == 0 and FA_GIL) else 0
    return True


cdef inline bint current(Plan plan) noexcept:
    cdef unsigned int tag = plan.tag
    if plan.epoch != _epoch:
        return False
    if tag != 0 and tag == fa_tag(<PyObject *>plan.cls):
        return True
    return same(plan)


cdef Plan fresh_plan(Runner runner):
    """The runner's plan if it still holds, else a new one. Raises TypeError without an inputs type."""
    cdef Plan plan = held(runner)
    cdef Plan old
    cdef fa_section section
    cdef unsigned long long at
    cdef tuple resolved
    if plan is not None and current(plan):
        return plan
    at = _epoch
    # Looked up first: what another thread changes during the analysis makes the plan void, not wrong.
    # The inputs type comes before that because finding it may set a watched attribute.
    runner.owner.inputs_type()
    resolved = look_up(runner.owner, _services.WATCHED)
    spec = _services.analyse(runner.owner)
    plan = Plan.__new__(Plan)
    plan.set_up(spec, resolved, at)
    fa_enter(&section, <PyObject *>runner)
    old = runner.plan
    runner.plan = plan
    fa_leave(&section)
    return plan


cdef inline Plan held(Runner runner):
    # Another thread may put a new plan there between the reading and the taking of a reference.
    cdef fa_section section
    fa_enter(&section, <PyObject *>runner)
    cdef Plan plan = runner.plan
    fa_leave(&section)
    return plan


cpdef Plan plan_for(cls):
    """Return the current plan of *cls*, built anew if there is none or the class has changed.

    Raises TypeError when the class has no inputs type.
    """
    return fresh_plan(runner_of(cls))


@cython.final
cdef class Runner:
    # ``SomeCommand.run``: takes the inputs as keywords and returns the outcome.

    cdef object __weakref__
    cdef vectorcallfunc vectorcall
    cdef object owner
    cdef Plan plan
    cdef unsigned int alone            # the owner's tag while no base of it had a run of the user's

    def __cinit__(self, owner=None):
        self.vectorcall = <vectorcallfunc>call_runner if isinstance(owner, type) else <vectorcallfunc>call_nothing
        self.owner = owner
        self.alone = 0

    __signature__ = RUN_SIGNATURE

    @property
    def __self__(self):
        return self.owner

    @property
    def __name__(self):
        return "run"

    @property
    def __qualname__(self):
        return "run" if self.owner is None else f"{self.owner.__qualname__}.run"

    @property
    def __module__(self):
        return __name__ if self.owner is None else self.owner.__module__

    @property
    def __doc__(self):
        return "Run on *inputs* and return the outcome."

    def __get__(self, instance, owner):
        cdef unsigned int tag = fa_tag(<PyObject *>owner)
        if owner is self.owner and tag != 0 and tag == self.alone:
            return self
        found = hidden(self, "run", instance, owner)
        if found is not None:
            return found
        if owner is self.owner:
            self.alone = tag if tag == fa_tag(<PyObject *>owner) else 0
            return self
        # Inherited by a class that __init_subclass__ never saw (a mixin without super), or super().run.
        return runner_of(owner)

    def __repr__(self):
        return f"<run of command {getattr(self.owner, '__qualname__', None)}>"

    def __reduce__(self):
        return getattr, (self.owner, "run")


cdef object hidden(object runner, str name, object instance, object owner):
    """What *owner* would inherit as *name* if its bases and it had no runner of their own, where that is no runner.

    Somebody has set it on a base class after the classes below it were made.
    """
    cdef object mine = runner_owner(runner)
    cdef object value
    cdef bint past = False
    if mine is None or not isinstance(owner, type):
        return None                    # the library's own: nothing stands between it and its class
    for base in (<object>owner).__mro__:
        if past:
            value = fa_members(<PyTypeObject *>base).get(name)
            if value is not None and runner_owner(value) is not base:
                if type(value) is type(runner):
                    return None
                bind = getattr(type(value), "__get__", None)
                return value if bind is None else bind(value, instance, owner)
        elif base is mine:
            past = True
    return None


cdef object runner_owner(object value):
    if type(value) is Runner:
        return (<Runner>value).owner
    if type(value) is AsyncRunner:
        return (<AsyncRunner>value).runner.owner
    return NO_OWNER


cdef object NO_OWNER = object()
cdef Runner _sample = Runner.__new__(Runner)
fa_make_vectorcall(<PyTypeObject *>Runner, <char *>&_sample.vectorcall - <char *><PyObject *>_sample)


cdef Runner runner_of(object cls):
    cdef PyObject *found
    cdef Runner runner
    if not isinstance(cls, type) or not issubclass(cls, Core):
        raise TypeError(f"{cls!r} is not a Command class")
    found = fa_lookup(<PyObject *>cls, <PyObject *>"_runner")
    if found is not NULL:
        value = <object>found
        Py_DECREF(value)
        if type(value) is Runner and (<Runner>value).owner is cls:
            return <Runner>value
    runner = Runner(cls)
    type.__setattr__(cls, "_runner", runner)
    return runner


def install_runner(cls):
    """Give a new command class a runner of its own, unless it or a base of it defines ``run`` itself."""
    cdef Runner runner = runner_of(cls)
    cdef PyObject *found
    if "run" not in cls.__dict__:
        found = fa_lookup(<PyObject *>cls, <PyObject *>"run")
        if found is not NULL:
            value = <object>found
            Py_DECREF(value)
            if type(value) is Runner:
                type.__setattr__(cls, "run", runner)


cdef dict keywords(PyObject *const *values, PyObject *names):
    cdef dict inputs = {}
    cdef Py_ssize_t index
    if names is not NULL:
        for index in range(PyTuple_GET_SIZE(names)):
            PyDict_SetItem(inputs, <object>PyTuple_GET_ITEM(names, index), <object>values[index])
    return inputs


cdef object call_nothing(PyObject *callable, PyObject *const *values, size_t nargsf, PyObject *names):
    raise TypeError("this run belongs to no command class")


cdef object call_runner(PyObject *callable, PyObject *const *values, size_t nargsf, PyObject *names):
    cdef Runner runner = <Runner>callable
    cdef Plan plan = held(runner)
    cdef Core command
    cdef Py_ssize_t given = PyVectorcall_NARGS(nargsf)
    cdef object outcome
    cdef bint succeeded
    if plan is None or not current(plan):
        plan = fresh_plan(runner)
    if given:
        raise TypeError(
            f"{runner.owner.__name__}.run() takes its inputs as keywords only, not {given} positional "
            f"argument{'s' if given > 1 else ''}"
        )
    if plan.generic:
        return plan.cls(**keywords(values, names)).run_instance()
    command = acquire(plan)
    if plan.execute_only:
        succeeded = execute_only(command, plan, values, names)
    else:
        succeeded = from_inputs(command, plan, values, names)
    outcome = succeed(command._result) if succeeded else fail(None, command._errors)
    if plan.poolable:
        release(plan, command)
    return outcome


def run_class(cls, dict inputs):
    """Run *cls* on *inputs* and return its outcome."""
    cdef Plan plan = plan_for(cls)
    cdef Core command
    if plan.generic:
        return cls(**inputs).run_instance()
    command = acquire(plan)
    command.raw = inputs
    return finish(command, phases(command, plan, 0))


def run_model(cls, model):
    """Run *cls* on a valid instance of its inputs type, without validating it again."""
    cdef Plan plan = plan_for(cls)
    cdef Core command
    if not isinstance(model, plan.builder.model):
        raise TypeError(
            f"{cls.__name__}.run_with() takes an instance of {plan.builder.model.__name__}, "
            f"not {type(model).__name__}"
        )
    if plan.generic or plan.mask & 2:
        return run_given(plan, Given(_services.values(model), None), model)
    command = acquire(plan)
    command._inputs = model
    return run_ready(plan, command)


def run_json(cls, data):
    """Run *cls* on the JSON object in *data*; JSON that cannot be read is a failed outcome."""
    cdef Plan plan = plan_for(cls)
    cdef Core command
    cdef PyObject *made = plan.builder.make_json(data)
    if made is NULL:
        error = <object>fa_raised()
        Py_DECREF(error)
        if not isinstance(error, ValidationError):
            raise error
        values = _services.parsed(data) if plan.generic or plan.mask & 2 else None
        if values is not None:
            return run_given(plan, Given(values, error), None)
        command = without_inputs(plan.cls) if plan.generic else acquire(plan)
        command.json_error = error
        return command.run_instance() if plan.generic else finish(command, phases(command, plan, 0))
    model = <object>made
    Py_DECREF(model)
    if plan.generic or plan.mask & 2:
        return run_given(plan, Given(_services.parsed(data) or {}, None), model)
    command = acquire(plan)
    command._inputs = model
    model = None                       # the command's alone: release() may empty it for the next run
    return run_ready(plan, command)


class Given(dict):
    """The raw inputs of a run on a model or on JSON whose class may change them before they are validated."""

    __slots__ = ("error", "values_given")

    def __init__(self, values, error):
        super().__init__(values)
        self.values_given = values
        self.error = error

    def kept(self, raw):
        """Whether *raw* is still what was given."""
        values = self.values_given
        return len(raw) == len(values) and all([name in raw and raw[name] is values[name] for name in values])


cdef object run_given(Plan plan, object given, object model):
    # A constructor of the class's own takes the values as it would those of run().
    cdef Core command = plan.cls(**given) if plan.generic else acquire(plan)
    if not plan.generic or given.kept(command._raw_inputs):
        # Not validated a second time: Pydantic takes from JSON what it does not take from Python.
        command.raw = given
        command._inputs = model
    return command.run_instance() if plan.generic else finish(command, phases(command, plan, 0))


cdef Core without_inputs(object cls):
    try:
        return cls()
    except TypeError:                  # its constructor asks for some
        return <Core>fa_new(cls, EMPTY)


cdef object run_ready(Plan plan, Core command):
    # Of a command that has its inputs.
    cdef object outcome
    cdef bint succeeded
    if plan.execute_only:
        succeeded = execute_ready(command, plan)
    else:
        succeeded = execute_between(command, plan) if plan.between else phases(command, plan, 0)
    outcome = finish(command, succeeded)
    if plan.poolable:
        release(plan, command)
    return outcome


cdef inline Core acquire(Plan plan):
    cdef Core command
    # The list keeps its length: appending and popping would resize it at each run.
    if plan.idle:
        plan.idle -= 1
        return <Core>fa_take(<PyObject *>plan.pool, plan.idle)
    command = <Core>fa_new(plan.cls, EMPTY)
    command.plan = plan
    return command


cdef inline void release(Plan plan, Core command) noexcept:
    # Only an instance that nothing else refers to, as it came from acquire: the caller's variable
    # holds the one reference.
    if plan.idle == FA_POOL or not fa_ours_alone(<PyObject *>command) or type(command) is not plan.cls:
        return
    plan.builder.take_back(<PyObject *>command._inputs)
    command._inputs = None
    command._result = None
    # Most runs leave these as they were, and a look costs less than a store (bench case "simple run").
    if command.raw is not None:
        command.raw = None
    if command._errors is not None:
        command._errors = None
    if command._parent is not None:
        command._parent = None
    if command._transaction is not None or command._own_callbacks is not None or command.json_error is not None:
        command._transaction = None
        command._own_callbacks = None
        command.json_error = None
    command.state_number = 0
    command.entered = 0
    command.closed = 0
    command.claimed = False
    # What was let go just now may have run code: look again.
    if plan.idle < FA_POOL and fa_ours_alone(<PyObject *>command):
        fa_put(<PyObject *>plan.pool, plan.idle, <PyObject *>command)
        plan.idle += 1


cpdef CommandOutcome finish(Core command, bint succeeded):
    """Return the outcome of a command that has ended."""
    return succeed(command._result) if succeeded else fail(None, command._errors)


cdef int execute_only(Core command, Plan plan, PyObject *const *values, PyObject *names) except -1:
    # The hot path: bench cases "simple run", "eight fields", "parent + subcommand".
    cdef PyObject *raw = NULL
    cdef PyObject *verdict = NULL
    cdef PyObject *result = plan.builder.make_kw_from(
        values, <PyObject *>EMPTY if names is NULL else names, &raw, NULL if plan.echo else &verdict
    )
    if raw is not NULL:
        command.raw = <object>raw
        Py_DECREF(<object>raw)
    if result is NULL:
        return inputs_refused(command, plan) if verdict is NULL else judged(command, plan, verdict)
    command._inputs = <object>result
    Py_DECREF(<object>result)
    return execute_ready(command, plan)


cdef inline int execute_ready(Core command, Plan plan) except -1:
    # The rest of execute_only, from validated inputs.
    cdef PyObject *result
    command.state_number = command.entered = 6
    if plan.execute is not None:
        result = fa_call_one(<PyObject *>plan.execute, <PyObject *>command)
    else:
        result = call_execute(command)
    if result is NULL:
        return execute_raised(command, plan)
    command._result = <object>result
    Py_DECREF(<object>result)
    if plan.epoch != _epoch or command._own_callbacks is not None or reshaped(command, plan):
        return executed(command, None)
    if command._errors is not None and command._errors.has_any():
        return failed(command, plan, NO_CHAINS)
    command.entered = 7
    command.state_number = SUCCEEDED
    return True


cdef int from_inputs(Core command, Plan plan, PyObject *const *values, PyObject *names) except -1:
    # Where nothing can be seen of the first two phases: bench case "one before + one after callback".
    cdef PyObject *made
    cdef PyObject *raw = NULL
    if plan.plain_inputs:
        made = plan.builder.make_kw_from(values, <PyObject *>EMPTY if names is NULL else names, &raw, NULL)
        if raw is not NULL:
            command.raw = <object>raw
            Py_DECREF(<object>raw)
        if made is not NULL:
            command._inputs = <object>made
            Py_DECREF(<object>made)
            return execute_between(command, plan) if plan.between else phases(command, plan, 2)
        if not PyErr_ExceptionMatches(<PyObject *>Exception):
            return inputs_refused(command, plan)
        # A guarded model has no code of the user's: building it again has no second effect.
        PyErr_Clear()
    if command.raw is None:
        command.raw = keywords(values, names)
    return phases(command, plan, 0)


ctypedef int (*Part)(Core command, Plan plan) noexcept
ctypedef int (*Ending)(Core command, Plan plan, object error) noexcept


cdef int execute_between(Core command, Plan plan) except -1:
    # As execute_ready, with the callbacks of that phase: bench case "one callback before, one after".
    command.state_number = command.entered = 6
    if (<Part>called_between)(command, plan) < 0:
        return handling(<Ending>stopped, command, plan)
    if (
        plan.epoch != _epoch
        or command._own_callbacks is not None
        or command._errors is not None
        or command._transaction is not None
        or reshaped(command, plan)
    ):
        return resume(command, plan)
    command.entered = 7
    command.state_number = SUCCEEDED
    return True


cdef int called_between(Core command, Plan plan) except -1:
    call_back(command, plan.before)
    command._result = execute_action(command, plan)
    call_back(command, plan.after)
    return 0


cdef int stopped(Core command, Plan plan, object error) except -1:
    """End a run whose execute, or a callback of it, raised *error*."""
    try:
        if isinstance(error, Halt) or not isinstance(error, Exception):
            raise error
        add_execution_error(command, error)
    except Halt:
        return halted(command, plan, chains_of(command, plan))
    except BaseException as last:
        abort(command, plan, chains_of(command, plan), last)
        raise
    return resume(command, plan)


cdef int resume(Core command, Plan plan) except -1:
    """Go on after execute, which left errors or something that execute_between does not know."""
    try:
        if wrong(command):
            return failed_since(command)
        if plan.epoch != _epoch or command._own_callbacks is not None or type(command) is not plan.cls:
            plan = plan_for(type(command))
    except Halt:
        return halted(command, plan, chains_of(command, plan))
    except BaseException as error:
        abort(command, plan, chains_of(command, plan), error)
        raise
    return phases(command, plan, COMMIT)


cdef int handling(Ending ending, Core command, Plan plan) except -1:
    """End a run as an except block would: what was raised just now is the context of what is raised next."""
    # Taken from the interpreter by hand: a try would build a traceback entry for each Halt and each refusal.
    cdef PyObject *raised = fa_raised()
    cdef PyObject *before = PyErr_GetHandledException()
    cdef int status
    PyErr_SetHandledException(raised)
    status = ending(command, plan, <object>raised)
    PyErr_SetHandledException(before)
    Py_XDECREF(before)
    Py_DECREF(<object>raised)
    return status


cdef int inputs_refused(Core command, Plan plan) except -1:
    return handling(<Ending>refused_by, command, plan)


cdef int refused_by(Core command, Plan plan, object error) except -1:
    command.state_number = command.entered = 2
    if isinstance(error, ValidationError):
        refuse(command, plan, error)
        return failed(command, plan, NO_CHAINS)
    abort(command, plan, NO_CHAINS, error)
    raise error


cdef int judged(Core command, Plan plan, PyObject *verdict) except -1:
    # The guard knows what pydantic would say: no exception is made (bench case "three validation errors").
    cdef object rows = <object>verdict
    Py_DECREF(rows)
    command.state_number = command.entered = 2
    command._errors = deferred_collection_for(rows, path_of(command), False, plan.builder.model)
    return failed(command, plan, NO_CHAINS)


cdef inline PyObject *call_execute(Core command) noexcept:
    return PyObject_CallMethodNoArgs(<PyObject *>command, <PyObject *>"execute")


cdef int execute_raised(Core command, Plan plan) except -1:
    return handling(<Ending>raised_by_execute, command, plan)


cdef int raised_by_execute(Core command, Plan plan, object error) except -1:
    return executed(command, error)


cdef inline bint reshaped(Core command, Plan plan):
    cdef PyObject *attributes
    if type(command) is not plan.cls:
        return True
    attributes = fa_attributes(<PyObject *>command)
    return attributes is not NULL and not HOOK_NAMES.isdisjoint(<object>attributes)


cdef int executed(Core command, object error) except -1:
    """What is left of a run on the hot path when execute raised *error*, or returned but changed something.

    It may have registered a callback, changed a setting or hung a hook on its instance.
    """
    cdef Plan plan = plan_for(type(command))
    cdef tuple chains = chains_of(command, plan)
    try:
        if isinstance(error, Halt):
            return halted(command, plan, chains)
        if isinstance(error, Exception):
            add_execution_error(command, error)
        elif error is not None:
            raise error
        elif has(command, plan, AFTER) and not wrong(command):
            try:
                command._result = command.after_execute(command._result)
            except Halt:
                raise
            except Exception as second:
                add_execution_error(command, second)
        if wrong(command):
            return failed(command, plan, chains)
    except Halt:
        return halted(command, plan, chains)
    except BaseException as last:
        abort(command, plan, chains, last)
        raise
    return phases(command, plan, COMMIT)


cdef tuple chains_of(Core command, Plan plan):
    own = command._own_callbacks
    chains = plan.chains if own is None else _services.chains(type(command), own)
    return NO_CHAINS if chains is None else chains


cdef inline bint has(Core command, Plan plan, int hook):
    cdef PyObject *attributes
    if plan.mask >> hook & 1:
        return True
    attributes = fa_attributes(<PyObject *>command)
    return attributes is not NULL and HOOKS[hook] in <dict>attributes


cdef inline bint wrong(Core command):
    return command._errors is not None and command._errors.has_any()


cdef int phases(Core command, Plan plan, int first) except -1:
    """Run the phases from *first* (0 to 6) to the end; True when the command has succeeded."""
    cdef tuple chains = chains_of(command, plan)
    cdef object own = command._own_callbacks
    cdef int phase
    try:
        for phase in range(first, 7):
            if (
                plan.nothing >> phase & 1
                and own is None
                and command._errors is None
                and command._transaction is None
                and fa_attributes(<PyObject *>command) is NULL
            ):
                command.state_number = command.entered = phase + 1
                continue
            if phase == EXECUTE and has(command, plan, BEFORE):
                # before_execute belongs to the state before: a failure there goes VALIDATING -> FAILED.
                try:
                    command.before_execute()
                except Halt:
                    raise
                except Exception as error:
                    add_execution_error(command, error)
                if wrong(command):
                    return failed(command, plan, chains)
            command.state_number = command.entered = phase + 1
            chain = chains[phase]
            if phase == EXECUTE:
                try:
                    if chain is None:
                        command._result = execute_action(command, plan)
                    else:
                        transition(command, plan, <tuple>chain, phase)
                except Halt:
                    raise
                except Exception as error:
                    add_execution_error(command, error)
                    if wrong(command):
                        return failed_since(command)
            elif chain is not None:
                transition(command, plan, <tuple>chain, phase)
            else:
                act(command, plan, phase)
            if wrong(command) and command.closed != COMMITTED:
                return failed_since(command)
            if plan.epoch != _epoch or command._own_callbacks is not own or type(command) is not plan.cls:
                # Somebody registered a callback or changed a setting inside a phase: the next one sees it.
                plan = plan_for(type(command))
                chains = chains_of(command, plan)
                own = command._own_callbacks
        if command._transaction is not None and command.closed != COMMITTED and command._transaction.is_active:
            raise Halt                 # a callback around the commit has not gone on
        if chains[7] is not None:
            # Its first part, the callbacks before it, has run before the commit.
            transition(command, plan, (EMPTY, *(<tuple>chains[7])[1:]), 7)
            if wrong(command) and command.closed != COMMITTED:
                return failed(command, plan, chains)
        command.entered = 7
        command.state_number = SUCCEEDED
        return True
    except Halt:
        return halted(command, plan, chains_of(command, plan))
    except BaseException as error:
        abort(command, plan, chains_of(command, plan), error)
        raise


cdef object act(Core command, Plan plan, int phase):
    # What a phase does between its callbacks; the result of execute is the only one that counts.
    if phase == 1:
        if command._inputs is None or has(command, plan, 1):
            if plan.mask & 2 == 0 and fa_attributes(<PyObject *>command) is NULL:
                cast(command, plan)
            else:
                command.cast_and_validate_inputs()
        return None
    if phase == EXECUTE:
        return execute_action(command, plan)
    if phase == COMMIT:
        if has(command, plan, COMMIT):
            command.commit_transaction()
        commit(command)
        return None
    if phase == 7:
        command.state_number = SUCCEEDED
        return None
    if phase == 0:
        if plan.opens or has(command, plan, 0):
            command.open_transaction()
        return None
    if has(command, plan, phase):
        getattr(command, <str>HOOKS[phase])()
    return None


cdef int commit(Core command) except -1:
    """Pass the point of no return, unless a callback before success has an error; nothing fails after it."""
    cdef object chain = chains_of(command, plan_for(type(command)))[7]
    if chain is not None and not wrong(command):
        try:
            call_back(command, <tuple>(<tuple>chain)[0])
        except Exception as error:
            for callback in <tuple>(<tuple>chain)[3]:
                callback(command, error)
            raise
    if wrong(command):
        return 0
    transaction = command._transaction
    if transaction is not None and transaction.is_active:
        transaction.commit()
    command.closed = COMMITTED
    return 0


cdef object execute_action(Core command, Plan plan):
    cdef PyObject *called
    cdef object result
    if plan.execute is not None and fa_attributes(<PyObject *>command) is NULL:
        called = fa_call_one(<PyObject *>plan.execute, <PyObject *>command)
    else:
        called = call_execute(command)
    if called is NULL:
        reraise()
    result = <object>called
    Py_DECREF(result)
    if has(command, plan, AFTER) and not wrong(command):
        result = command.after_execute(result)
    return result


cdef int reraise() except -1:
    # Tells Cython that the exception a C call has set is to travel on.
    return -1


cdef int transition(Core command, Plan plan, tuple chain, int phase) except -1:
    """One phase with its callbacks: before, around the action, after; on an Exception the error ones."""
    if not <tuple>chain[3]:
        return move(command, plan, chain, phase)
    try:
        return move(command, plan, chain, phase)
    except Exception as error:
        for callback in <tuple>chain[3]:
            callback(command, error)
        raise


cdef int move(Core command, Plan plan, tuple chain, int phase) except -1:
    cdef tuple around = <tuple>chain[1]
    call_back(command, <tuple>chain[0])
    if around:
        result = surround(command, plan, around, 0, phase)
    else:
        result = act(command, plan, phase)
    if phase == EXECUTE:
        command._result = result
    call_back(command, <tuple>chain[2])
    return 0


cdef int call_back(Core command, tuple callbacks) except -1:
    cdef Py_ssize_t index
    cdef PyObject *callback
    cdef PyObject *answer
    for index in range(PyTuple_GET_SIZE(<PyObject *>callbacks)):
        callback = PyTuple_GET_ITEM(<PyObject *>callbacks, index)
        if PyFunction_Check(callback):
            answer = fa_call_one(callback, <PyObject *>command)
        else:
            answer = PyObject_CallOneArg(callback, <PyObject *>command)
        if answer is NULL:
            reraise()
        Py_DECREF(<object>answer)
    return 0


cdef object surround(Core command, Plan plan, tuple around, int depth, int phase):
    cdef Proceed proceed
    if depth == len(around):
        return act(command, plan, phase)
    proceed = Proceed.__new__(Proceed)
    proceed.command, proceed.plan, proceed.around = command, plan, around
    proceed.depth, proceed.phase = depth + 1, phase
    return around[depth](command, proceed)


@cython.final
cdef class Proceed:
    """What an around callback calls to go on."""

    cdef Core command
    cdef Plan plan
    cdef tuple around
    cdef int depth
    cdef int phase

    def __call__(self):
        return surround(self.command, self.plan, self.around, self.depth, self.phase)

    # A copy is the same, as it is of a function.
    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


fa_seal(<PyTypeObject *>Proceed)
fa_seal(<PyTypeObject *>Plan)


cdef int failed_since(Core command) except -1:
    # The phase that failed may have registered a callback for just that.
    cdef Plan plan = plan_for(type(command))
    return failed(command, plan, chains_of(command, plan))


cdef int failed(Core command, Plan plan, tuple chains) except -1:
    cdef int came_from
    if command.state_number == SUCCEEDED:
        command.state_number = 7
    came_from = command.state_number
    rollback(command, plan)
    chain = None
    if chains is not NO_CHAINS:
        chain = (<dict>chains[8]).get(came_from)
    command.state_number = FAILED
    if chain is not None:
        terminal(command, <tuple>chain)
    if plan.logs or fa_attributes(<PyObject *>command) is not NULL and command._log_failures:
        _services.failed(command)
    return False


cdef int terminal(Core command, tuple chain) except -1:
    try:
        for callback in <tuple>chain[0]:
            callback(command)
        surround_nothing(command, <tuple>chain[1], 0)
        for callback in <tuple>chain[2]:
            callback(command)
    except Exception as error:
        for callback in <tuple>chain[3]:
            callback(command, error)
        raise
    return 0


cdef object surround_nothing(Core command, tuple around, int depth):
    if depth < len(around):
        around[depth](command, lambda: surround_nothing(command, around, depth + 1))


cdef int halted(Core command, Plan plan, tuple chains) except -1:
    if command.closed == COMMITTED:
        command.entered = 7
        command.state_number = SUCCEEDED
        return True
    if not wrong(command):
        command.add_error(
            make_error(
                "runtime",
                "halted",
                EMPTY,
                f"{type(command).__name__} halted without an error",
                None,
                EMPTY,
                False,
                ERROR,
            )
        )
    try:
        return failed(command, plan, chains)
    except BaseException as error:
        abort(command, plan, NO_CHAINS, error)
        raise


cdef int rollback(Core command, Plan plan) except -1:
    # Exactly once, whichever way a run ends.
    if command.closed:
        return 0
    command.closed = 1
    if command._transaction is None and not has(command, plan, ROLLBACK):
        return 0
    try:
        command.rollback_transaction()
    finally:
        transaction = command._transaction
        if transaction is not None and transaction.is_active:
            transaction.rollback()
    return 0


cdef int abort(Core command, Plan plan, tuple chains, object error) except -1:
    """Close the transaction after an escaping exception, which stays the one that is raised."""
    cdef int came_from = command.state_number
    try:
        rollback(command, plan)
    except Exception as second:
        if second is not error:
            error.add_note(f"rolling back failed too: {type(second).__name__}")
    finally:
        command.state_number = ERRORED
    if isinstance(error, Exception):
        chain = (<dict>chains[9]).get(came_from)
        if chain is not None:
            terminal(command, <tuple>chain)
    return 0


cdef int refuse(Core command, Plan plan, object error) except -1:
    # Pydantic's errors are converted when somebody looks.
    cdef tuple path = path_of(command)
    # Its traceback would hold frames of this run's callers for as long as the outcome lives.
    error.__traceback__ = None
    cdef object model = plan.builder.model
    if plan.echo:
        model = echoed_model(model, command._raw_inputs)
    if command._errors is None:
        command._errors = deferred_collection_for(error, path, plan.echo, model)
    else:
        command._errors.add_all(*_errors.errors_from_validation(error, path, plan.echo, model))
    return 0


cdef int refuse_openly(Core command, Plan plan, object error) except -1:
    # The same, by add_error where that is not the library's own. A __getattribute__ is not asked which it is.
    cdef object model
    cdef PyObject *attributes = fa_attributes(<PyObject *>command)
    cdef PyObject *method = fa_lookup(<PyObject *>Py_TYPE(<PyObject *>command), <PyObject *>"add_error")
    Py_XDECREF(method)
    if method is <PyObject *>ADD_ERROR and (attributes is NULL or "add_error" not in <dict>attributes):
        return refuse(command, plan, error)
    error.__traceback__ = None
    model = plan.builder.model
    if plan.echo:
        model = echoed_model(model, command._raw_inputs)
    for each in _errors.errors_from_validation(error, EMPTY, plan.echo, model):
        (<object>command).add_error(each)
    return 0


cdef tuple path_of(Core command):
    cdef list path
    cdef object parent = command._parent
    if parent is None:
        return EMPTY
    path = []
    while parent is not None:
        path.append(type(parent).full_command_symbol())
        parent = (<Core>parent)._parent if isinstance(parent, Core) else parent._parent
    path.reverse()
    return tuple(path)


cdef int add_execution_error(Core command, object error) except -1:
    command.add_error(
        make_error(
            "runtime",
            "execution_error",
            EMPTY,
            exception_text(error),
            {"exception_type": type(error).__name__},
            EMPTY,
            False,
            ERROR,
        )
    )
    return 0


cdef int cast(Core command, Plan plan) except -1:
    if command.json_error is not None:
        return refuse_openly(command, plan, command.json_error)
    if type(command.raw) is Given:
        if command.raw.kept(command.raw):
            return 0 if command.raw.error is None else refuse_openly(command, plan, command.raw.error)
        command.raw = dict(command.raw)
    if command._inputs is not None and not command.raw:
        return 0                       # given as a model
    try:
        command._inputs = plan.builder.build_dict(command._raw_inputs)
    except ValidationError as error:
        refuse_openly(command, plan, error)
    return 0


cdef class Core:
    """What every command instance is: inputs, errors, result and state of one run."""

    cdef dict __dict__
    cdef object __weakref__
    cdef object raw                    # the inputs as they came, or None where only the model is left of them
    cdef public object _inputs
    cdef public ErrorCollection _errors
    cdef public object _result
    cdef public object _transaction
    cdef public object _parent
    cdef public object _own_callbacks
    cdef object json_error
    cdef Plan plan                     # of an instance that a plan has made
    cdef int state_number
    cdef int entered
    cdef int closed
    cdef bint claimed                  # run_instance has begun to run it

    def __init__(self, /, **inputs):
        self.raw = inputs

    @property
    def _raw_inputs(self):
        if self.raw is not None:
            return self.raw
        if self._inputs is None:
            return {}
        # Only a run whose values passed unchanged keeps no dict of them.
        values = self._inputs.__dict__
        return {name: values[name] for name in type(self._inputs).model_fields if name in self._inputs.model_fields_set}

    @property
    def _state(self):
        return self.state_number

    @_state.setter
    def _state(self, value):
        self.state_number = value if isinstance(value, int) and 0 <= value <= ERRORED else checked_state(value)

    # As in the fallback; without these Cython raises NotImplementedError.
    @_state.deleter
    def _state(self):
        raise AttributeError(f"property '_state' of {type(self).__name__!r} object has no deleter")

    @property
    def _entered(self):
        return self.entered

    @_entered.setter
    def _entered(self, value):
        self.entered = value if isinstance(value, int) and 0 <= value <= ERRORED else checked_state(value)

    @_entered.deleter
    def _entered(self):
        raise AttributeError(f"property '_entered' of {type(self).__name__!r} object has no deleter")

    @property
    def _json_error(self):
        return self.json_error

    @_json_error.setter
    def _json_error(self, error):
        self.json_error = error

    @_json_error.deleter
    def _json_error(self):
        raise AttributeError(f"property '_json_error' of {type(self).__name__!r} object has no deleter")

    @property
    def inputs(self):
        """The validated inputs. Raises ValueError before they are."""
        inputs = self._inputs
        if inputs is None:
            raise ValueError("Inputs not yet validated")
        return inputs

    @property
    def errors(self):
        """The live ErrorCollection of this run."""
        if self._errors is None:
            self._errors = new_collection()
        return self._errors

    @property
    def state(self):
        """The state the run is in."""
        return STATES[self.state_number]

    @property
    def state_name(self):
        """The state's name, as in ``execute``."""
        return STATE_NAMES[STATES[self.state_number]]

    def run_instance(self):
        """Run this instance, once, and return its outcome. Raises RuntimeError the second time."""
        cdef Plan plan
        cdef bint taken
        cdef fa_section section
        # Taken before the plan, which may be made here: another thread may run the instance meanwhile.
        fa_enter(&section, <PyObject *>self)
        taken = self.state_number != 0 or self.claimed
        self.claimed = True
        fa_leave(&section)
        if taken:
            raise RuntimeError(
                f"this {type(self).__name__} has already run (state {self.state_name}): make a new instance"
            )
        try:
            plan = plan_for(type(self))
        except BaseException:
            self.claimed = False
            raise
        return finish(self, phases(self, plan, 0))

    # Below protocol 2 nothing is known of slots.
    def __reduce_ex__(self, protocol):
        return super().__reduce_ex__(max(2, protocol))

    def __getstate__(self):
        cdef PyObject *attributes = fa_attributes(<PyObject *>self)
        return state_of(
            self, None if attributes is NULL else <object>attributes, NOTHING, self.closed, bool(self.claimed)
        )

    def __setstate__(self, state):
        attributes, known, own = restored(state)
        errors = known["_errors"]
        if errors is not None and not isinstance(errors, ErrorCollection):
            raise TypeError(f"_errors in the state of a command is not {type(errors).__name__}")
        self.raw = known["_raw_inputs"]
        self._inputs, self._errors, self._result = known["_inputs"], errors, known["_result"]
        self._transaction, self._parent = known["_transaction"], known["_parent"]
        self._own_callbacks, self.json_error = known["_own_callbacks"], known["_json_error"]
        self.state_number, self.entered = known["_state"], known["_entered"]
        self.closed, self.claimed = known["_closed"], known["_claimed"]
        if attributes:
            (<object>self).__dict__.update(attributes)
        for name, value in own.items():
            setattr(self, name, value)

    def add_error(self, error):
        """Add *error*, under the runtime path of this run. Raises TypeError for anything but a FoobaraError."""
        if not isinstance(error, FoobaraError):
            raise TypeError(f"add_error() takes a FoobaraError, not {type(error).__name__}")
        if self._parent is not None:
            error = error.with_runtime_path_prefix(*path_of(self))
        if self._errors is None:
            self._errors = new_collection()
        self._errors.append(<FoobaraError>error)

    def add_input_error(self, path, symbol, message, **context):
        """Add a data error at *path* (a name or a sequence of names)."""
        if stock(self):
            self._errors = append_new(self._errors, "data", symbol, _services.path(path), message, context)
        else:
            self.add_error(make_error("data", symbol, _services.path(path), message, context, EMPTY, False, ERROR))

    def open_transaction(self):
        """Phase 1: begin the transaction that the class's configuration names, if any."""
        _services.open_transaction(self)

    def cast_and_validate_inputs(self):
        """Phase 2: make ``inputs`` of the raw inputs, or add a data error for each that is wrong."""
        cast(self, plan_for(type(self)))

    def load_records(self):
        """Phase 3: fetch what the command works on; does nothing unless overridden."""

    def validate_records(self):
        """Phase 4: check what was loaded; does nothing unless overridden."""

    def validate(self):
        """Phase 5: check the inputs against each other; does nothing unless overridden."""

    def before_execute(self):
        """Run right before ``execute``; does nothing unless overridden."""

    def execute(self):
        """Phase 6: the work; what it returns is the outcome's result."""
        return None

    def after_execute(self, result):
        """Run right after ``execute``; what it returns is the result."""
        return result

    def commit_transaction(self):
        """Phase 7: called before the transaction is committed; does nothing unless overridden."""

    def rollback_transaction(self):
        """Undo the open transaction; called once by a run that does not succeed."""
        transaction = self._transaction
        if transaction is not None and transaction.is_active:
            transaction.rollback()


cdef int runtime_error(Core command, object symbol, object message, object context) except -1:
    if stock(command):
        command._errors = append_new(command._errors, "runtime", symbol, EMPTY, message, context)
    else:
        command.add_error(make_error("runtime", symbol, EMPTY, message, context, EMPTY, False, ERROR))
    return 0


cdef bint stock(Core command) except -1:
    # Whether command.add_error(error) is the library's own and has no runtime path to add.
    cdef PyObject *method
    if (
        command._parent is not None
        or fa_attributes(<PyObject *>command) is not NULL
        or not fa_plain(<PyObject *>command)
    ):
        return False
    method = fa_lookup(<PyObject *>Py_TYPE(<PyObject *>command), <PyObject *>"add_error")
    if method is NULL:
        return False
    Py_DECREF(<object>method)
    return method is <PyObject *>ADD_ERROR


fa_free_attributes(<PyTypeObject *>Core)
cdef object NOTHING = frozenset()
cdef object ADD_ERROR = fa_members(<PyTypeObject *>Core)["add_error"]


cdef object subcommand(PyObject *parent_, PyObject *const *arguments, Py_ssize_t given, PyObject *names):
    """Run a class inside a run; the result, or None with the child's errors in the parent's."""
    cdef Core parent = <Core>parent_
    cdef Plan plan, inner = None
    cdef Core child
    cdef bint succeeded
    cdef object command_class, result, tracker = None
    cdef fa_section section
    cdef unsigned long long at
    if given != 1:
        raise TypeError(
            f"run_subcommand() takes the command class and its inputs as keywords, not {given} positional arguments"
        )
    command_class = <object>arguments[0]
    plan = parent.plan
    if plan is None or plan.cls is not type(parent) or not current(plan):
        plan = plan_for(type(parent))
    fa_enter(&section, <PyObject *>plan)
    if plan.last_class is command_class and plan.last_epoch == _epoch:
        inner = plan.last_plan
        tracker = plan.last_tracker
    fa_leave(&section)
    if inner is None or not current(inner):
        at = _epoch
        # A function command is looked up at each call: what it was made into may be replaced.
        command_class = _services.class_of(command_class)
        tracker = _services.verdict(type(parent), command_class)
        inner = plan_for(command_class)
        fa_enter(&section, <PyObject *>plan)
        plan.last_class = command_class
        plan.last_plan = inner
        plan.last_tracker = tracker
        plan.last_epoch = at
        fa_leave(&section)
    if tracker is not None:
        tracker()
    if inner.generic:
        made = command_class(**keywords(arguments + 1, names))
        child = <Core?>made
        child._parent = parent
        outcome = child.run_instance()
        if outcome.is_success():
            return outcome.result
        adopt(parent, command_class, outcome.errors)
        return None
    else:
        child = acquire(inner)
        child._parent = parent
        if inner.execute_only:
            succeeded = execute_only(child, inner, arguments + 1, names)
        else:
            succeeded = from_inputs(child, inner, arguments + 1, names)
    if succeeded:
        result = child._result
        if inner.poolable:
            release(inner, child)
        return result
    adopt(parent, command_class, child.errors)
    return None


cdef int adopt(Core parent, object command_class, object errors) except -1:
    name = command_class.__name__
    if parent._errors is None:
        parent._errors = new_collection()
    for error in errors:
        error.context["subcommand"] = name
        parent._errors.append(<FoobaraError?>error)
    return 0


# The methods that halt return NULL by hand: raise would build a traceback entry each time
# (bench case "two runtime errors").
ctypedef PyObject *(*returns_or_raises)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *) noexcept
ctypedef int (*halts_or_raises)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *) noexcept


cdef inline bint own_subcommand(Core parent) noexcept:
    # Whether the class or the instance has a run_subcommand that is not the library's. That of the class is looked
    # up once for each tag of it.
    cdef PyObject *attributes = fa_attributes(<PyObject *>parent)
    cdef PyObject *cls = <PyObject *>Py_TYPE(<PyObject *>parent)
    cdef unsigned int tag = fa_tag(cls)
    cdef Plan plan = parent.plan
    cdef PyObject *method
    if attributes is not NULL and RUN_SUBCOMMAND_NAME in <dict>attributes:
        return True
    if plan is not None and tag != 0 and tag == plan.subcommands:
        return False
    method = fa_lookup(cls, <PyObject *>RUN_SUBCOMMAND_NAME)
    Py_XDECREF(method)
    if method is not <PyObject *>RUN_SUBCOMMAND:
        return True
    if plan is not None:
        plan.subcommands = tag if tag == fa_tag(cls) else 0
    return False


cdef object call_subcommand(PyObject *parent, PyObject *const *arguments, Py_ssize_t given, PyObject *names):
    cdef Py_ssize_t index
    cdef list values = []
    for index in range(given):
        values.append(<object>arguments[index])
    return (<object>parent).run_subcommand(*values, **keywords(arguments + given, names))


cdef str RUN_SUBCOMMAND_NAME = "run_subcommand"
cdef object RUN_SUBCOMMAND = None


cdef PyObject *subcommand_bang(
    PyObject *parent, PyObject *const *arguments, Py_ssize_t given, PyObject *names
) noexcept:
    cdef PyObject *result
    if own_subcommand(<Core>parent):
        result = (<returns_or_raises><void *>call_subcommand)(parent, arguments, given, names)
    else:
        result = (<returns_or_raises><void *>subcommand)(parent, arguments, given, names)
    if result is <PyObject *>None and wrong(<Core>parent):
        PyErr_SetNone(HALT)
        return NULL
    return result


cdef PyObject *runtime_error_method(
    PyObject *command, PyObject *const *arguments, Py_ssize_t given, PyObject *names
) noexcept:
    cdef int halts = (<halts_or_raises><void *>take_runtime_error)(command, arguments, given, names)
    if halts == 0:
        Py_XINCREF(<PyObject *>None)
        return <PyObject *>None
    if halts > 0:
        PyErr_SetNone(HALT)
    return NULL


cdef int take_runtime_error(
    PyObject *command, PyObject *const *arguments, Py_ssize_t given, PyObject *names
) except -1:
    """Add the error; 1 when the command is to halt."""
    cdef Py_ssize_t index, count = 0 if names is NULL else PyTuple_GET_SIZE(names)
    cdef bint halts = True
    cdef dict context = None
    cdef object name
    if given < 2 or given > 3:
        return take_named_error(<object>command, arguments, given, names)
    if given == 3:
        halts = <object>arguments[2]
    for index in range(count):
        name = <object>PyTuple_GET_ITEM(names, index)
        if name == "halt":
            if given == 3:
                return take_named_error(<object>command, arguments, given, names)
            halts = <object>arguments[given + index]
        elif name == "symbol" or name == "message":
            return take_named_error(<object>command, arguments, given, names)
        else:
            if context is None:
                context = {}
            context[name] = <object>arguments[given + index]
    runtime_error(<Core>command, <object>arguments[0], <object>arguments[1], context)
    return halts


cdef int take_named_error(
    object command, PyObject *const *arguments, Py_ssize_t given, PyObject *names
) except -1:
    # The call as Python binds it: names for the first two, or a call that is wrong.
    cdef Py_ssize_t index
    cdef dict found = keywords(arguments + given, names)
    cdef tuple parameters = ("symbol", "message", "halt")
    if given > 3:
        raise TypeError(f"Core.add_runtime_error() takes from 3 to 4 positional arguments but {given + 1} were given")
    for index in range(given):
        if parameters[index] in found:
            raise TypeError(f"Core.add_runtime_error() got multiple values for argument {parameters[index]!r}")
        found[parameters[index]] = <object>arguments[index]
    if "symbol" not in found and "message" not in found:
        raise TypeError("Core.add_runtime_error() missing 2 required positional arguments: 'symbol' and 'message'")
    for name in ("symbol", "message"):
        if name not in found:
            raise TypeError(f"Core.add_runtime_error() missing 1 required positional argument: {name!r}")
    symbol, message, halts = found.pop("symbol"), found.pop("message"), found.pop("halt", True)
    runtime_error(<Core>command, symbol, message, found if found else None)
    return 1 if halts else 0


cdef PyObject *halt_method(PyObject *command, PyObject *nothing) noexcept:
    PyErr_SetNone(HALT)
    return NULL


cdef PyObject *HALT = <PyObject *>Halt

# METH_FASTCALL with the names tuple as it is: a def with ** would build a dict at each call
# (bench case "parent + subcommand").
cdef PyMethodDef[4] _methods
_methods[0].ml_name = "run_subcommand"
_methods[0].ml_meth = <void *>subcommand
_methods[0].ml_flags = METH_FASTCALL | METH_KEYWORDS
_methods[0].ml_doc = (
    "run_subcommand($self, command_class, /, **inputs)\n--\n\n"
    "Run *command_class* inside this run and return its result; its errors become errors of this run.\n\n"
    "None when the subcommand failed; this run goes on and fails at its next check."
)
_methods[1].ml_name = "run_subcommand_bang"
_methods[1].ml_meth = <void *>subcommand_bang
_methods[1].ml_flags = METH_FASTCALL | METH_KEYWORDS
_methods[1].ml_doc = (
    "run_subcommand_bang($self, command_class, /, **inputs)\n--\n\n"
    "Run *command_class* inside this run and return its result; halt this run when there is none\n"
    "and this run has errors."
)
_methods[2].ml_name = "add_runtime_error"
_methods[2].ml_meth = <void *>runtime_error_method
_methods[2].ml_flags = METH_FASTCALL | METH_KEYWORDS
_methods[2].ml_doc = (
    "add_runtime_error($self, symbol, message, halt=True, **context)\n--\n\n"
    "Add a runtime error and, unless *halt* is false, stop the command by raising Halt."
)
_methods[3].ml_name = "halt"
_methods[3].ml_meth = <void *>halt_method
_methods[3].ml_flags = METH_NOARGS
_methods[3].ml_doc = (
    "halt($self)\n--\n\n"
    "Stop the command now: it fails with the errors it has, or with ``halted``."
)
_members = fa_members(<PyTypeObject *>Core)
_members["add_runtime_error"] = PyDescr_NewMethod(<PyTypeObject *>Core, &_methods[2])
_members["halt"] = PyDescr_NewMethod(<PyTypeObject *>Core, &_methods[3])
_members["run_subcommand"] = PyDescr_NewMethod(<PyTypeObject *>Core, &_methods[0])
RUN_SUBCOMMAND = _members["run_subcommand"]
_members["run_subcommand_bang"] = PyDescr_NewMethod(<PyTypeObject *>Core, &_methods[1])
_members["run_subcommand_"] = _members["run_subcommand_bang"]
PyType_Modified(<PyTypeObject *>Core)


include "awaiting.pxi"
