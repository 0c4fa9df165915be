# Included at the end of executor.pyx: how an async command runs, up to the first thing it does not know.
#
# 1. ``AsyncRunner`` is the attribute ``run``: a callable per class that keeps the inputs and runs nothing.
# 2. ``AsyncRun`` is what it returns: the coroutine object of a run, in C. It drives the coroutine of
#    ``execute`` itself, so that a run makes one coroutine and not two, and no StopIteration where its caller
#    takes the result through ``am_send`` (an asyncio task; ``await`` on 3.11).
# 3. Only the hot path is here: no callbacks, no transaction, no timeout, no phase but execute. For every
#    other class, and as soon as execute has changed something, a coroutine of core/async_command.py is
#    driven in the place of the user's, and its answer is the run's.

cdef extern from *:
    """
    /* What Cython cannot spell: slots of AsyncRun that differ from its Python methods. */
    static destructor fa_run_free;
    static traverseproc fa_run_visit;
    static int (*fa_run_unfinished)(PyObject *), (*fa_run_emptied)(PyObject *);
    static Py_ssize_t fa_run_place;   /* of the values that a run keeps in itself */

    #define FA_VALUES 8

    static inline PyObject **fa_run_values(PyObject *self) {
        return (PyObject **)((char *)self + fa_run_place);
    }

    static inline void fa_run_drop(PyObject *self) {
        PyObject **values = fa_run_values(self);
        int index;
        for (index = 0; index < FA_VALUES && values[index] != NULL; index++) Py_CLEAR(values[index]);
    }

    static int fa_run_traverse(PyObject *self, visitproc visit, void *arg) {
        PyObject **values = fa_run_values(self);
        int index;
        for (index = 0; index < FA_VALUES; index++) Py_VISIT(values[index]);
        return fa_run_visit(self, visit, arg);
    }

    /* What a run that nobody else refers to has raised last: the run's end makes it ready for the next one.
       Only before 3.12 does an await take a result without an exception (bench case "async run"). */
    static PyObject *fa_spare_stop = NULL;

    static inline void fa_stop_empty(void) {
        if (fa_spare_stop != NULL && Py_REFCNT(fa_spare_stop) == 1)
            Py_CLEAR(((PyStopIterationObject *)fa_spare_stop)->value);
    }

    /* A new reference to the spare one if it is as it was made, else NULL. */
    static inline PyObject *fa_stop_again(void) {
        PyStopIterationObject *stop = (PyStopIterationObject *)fa_spare_stop;
        if (stop == NULL) return NULL;
        if (
            Py_REFCNT(stop) != 1 || stop->value != NULL || stop->dict != NULL || stop->notes != NULL
            || stop->traceback != NULL || stop->context != NULL || stop->cause != NULL || stop->suppress_context
            || stop->args == NULL || PyTuple_GET_SIZE(stop->args) != 0
        ) {
            Py_CLEAR(fa_spare_stop);
            return NULL;
        }
        Py_INCREF(stop);
        return (PyObject *)stop;
    }

    /* Runs that have ended, empty, for the next ones; none of them is known to the collector. Not those that it has
       marked as finalized: the mark would stay. */
    #define FA_RUNS (FA_POOL ? 32 : 0)
    static PyObject *fa_runs[32];
    static int fa_runs_idle = 0;

    static void fa_run_dealloc(PyObject *self) {
        if (fa_run_unfinished(self) && PyObject_CallFinalizerFromDealloc(self) < 0) return;
        fa_stop_empty();
        if (
            fa_runs_idle < FA_RUNS && !PyObject_GC_IsFinalized(self)
            && *(PyObject **)((char *)self + Py_TYPE(self)->tp_weaklistoffset) == NULL
        ) {
            PyObject_GC_UnTrack(self);
            if (fa_run_emptied(self) && fa_runs_idle < FA_RUNS) {
                fa_runs[fa_runs_idle++] = self;
                return;
            }
        }
        fa_run_drop(self);
        fa_run_free(self);
    }

    static inline PyObject *fa_run_again(void) {
        PyObject *self;
        if (fa_runs_idle == 0) return NULL;
        self = fa_runs[--fa_runs_idle];
        PyObject_Init(self, Py_TYPE(self));
        PyObject_GC_Track(self);
        return self;
    }

    static PyObject *fa_run_self(PyObject *self) {
        Py_INCREF(self);
        return self;
    }

    static void fa_make_awaitable(
        PyTypeObject *type, unaryfunc await, sendfunc send, iternextfunc next, int (*unfinished)(PyObject *),
        int (*emptied)(PyObject *), Py_ssize_t place
    ) {
        fa_run_free = type->tp_dealloc;
        fa_run_visit = type->tp_traverse;
        fa_run_place = place;
        type->tp_traverse = fa_run_traverse;
        fa_run_unfinished = unfinished;
        fa_run_emptied = emptied;
        type->tp_dealloc = fa_run_dealloc;
        type->tp_as_async->am_await = await;
        type->tp_as_async->am_send = send;
        /* In the slots alone: with the names of both the type would count as a generator. */
        type->tp_iter = fa_run_self;
        type->tp_iternext = next;
        PyType_Modified(type);
    }

    /* Raises StopIteration(value), whatever value is; takes the reference. Its arguments are for who catches it:
       ``await`` and ``yield from`` take the value alone. Where *again* is true nothing but the caller refers to the
       run, which is freed right after: the exception is kept for the next one. */
    static void fa_stop(PyObject *value, int caught, int again) {
        PyTypeObject *type = (PyTypeObject *)PyExc_StopIteration;
        PyObject *arguments, *stop;
        again = again && FA_POOL;
        if (again && (stop = fa_stop_again()) != NULL) {
            ((PyStopIterationObject *)stop)->value = value;
            fa_raise_again(stop);
            return;
        }
        arguments = PyTuple_New(caught != 0);
        if (arguments == NULL) {
            Py_DECREF(value);
            return;
        }
        if (caught) {
            Py_INCREF(value);
            PyTuple_SET_ITEM(arguments, 0, value);
        }
        /* tp_new keeps the arguments; tp_init would parse them again to find the value. */
        stop = type->tp_new(type, arguments, NULL);
        Py_DECREF(arguments);
        if (stop == NULL) {
            Py_DECREF(value);
            return;
        }
        Py_XSETREF(((PyStopIterationObject *)stop)->value, value);
        if (again && fa_spare_stop == NULL) fa_spare_stop = Py_NewRef(stop);
        fa_raise_again(stop);
    }

    static inline PyObject **fa_items(PyObject *tuple) {
        return ((PyTupleObject *)tuple)->ob_item;
    }

    static inline PyObject *fa_kept(PyObject *const *values, Py_ssize_t count) {
        PyObject *tuple = PyTuple_New(count);
        Py_ssize_t index;
        if (tuple == NULL) return NULL;
        for (index = 0; index < count; index++) {
            Py_INCREF(values[index]);
            PyTuple_SET_ITEM(tuple, index, values[index]);
        }
        return tuple;
    }

    static int fa_origin_depth(void) {
        return PyThreadState_Get()->coroutine_origin_tracking_depth;
    }
    """
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    ctypedef PyObject *(*unaryfunc)(PyObject *)
    ctypedef PySendResult (*sendfunc)(PyObject *, PyObject *, PyObject **)
    ctypedef PyObject *(*iternextfunc)(PyObject *)
    PySendResult PyIter_Send(PyObject *, PyObject *, PyObject **)
    bint PyCoro_CheckExact(PyObject *)
    enum:
        FA_VALUES
    void fa_make_awaitable(
        PyTypeObject *, unaryfunc, sendfunc, iternextfunc, int (*unfinished)(PyObject *) noexcept,
        int (*emptied)(PyObject *) noexcept, Py_ssize_t place
    )
    PyObject *fa_run_again()
    void fa_run_drop(PyObject *run)
    void fa_stop(PyObject *value, bint caught, bint again)
    int fa_origin_depth()
    void PyErr_SetString(object, const char *)
    PyObject **fa_items(PyObject *)
    object fa_kept(PyObject *const *, Py_ssize_t)
    void Py_INCREF_ "Py_INCREF"(PyObject *)
    Py_ssize_t Py_REFCNT(PyObject *)
    void Py_DECREF_ "Py_DECREF"(PyObject *)

from sys import _getframe
from types import CoroutineType
import warnings as _warnings

cdef enum:
    CREATED = 0      # nothing has run
    EXECUTING = 1    # inner is the coroutine of execute
    HANDED = 2       # inner is a coroutine of the driver, whose answer is the run's
    DONE = 3

cdef object _whole = None
cdef object _after = None
cdef object _settle = None


def configure_async(whole, after, settle):
    """Give the twin the coroutine functions that it hands over to.

    ``whole(cls, inputs, parent, model)`` is a run from its start, ``after(command, error)`` the rest of one
    whose execute returned or raised *error* after changing what is to run, ``settle(value)`` awaits what can
    be awaited.
    """
    global _whole, _after, _settle
    _whole, _after, _settle = whole, after, settle


@cython.final
@cython.no_gc_clear                  # a cycle through a run is broken by closing it
cdef class AsyncRun:
    """The coroutine object of one run of an async command; nothing has run before it is awaited."""

    cdef object __weakref__
    cdef int stage
    cdef bint running
    cdef Runner runner
    # The values of the inputs: a few in the run itself, which saves a tuple (bench case "async run").
    cdef object values               # a tuple of more than that, or None
    cdef PyObject *given[FA_VALUES]
    cdef object names
    cdef object inner
    cdef object parent               # the run that this one is a subcommand of
    cdef object model                # inputs that are valid already
    cdef Core command
    cdef Plan plan
    cdef readonly object cr_origin

    def __await__(self):
        return AsyncRunAwait(self)

    def send(self, value):
        """Run on until the next thing to wait for and return it; StopIteration has the outcome."""
        cdef PyObject *out = NULL
        cdef PySendResult sent = run_send(<PyObject *>self, <PyObject *>value, &out)
        return answer(sent, out)

    def throw(self, kind, value=None, traceback=None):
        """Raise an exception where the run waits, then as ``send``."""
        cdef PyObject *out = NULL
        cdef int sent
        usable(self)
        if value is None and traceback is None and isinstance(kind, BaseException):
            error = kind
        else:
            error = made(kind, value, traceback)
        if self.stage == CREATED:
            finished(self)
            raise error
        self.running = True
        try:
            sent = thrown(self, error, &out)
        except BaseException:
            self.running = False
            finished(self)
            raise
        self.running = False
        if sent != PYGEN_NEXT:
            finished(self)
        return answer(<PySendResult>sent, out)

    def close(self):
        """End the run where it waits: it rolls back and can not be awaited any more."""
        if self.running:
            raise ValueError("coroutine already executing")
        if self.stage == CREATED or self.stage == DONE:
            finished(self)
            return
        try:
            self.throw(GeneratorExit())
        except (GeneratorExit, StopIteration):
            return
        raise RuntimeError("coroutine ignored GeneratorExit")

    @property
    def cr_running(self):
        return bool(self.running)

    @property
    def cr_suspended(self):
        return not self.running and (self.stage == EXECUTING or self.stage == HANDED)

    @property
    def cr_state(self):
        # What inspect.getcoroutinestate() reads from 3.15 on.
        if self.running:
            return "CORO_RUNNING"
        if self.stage == DONE:
            return "CORO_CLOSED"
        return "CORO_CREATED" if self.stage == CREATED else "CORO_SUSPENDED"

    # The frame and what is awaited are those of the coroutine inside: a frame that is never on the stack
    # would tell trio that Ctrl-C is not for this task.
    @property
    def cr_frame(self):
        return None if self.inner is None else getattr(self.inner, "cr_frame", None)

    @property
    def cr_await(self):
        return None if self.inner is None else getattr(self.inner, "cr_await", None)

    @property
    def cr_code(self):
        return None if self.inner is None else getattr(self.inner, "cr_code", None)

    @property
    def __name__(self):
        return "run"

    @property
    def __qualname__(self):
        return f"{self.runner.owner.__qualname__}.run"

    def __repr__(self):
        return f"<coroutine object {self.__qualname__} at {id(self):#x}>"

    @property
    def __class__(self):
        # What inspect.iscoroutine() asks for, and anyio before 4.14 with it; nothing can derive from that type.
        return CoroutineType

    def __reduce_ex__(self, protocol):
        raise TypeError("cannot pickle 'coroutine' object")


    def __del__(self):
        if self.stage == CREATED:
            _warnings._warn_unawaited_coroutine(self)
            finished(self)
        elif self.stage != DONE:
            try:
                self.close()
            finally:
                finished(self)


@cython.final
cdef class AsyncRunAwait:
    """What ``run.__await__()`` gives, for code that drives a coroutine by hand."""

    cdef object __weakref__
    cdef AsyncRun run

    def __cinit__(self, AsyncRun run not None):
        self.run = run

    def __iter__(self):
        return self

    def __next__(self):
        return self.run.send(None)

    def send(self, value):
        """As ``send`` of the run."""
        return self.run.send(value)

    def throw(self, *given):
        """As ``throw`` of the run."""
        return self.run.throw(*given)

    def close(self):
        """As ``close`` of the run."""
        self.run.close()


cdef object answer(PySendResult sent, PyObject *out):
    if sent == PYGEN_NEXT:
        value = <object>out
        Py_DECREF(value)
        return value
    if sent == PYGEN_RETURN:
        fa_stop(out, True, False)
    reraise()


cdef object made(kind, value, traceback):
    # The exception that the three arguments of throw() stand for.
    if isinstance(kind, type) and issubclass(kind, BaseException):
        if value is None:
            error = kind()
        elif isinstance(value, kind):
            error = value
        else:
            error = kind(*value) if isinstance(value, tuple) else kind(value)
    elif not isinstance(kind, BaseException):
        raise TypeError(
            f"exceptions must be classes or instances deriving from BaseException, not {type(kind).__name__}"
        )
    elif value is not None:
        raise TypeError("instance exception may not have a separate value")
    else:
        error = kind
    return error if traceback is None else error.with_traceback(traceback)


cdef int usable(AsyncRun self) except -1:
    if self.running:
        raise ValueError("coroutine already executing")
    if self.stage == DONE:
        raise RuntimeError("cannot reuse already awaited coroutine")
    return 0


cdef inline void drop_values(AsyncRun self) noexcept:
    if self.values is not None:
        self.values = None
    fa_run_drop(<PyObject *>self)


cdef inline int finished(AsyncRun self) noexcept:
    self.stage = DONE
    drop_values(self)
    self.names = None
    self.parent = None
    self.model = None
    if self.inner is not None:
        self.inner = None
        self.command = None
        self.plan = None
    return 0


cdef int unfinished(PyObject *self) noexcept:
    return (<AsyncRun>self).stage != DONE


cdef int emptied(AsyncRun self) noexcept:
    """Make a run that is being freed as a new one is, if it has ended."""
    if self.stage != DONE:
        return False
    self.stage = CREATED
    self.runner = None
    if self.plan is not None:
        self.plan = None
    if self.cr_origin is not None:
        self.cr_origin = None
    return True


cdef inline AsyncRun new_run():
    cdef PyObject *again = fa_run_again()
    if again is NULL:
        return AsyncRun.__new__(AsyncRun)
    run = <AsyncRun>again
    Py_DECREF_(again)
    return run


cdef PyObject *run_await(PyObject *self) noexcept:
    # Somebody else, a task for instance, waits for it already.
    if (<AsyncRun>self).stage == EXECUTING or (<AsyncRun>self).stage == HANDED:
        PyErr_SetString(RuntimeError, "coroutine is being awaited already")
        return NULL
    Py_INCREF_(self)
    return self


ctypedef int (*of_run)(PyObject *) noexcept
ctypedef int (*starting)(AsyncRun, PyObject **) noexcept
ctypedef int (*resuming)(AsyncRun, PySendResult, PyObject **) noexcept


cdef PySendResult run_send(PyObject *self_, PyObject *value, PyObject **out) noexcept:
    cdef AsyncRun self = <AsyncRun>self_
    cdef int sent
    cdef PyObject *inner
    out[0] = NULL
    if self.running:
        PyErr_SetString(ValueError, "coroutine already executing")
        return PYGEN_ERROR
    if self.stage == CREATED:
        if value is not <PyObject *>None:
            PyErr_SetString(TypeError, "can't send non-None value to a just-started coroutine")
            return PYGEN_ERROR
        self.running = True
        # The casts let a raised exception pass: it is the answer PYGEN_ERROR.
        sent = (<starting>started)(self, out)
    elif self.stage == DONE:
        PyErr_SetString(RuntimeError, "cannot reuse already awaited coroutine")
        return PYGEN_ERROR
    else:
        self.running = True
        sent = (<resuming>resumed)(self, PyIter_Send(<PyObject *>self.inner, value, out), out)
    self.running = False
    if sent != PYGEN_NEXT:
        finished(self)
    return <PySendResult>sent


cdef PyObject *run_next(PyObject *self) noexcept:
    cdef PyObject *out = NULL
    if run_send(self, <PyObject *>None, &out) == PYGEN_RETURN:
        fa_stop(out, False, Py_REFCNT(self) == 1)
        return NULL
    return out


cdef int started(AsyncRun self, PyObject **out) except -1:
    # The hot path: bench case "async run, immediate result".
    cdef Plan plan = held(self.runner)
    cdef Core command
    cdef PyObject *raw = NULL
    cdef PyObject *verdict = NULL
    cdef PyObject *made
    cdef PySendResult sent
    cdef int done
    if plan is None or not current(plan):
        plan = fresh_plan(self.runner)
    if not plan.execute_only or timed(plan):
        inputs = keywords(values_of(self), <PyObject *>self.names)
        drop_values(self)
        return handed(self, _whole(plan.cls, inputs, self.parent, self.model), out)
    command = acquire(plan)
    command._parent = self.parent
    if self.model is None:
        made = plan.builder.make_kw_from(
            values_of(self), <PyObject *>self.names, &raw, NULL if plan.echo else &verdict
        )
        drop_values(self)
    else:
        made = <PyObject *>self.model
        Py_INCREF_(made)
    if raw is not NULL:
        command.raw = <object>raw
        Py_DECREF(<object>raw)
    if made is NULL:
        if verdict is NULL:
            inputs_refused(command, plan)
        else:
            judged(command, plan, verdict)
        return outcome_of(fail(None, command._errors), out)
    command._inputs = <object>made
    Py_DECREF(<object>made)
    command.state_number = command.entered = 6
    if plan.execute is not None:
        made = fa_call_one(<PyObject *>plan.execute, <PyObject *>command)
    else:
        made = call_execute(command)
    sent = PYGEN_ERROR
    if made is not NULL:
        if not PyCoro_CheckExact(made):
            awaited = <object>made
            Py_DECREF(awaited)
            awaited = _settle(awaited)
            made = <PyObject *>awaited
            Py_INCREF_(made)
        sent = PyIter_Send(made, <PyObject *>None, out)
        if sent == PYGEN_NEXT:
            self.inner = <object>made
            Py_DECREF_(made)
            self.command = command
            self.plan = plan
            self.stage = EXECUTING
            return PYGEN_NEXT
        Py_DECREF_(made)
    done = ended(self, command, plan, raised() if sent == PYGEN_ERROR else None, out)
    if plan.poolable and done == PYGEN_RETURN:
        release(plan, command)
    return done


cdef int resumed(AsyncRun self, PySendResult sent, PyObject **out) except -1:
    if sent == PYGEN_NEXT:
        return PYGEN_NEXT
    if self.stage == HANDED:
        return <int>sent
    return executing(self, raised() if sent == PYGEN_ERROR else None, out)


cdef int executing(AsyncRun self, object error, PyObject **out) except -1:
    cdef Core command = self.command
    cdef Plan plan = self.plan
    cdef int done
    self.command = None
    self.inner = None                # its frame may hold the command
    done = ended(self, command, plan, error, out)
    if plan.poolable and done == PYGEN_RETURN:
        release(plan, command)
    return done


cdef int ended(AsyncRun self, Core command, Plan plan, object error, PyObject **out) except -1:
    """What is left of a run when execute has raised *error*, or returned *out* where that is None."""
    if error is None:
        command._result = <object>out[0]
        Py_DECREF_(out[0])
        out[0] = NULL
    if plan.epoch != _epoch or command._own_callbacks is not None or reshaped(command, plan):
        return handed(self, _after(command, error), out)
    if error is not None:
        handled(command, plan, error)
        return outcome_of(fail(None, command._errors), out)
    if command._errors is not None and command._errors.has_any():
        failed(command, plan, NO_CHAINS)
        return outcome_of(fail(None, command._errors), out)
    command.entered = 7
    command.state_number = SUCCEEDED
    return outcome_of(succeed(command._result), out)


cdef int handled(Core command, Plan plan, object error) except -1:
    # As ``handling`` does for a sync run: what is raised next has the error as its context.
    cdef PyObject *before = PyErr_GetHandledException()
    cdef int status
    PyErr_SetHandledException(<PyObject *>error)
    status = (<Ending>raised_by_execute)(command, plan, error)
    PyErr_SetHandledException(before)
    Py_XDECREF(before)
    return status


cdef inline int outcome_of(CommandOutcome outcome, PyObject **out) except -1:
    Py_INCREF_(<PyObject *>outcome)
    out[0] = <PyObject *>outcome
    return PYGEN_RETURN


cdef int handed(AsyncRun self, object coroutine, PyObject **out) except -1:
    self.inner = coroutine
    self.stage = HANDED
    return <int>PyIter_Send(<PyObject *>coroutine, <PyObject *>None, out)


cdef int thrown(AsyncRun self, object error, PyObject **out) except -1:
    cdef object value, escaped = None
    cdef bint waits = False
    try:
        if isinstance(error, GeneratorExit):
            # As where a coroutine awaits another one: that one is closed, then this one ends.
            self.inner.close()
            raise error
        value = self.inner.throw(error)
        waits = True
    except StopIteration as stop:
        value = stop.value
    except BaseException as other:
        if self.stage == HANDED:
            raise
        escaped = other
    if escaped is not None:
        return executing(self, escaped, out)
    Py_INCREF_(<PyObject *>value)
    out[0] = <PyObject *>value
    if waits:
        return PYGEN_NEXT
    return PYGEN_RETURN if self.stage == HANDED else executing(self, None, out)


cdef object raised():
    cdef PyObject *taken = fa_raised()
    cdef object error = <object>taken
    Py_DECREF(error)
    return error


cdef inline PyObject **values_of(AsyncRun self) noexcept:
    if self.values is None:
        return self.given
    return fa_items(<PyObject *>self.values)


cdef inline bint timed(Plan plan) noexcept:
    # Not among what a plan is made from: asked for once for each tag of the class.
    cdef unsigned int tag = fa_tag(<PyObject *>plan.cls)
    cdef PyObject *found
    if tag != 0 and tag == plan.untimed:
        return False
    found = fa_lookup(<PyObject *>plan.cls, <PyObject *>TIMEOUT)
    if found is not NULL:
        Py_DECREF_(found)
        if found is not <PyObject *>None:
            return True
    plan.untimed = tag if tag == fa_tag(<PyObject *>plan.cls) else 0
    return False


cdef str TIMEOUT = "timeout"
cdef AsyncRun _run_sample = AsyncRun.__new__(AsyncRun)
_run_sample.stage = DONE
fa_seal(<PyTypeObject *>AsyncRun)

fa_make_awaitable(
    <PyTypeObject *>AsyncRun, run_await, run_send, run_next, unfinished, <of_run>emptied,
    <char *>_run_sample.given - <char *><PyObject *>_run_sample,
)


@cython.final
cdef class AsyncRunner:
    """``SomeAsyncCommand.run``: takes the inputs as keywords and returns the coroutine object of a run."""

    cdef object __weakref__
    cdef vectorcallfunc vectorcall
    cdef Runner runner
    cdef str name                      # what it is on its class
    cdef unsigned int alone            # the owner's tag while no base of it had a run of the user's

    def __cinit__(self, owner=None, str name="run"):
        self.vectorcall = <vectorcallfunc>call_nothing if owner is None else <vectorcallfunc>call_async_runner
        # One of no class: the library's own, which a class derived from the base never answers with.
        self.runner = NO_RUNNER if owner is None else runner_of(owner)
        self.name = name
        self.alone = 0

    __signature__ = RUN_SIGNATURE

    @property
    def __self__(self):
        return self.runner.owner

    @property
    def __name__(self):
        return "run"

    @property
    def __qualname__(self):
        return "run" if self.runner.owner is None else f"{self.runner.owner.__qualname__}.run"

    @property
    def __module__(self):
        return __name__ if self.runner.owner is None else self.runner.owner.__module__

    @property
    def __doc__(self):
        return "Run and return the outcome; nothing happens before the await."

    # By these inspect sees a coroutine function, on versions that know no mark too.
    @property
    def __code__(self):
        return RUN_CODE

    @property
    def __defaults__(self):
        return None

    @property
    def __kwdefaults__(self):
        return None

    @property
    def __annotations__(self):
        return {}

    def __get__(self, instance, owner):
        cdef unsigned int tag = fa_tag(<PyObject *>owner)
        cdef bint own = owner is self.runner.owner and owner is not None
        if own and tag != 0 and tag == self.alone:
            return self
        found = hidden(self, self.name, instance, owner)
        if found is not None:
            return found
        if own:
            self.alone = tag if tag == fa_tag(<PyObject *>owner) else 0
            return self
        # Inherited by a class that __init_subclass__ never saw, or super().run.
        return async_runner_of(owner, self.name)

    def __repr__(self):
        return f"<run of async command {getattr(self.runner.owner, '__qualname__', None)}>"

    def __reduce__(self):
        return getattr, (self.runner.owner, "run")


cdef object coroutine_code():
    # Cython's own async functions have no code object that inspect takes for one.
    space = {}
    exec("async def run(**inputs): pass", space)
    return space["run"].__code__


cdef Runner NO_RUNNER = Runner()
cdef object RUN_CODE = coroutine_code()
cdef AsyncRunner _async_sample = AsyncRunner.__new__(AsyncRunner)
fa_make_vectorcall(
    <PyTypeObject *>AsyncRunner, <char *>&_async_sample.vectorcall - <char *><PyObject *>_async_sample
)


cdef AsyncRunner async_runner_of(object cls, str name):
    cdef AsyncRunner made
    cdef PyObject *found
    cdef str kept = "_async_runner" if name == "run" else "_async_runner_of_run_async"
    if not isinstance(cls, type) or not issubclass(cls, Core):
        raise TypeError(f"{cls!r} is not a Command class")
    found = fa_lookup(<PyObject *>cls, <PyObject *>kept)
    if found is not NULL:
        value = <object>found
        Py_DECREF(value)
        if type(value) is AsyncRunner and (<AsyncRunner>value).runner.owner is cls:
            return <AsyncRunner>value
    made = AsyncRunner(cls, name)
    type.__setattr__(cls, kept, made)
    return made


def install_async_runner(cls):
    """Give a new async command class runners of its own where neither it nor a base of it defines them."""
    cdef PyObject *found
    for name in ("run", "run_async"):
        if name not in cls.__dict__:
            found = fa_lookup(<PyObject *>cls, <PyObject *>name)
            if found is not NULL:
                value = <object>found
                Py_DECREF(value)
                if type(value) is AsyncRunner:
                    type.__setattr__(cls, name, async_runner_of(cls, name))


cdef object call_async_runner(PyObject *callable, PyObject *const *values, size_t nargsf, PyObject *names):
    cdef AsyncRunner runner = <AsyncRunner>callable
    cdef Py_ssize_t given = PyVectorcall_NARGS(nargsf)
    cdef AsyncRun run
    if given:
        raise TypeError(
            f"{runner.__qualname__}() takes 1 positional argument but {given + 1} were given"
        )
    run = new_run()
    run.runner = runner.runner
    if names is not NULL:
        given = PyTuple_GET_SIZE(names)
        run.names = <object>names
        if given > FA_VALUES:
            run.values = fa_kept(values, given)
        else:
            while given:
                given -= 1
                run.given[given] = values[given]
                Py_INCREF_(values[given])
    else:
        run.names = EMPTY
    if fa_origin_depth():
        run.cr_origin = origin(fa_origin_depth())
    return run


cdef tuple origin(int depth):
    # As the interpreter keeps it for sys.set_coroutine_origin_tracking_depth().
    cdef list frames = []
    frame = _getframe(0)
    while frame is not None and len(frames) < depth:
        frames.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(frames)


# What core/async_command.py runs between its awaits.


def prepare(cls, dict inputs, parent=None, model=None):
    """Return the coroutine of a run of *cls* as a subcommand of *parent*, or on a valid *model*."""
    cdef AsyncRun run = new_run()
    run.runner = runner_of(cls)
    run.values = tuple(inputs.values())
    run.names = tuple(inputs)
    run.parent = parent
    run.model = model
    return run


def judge(parent, command_class):
    """Have the domains judge a call of *command_class* from the class *parent*; raises what they raise."""
    cdef Plan plan = plan_for(parent)
    cdef unsigned long long at = _epoch
    if plan.last_class is not command_class or plan.last_epoch != at or not current(plan.last_plan):
        tracker = _services.verdict(parent, command_class)
        plan.last_plan = plan_for(command_class)
        plan.last_class = command_class
        plan.last_tracker = tracker
        plan.last_epoch = at
    if plan.last_tracker is not None:
        plan.last_tracker()


def close(Core command):
    """Mark the transaction of *command* as closed; false when it was already."""
    cdef bint closed = command.closed != 0
    command.closed = 1
    return not closed
