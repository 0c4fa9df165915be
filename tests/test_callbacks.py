"""Callbacks: registering, matching, order, inheritance, chains, the methods of the DSL."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading
import warnings

import pytest
from pydantic import BaseModel

from foobara_accel._vocabulary import CommandState, Halt

S = CommandState
KINDS = ("before", "after", "around", "error")
PHASES = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
)
STEPS = (
    *((S(n), S(n + 1), name) for n, name in enumerate((*PHASES, "succeed"))),
    *((S(n), S.FAILED, "fail") for n in range(8)),
    *((S(n), S.ERRORED, "error") for n in range(8)),
)


@pytest.fixture(scope="module")
def cb(sub):
    return sub("core.callbacks")


@pytest.fixture
def base(cb):
    """A class with the DSL and the slot that Core gives it."""

    class Base(cb.CallbackDSL):
        def __init__(self):
            self._own_callbacks = None

    return Base


def noop(command):
    return None


def calls(chains):
    """Every (from, to, kind) -> callables in what compile_chains returned."""
    found = {}
    if chains is None:
        return found
    assert len(chains) == 10
    listed = [*zip(STEPS, chains[:8], strict=False)]
    listed += [((S(n), S.FAILED, "fail"), chain) for n, chain in chains[8].items()]
    listed += [((S(n), S.ERRORED, "error"), chain) for n, chain in chains[9].items()]
    for (left, reached, _), chain in listed:
        if chain is None:
            continue
        before, around, after, error = chain
        for kind, functions in zip(KINDS, (before, after, around, error), strict=True):
            assert type(functions) is tuple
            if functions:
                found[left, reached, kind] = functions
    return found


# The registry


def test_conditions_match_what_is_equal_and_none_matches_all(cb):
    condition = cb.CallbackCondition(S.VALIDATING, None, "execute")
    assert condition.matches(5, 6, "execute")
    assert not condition.matches(4, 6, "execute")
    assert not condition.matches(5, 6, "validate")
    assert cb.CallbackCondition().matches(0, 10, "error")
    with pytest.raises(AttributeError):
        condition.transition = "validate"


def test_registered_callbacks_sort_by_priority(cb):
    low, high = (cb.RegisteredCallback(noop, "before", cb.CallbackCondition(), n) for n in (1, 2))
    assert low < high
    assert cb.RegisteredCallback(noop, "before", cb.CallbackCondition()).priority == 0


def test_lower_priority_runs_first_and_equal_ones_in_order_of_arrival(cb):
    registry = cb.CallbackRegistry()
    functions = [lambda c, n=n: n for n in range(6)]
    for function, priority in zip(functions, (5, 0, -1, 0, 5, -1), strict=True):
        registry.register("before", function, priority=priority)
    order = [function(None) for function in registry.get_callbacks("before", 5, 6, "execute")]
    assert order == [2, 5, 1, 3, 0, 4]


def test_get_callbacks_counts_hits_and_misses(cb):
    registry = cb.EnhancedCallbackRegistry()
    registry.register("before", noop)
    assert registry.get_callbacks("before", 5, 6, "execute") == [noop]
    assert registry.get_cache_stats() == {
        "hits": 0, "misses": 1, "total": 1, "hit_rate": 0.0, "compiled_chains": 0
    }  # fmt: skip
    chain = registry.compile_chain(5, 6, "execute")
    assert chain == {"before": [noop], "after": [], "around": [], "error": []}
    assert registry.compile_chain(5, 6, "execute") is chain
    assert registry.get_callbacks("before", 5, 6, "execute") == [noop]
    assert registry.get_callbacks("unheard_of", 5, 6, "execute") == []
    assert registry.get_cache_stats()["hit_rate"] == pytest.approx(2 / 3)
    registry.register("after", noop)
    assert registry.compile_chain(5, 6, "execute") is not chain
    registry.precompile_common_transitions()
    assert registry.get_cache_stats()["compiled_chains"] == 8
    registry.clear_cache()
    assert registry.get_cache_stats()["total"] == registry.get_cache_stats()["compiled_chains"] == 0


def test_merge_makes_a_new_registry_with_the_left_one_first(cb):
    left, right = cb.CallbackRegistry(), cb.CallbackRegistry()
    a, b, c = (lambda command, n=n: n for n in range(3))
    left.register("before", a)
    right.register("before", b)
    right.register("before", c, priority=-1)
    merged = left.merge(right)
    assert merged.get_callbacks("before", 0, 1, "open_transaction") == [c, a, b]
    merged.register("after", noop)
    assert (len(left), len(right), len(merged)) == (1, 2, 4)
    with pytest.raises(TypeError, match="other must be a CallbackRegistry, not list"):
        left.merge([])


def test_an_empty_registry_says_so_and_is_still_true(cb):
    registry = cb.CallbackRegistry()
    assert not registry.has_callbacks()
    assert registry
    registry.register("error", noop)
    assert registry.has_callbacks()
    assert "1 callbacks" in repr(registry)


def test_remove_takes_out_every_registration_of_a_callback(cb):
    registry = cb.CallbackRegistry()
    registry.register("before", noop)
    registry.register("after", noop)
    registry.register("after", print)
    assert registry.remove(noop) == 2
    assert registry.remove(noop) == 0
    assert len(registry) == 1


def test_registries_copy_and_pickle(cb):
    registry = cb.CallbackRegistry()
    registry.register("before", noop, transition="execute", priority=3)
    for twin in (copy.copy(registry), copy.deepcopy(registry)):
        twin.register("after", noop)
        assert (len(registry), len(twin)) == (1, 2)
    if cb.__name__.startswith("foobara_accel."):
        restored = pickle.loads(pickle.dumps(registry))
        assert restored.get_callbacks("before", 5, 6, "execute") == [noop]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"callback_type": "befor"}, ValueError, "callback_type='befor' is unknown: use 'before', 'after'"),
        ({"callback_type": 1}, TypeError, "callback_type must be a str, not int"),
        ({"callback_type": ["before"]}, TypeError, "callback_type must be a str, not list"),
        ({"callback": "noop"}, TypeError, r"callback must be callable, not str.*\(command\)"),
        ({"callback": None}, TypeError, "callback must be callable, not NoneType"),
        ({"from_state": "executing"}, TypeError, "from_state must be a CommandState.*not str"),
        ({"from_state": True}, TypeError, "from_state must be a CommandState.*not bool"),
        ({"to_state": 11}, ValueError, "to_state=11 is no state"),
        ({"to_state": [S.FAILED]}, TypeError, "to_state must be a CommandState.*not list"),
        ({"transition": "exekute"}, ValueError, "transition='exekute' is unknown: use 'open_transaction'"),
        ({"transition": 6}, TypeError, "transition must be a str, not int"),
        ({"priority": "1"}, TypeError, "priority must be an int, not str"),
        ({"priority": None}, TypeError, "priority must be an int, not NoneType"),
    ],
)
def test_a_wrong_argument_is_an_error_that_names_it_and_registers_nothing(cb, arguments, error, text):
    registry = cb.CallbackRegistry()
    with pytest.raises(error, match=text):
        registry.register(**{"callback_type": "before", "callback": noop, **arguments})
    assert not registry.has_callbacks()


def test_what_can_never_run_warns_where_it_was_registered(cb, base):
    with pytest.warns(UserWarning, match="never runs: no command goes ") as seen:
        base.before_transition_from_initialized_to_executing(noop)
        cb.CallbackRegistry().register("after", noop, from_state=S.FAILED)
        cb.CallbackRegistry().register("after", noop, to_state=S.EXECUTING, transition="validate")
    assert "from INITIALIZED to EXECUTING in one step" in str(seen[0].message)
    assert len(seen) == 3
    assert {warning.filename for warning in seen} == {__file__}


# Chains


def test_no_callback_no_chains(cb, base):
    assert cb.compile_chains(base) is None
    base._ensure_callback_registry()
    assert cb.compile_chains(base) is None
    assert cb.compile_chains(base, cb.CallbackRegistry()) is None


def test_what_never_runs_compiles_to_nothing(cb, base):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base.after_transition_from_initialized_to_executing(noop)
    assert cb.compile_chains(base) is None


@pytest.mark.parametrize("kind", KINDS)
def test_any_means_every_transition(cb, base, kind):
    getattr(base, f"{kind}_any_transition")(noop)
    assert calls(cb.compile_chains(base)) == {
        (left, reached, kind): (noop,) for left, reached, _ in STEPS
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", S)
def test_from_and_to_each_state(cb, base, kind, state):
    left_here = {(a, b, kind) for a, b, _ in STEPS if a is state}
    reached_here = {(a, b, kind) for a, b, _ in STEPS if b is state}
    for side, expected in (("from", left_here), ("to", reached_here)):
        if not expected:
            assert not hasattr(base, f"{kind}_transition_{side}_{state.name.lower()}")
            continue
        for register in (
            lambda c, side=side: getattr(c, f"{kind}_transition_{side}_{state.name.lower()}")(noop),
            lambda c, side=side: getattr(c, f"{kind}_transition_{side}")(state, noop),
            lambda c, side=side: getattr(c, f"{kind}_transition_{side}")(int(state), noop, priority=4),
            lambda c, side=side: getattr(c, f"{kind}_transition")(noop, **{f"{side}_state": state}),
        ):
            child = type("Child", (base,), {})
            assert register(child) is noop
            assert set(calls(cb.compile_chains(child))) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_by_name(cb, base, kind, phase):
    method = f"{kind}_{phase}_transition" if phase in ("validate", "execute") else f"{kind}_{phase}"
    getattr(base, method)(noop, priority=2)
    number = PHASES.index(phase)
    assert set(calls(cb.compile_chains(base))) == {(S(number), S(number + 1), kind)}


def test_terminal_transitions_have_names_too(cb, base):
    base.before_transition(noop, transition="fail", from_state=S.EXECUTING)
    base.after_transition(noop, transition="succeed")
    assert set(calls(cb.compile_chains(base))) == {
        (S.EXECUTING, S.FAILED, "before"),
        (S.COMMITTING_TRANSACTION, S.SUCCEEDED, "after"),
    }


def test_random_conditions_compile_to_what_matches_says(cb, base):
    states = [None, *S]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for left, reached, name in itertools.product(states, states, (None, *cb.TRANSITIONS)):
            child = type("Child", (base,), {})
            child.before_transition(noop, left, reached, name)
            condition = cb.CallbackCondition(left, reached, name)
            expected = {(a, b, "before") for a, b, step in STEPS if condition.matches(a, b, step)}
            assert set(calls(cb.compile_chains(child))) == expected


def test_callbacks_are_inherited_once_the_most_basic_class_first(cb, base):
    order = []

    class A(base):
        pass

    class B(base):
        pass

    class C(A, B):
        pass

    class D(C):
        pass

    for cls in (D, C, A, B, base):
        cls.before_execute_transition(lambda command, name=cls.__name__: order.append(name))
    for callback in cb.compile_chains(D)[5][0]:
        callback(None)
    assert order == ["Base", "B", "A", "C", "D"]
    assert len(cb.compile_chains(A)[5][0]) == 2
    assert "_callback_registry" in vars(C)


def test_priority_goes_over_inheritance(cb, base):
    class Child(base):
        pass

    late, early = (lambda c: 1), (lambda c: 2)
    base.before_any_transition(late, priority=1)
    Child.before_any_transition(early)
    assert cb.compile_chains(Child)[0][0] == (early, late)


def test_a_parent_reaches_children_that_exist_and_not_the_other_way(cb, base):
    class Child(base):
        pass

    Child.after_any_transition(noop)
    assert cb.compile_chains(base) is None
    base.after_any_transition(print)
    assert cb.compile_chains(Child)[0][2] == (print, noop)


def test_an_instance_has_callbacks_of_its_own(cb, base):
    base.before_execute_transition(noop)
    one, other = base(), base()
    one.before_execute_transition(print)
    one.before_transition_to(S.FAILED, print)
    one.callbacks().register("before", repr, transition="execute", priority=-1)
    assert one.callbacks() is one._own_callbacks
    assert other._own_callbacks is None
    assert cb.compile_chains(base, one._own_callbacks)[5][0] == (repr, noop, print)
    assert cb.compile_chains(base)[5][0] == (noop,)


def test_a_registry_that_is_none_is_a_clear_error(cb, base):
    base._callback_registry = []
    with pytest.raises(TypeError, match=r"callback registry of .*Base must be a CallbackRegistry, not list"):
        cb.compile_chains(base)
    del base._callback_registry
    with pytest.raises(TypeError, match=r"an instance of .*Base must be a CallbackRegistry, not dict"):
        cb.compile_chains(base, {})


def test_every_registration_makes_plans_void_except_on_an_instance_that_has_not_run(sub, cb, base):
    epoch = sub("_backend").executor.epoch
    before = epoch()
    instance = base()
    instance.before_any_transition(noop)
    assert epoch() == before
    cb.compile_chains(base, instance.callbacks())
    instance.after_any_transition(noop)
    assert epoch() == before + 1
    base.before_any_transition(noop)
    assert epoch() == before + 2
    base._callback_registry.remove(noop)
    assert epoch() == before + 3


def test_methods_of_the_dsl_have_names_and_documentation(cb, base):
    names = [name for name in dir(cb.CallbackDSL) if name.split("_")[0] in KINDS]
    assert len(names) == 120
    for name in names:
        method = getattr(base, name)
        assert method.__name__ == name
        assert method.__doc__.startswith("Have *callback* called ")
        assert method.__self__ is base
    # Callbacks in the contract's DSL; before_execute and after_execute are hooks.
    assert not {"before_execute", "after_execute"} & set(names)


@pytest.mark.parametrize("bad", ["executing", None, 42, True])
def test_a_wrong_state_in_the_dsl_names_the_argument(base, bad):
    with pytest.raises((TypeError, ValueError), match=r"^state"):
        base.before_transition_from(bad, noop)
    with pytest.raises((TypeError, ValueError), match=r"^state"):
        base().error_transition_to(bad, noop)


def test_helpers_of_the_contract(cb, base):
    base._register_transition_callback("around", "validate", noop, 3)
    registry = base._ensure_callback_registry()
    assert registry is base._ensure_callback_registry() is vars(base)["_callback_registry"]
    assert cb.compile_chains(base)[4][1] == (noop,)


def test_threads_lose_no_registration(cb, base):
    start = threading.Barrier(8)

    def work():
        start.wait()
        for number in range(50):
            base.before_any_transition(noop, priority=number % 3)
        cb.compile_chains(base)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(base._callback_registry) == 400
    assert len(cb.compile_chains(base)[0][0]) == 400


# The executor of single actions


def test_the_executor_runs_before_around_after_in_order(cb):
    log = []
    registry = cb.CallbackRegistry()
    executor = cb.EnhancedCallbackExecutor(registry, "command")
    assert executor.execute_transition(5, 6, "execute", lambda: "plain") == "plain"
    registry.register("before", lambda c: log.append(("before", c)))
    registry.register("after", lambda c: log.append(("after", c)))
    for n in range(2):

        def around(command, proceed, n=n):
            log.append(f"in {n}")
            result = proceed()
            log.append(f"out {n}")
            return f"{result}{n}"

        registry.register("around", around)
    assert executor.execute_transition(5, 6, "execute", lambda: "r") == "r10"
    assert log == [("before", "command"), "in 0", "in 1", "out 1", "out 0", ("after", "command")]
    executor.execute_simple("before", 5, 6, "execute")
    assert log[-1] == ("before", "command")


def test_error_callbacks_see_exceptions_and_halt_but_no_base_exception(cb):
    seen = []
    registry = cb.CallbackRegistry()
    registry.register("error", lambda c, error: seen.append(error))
    executor = cb.CallbackExecutor(registry, None)
    for error in (ValueError("x"), Halt(), KeyboardInterrupt()):

        def action(error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            executor.execute_transition(5, 6, "execute", action)
        assert caught.value is error
        assert caught.value.__context__ is None
    assert [type(error) for error in seen] == [ValueError, Halt]
    registry.register("error", lambda c, error: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        executor.execute_transition(5, 6, "execute", lambda: [][0])


# On commands


class Empty(BaseModel):
    pass


class Amount(BaseModel):
    amount: int


@pytest.fixture
def pay(sub):
    command = sub("core.command").Command

    class Pay(command[Amount, int]):
        def execute(self):
            return self.inputs.amount

    return Pay


def test_a_run_fires_every_transition_into_success(pay):
    log = []
    pay.before_any_transition(lambda c: log.append(c.state))
    outcome = pay.run(amount=3)
    assert outcome.result == 3
    assert log[:7] == list(S)[1:8]
    assert len(log) == 8


def test_every_method_is_a_decorator_that_keeps_the_function(pay):
    called = []

    @pay.before_execute_transition
    @pay.before_execute_transition(priority=-1)
    @pay.after_transition_from(S.EXECUTING)
    @pay.after_transition_from(S.EXECUTING, priority=1)
    @pay.before_transition
    @pay.after_transition(transition="validate", priority=2)
    def both(command):
        called.append(command.state)

    assert both.__name__ == "both"
    own = pay(amount=1)
    assert own.before_execute_transition(both) is both
    assert own.run_instance().is_success()
    assert len(called) == 3 + 2 + 8 + 1
    with pytest.raises(TypeError, match="callback must be callable, not NoneType"):
        pay.before_execute_transition(None)
    with pytest.raises(TypeError, match="priority must be an int, not str"):
        pay.before_execute_transition(priority="high")(both)


def test_callbacks_on_reaching_failed_and_errored_fire(pay):
    log = []
    pay.after_transition_to_failed(lambda c: log.append("failed"))
    pay.after_transition_to_errored(lambda c: log.append("errored"))
    pay.after_transition_to_succeeded(lambda c: log.append("succeeded"))
    assert pay.run(amount="x").is_success() is False
    assert log == ["failed"]
    pay.run(amount=1)
    assert log == ["failed", "succeeded"]

    class Broken(pay):
        def validate(self):
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        Broken.run(amount=1)
    assert log == ["failed", "succeeded", "errored"]


def test_around_replaces_the_result_and_may_skip_the_action(pay):
    pay.around_execute_transition(lambda c, proceed: proceed() + 1)
    pay.around_execute_transition(lambda c, proceed: 10, priority=1)
    assert pay.run(amount=1).result == 11


def test_a_child_class_runs_inherited_callbacks_once(pay):
    log = []
    pay.before_execute_transition(lambda c: log.append("parent"))
    child = type("Child", (pay,), {})
    grandchild = type("Grandchild", (child,), {})
    grandchild.run(amount=1)
    assert log == ["parent"]


def test_a_registration_after_a_run_holds_for_the_next(pay):
    log = []
    child = type("Child", (pay,), {})
    child.run(amount=1)
    pay.before_execute_transition(lambda c: log.append(1))
    child.run(amount=1)
    pay.after_execute_transition(lambda c: log.append(2))
    child.run(amount=1)
    assert log == [1, 1, 2]


def test_a_registration_inside_a_phase_holds_from_the_next_transition(pay):
    log = []

    def add(command):
        command.before_validate_records(lambda c: log.append(("own", c.state_name)))
        command.before_load_records(lambda c: log.append("too late"))

    pay.before_load_records(add)
    pay.run(amount=1)
    assert log == [("own", "validate_records")]


def test_instance_callbacks_added_during_the_run_are_seen_each_time(pay):
    log = []
    command = pay(amount=1)
    command.before_load_records(
        lambda c: c.before_validate_transition(
            lambda c: c.before_execute_transition(lambda c: log.append("execute"))
        )
    )
    command.run_instance()
    assert log == ["execute"]
    pay.run(amount=1)
    assert log == ["execute"]


def test_error_callbacks_see_what_execute_raises(pay):
    seen = []

    class Broken(pay):
        def execute(self):
            raise RuntimeError("no")

    Broken.error_any_transition(lambda c, error: seen.append(str(error)))
    assert Broken.run(amount=1).is_success() is False
    assert seen == ["no"]


def test_threads_that_register_and_run_never_use_a_stale_plan(pay):
    start = threading.Barrier(8)
    stale = []

    def work():
        start.wait()
        for _ in range(25):
            seen = []
            callback = seen.append
            pay.before_execute_transition(callback)
            if not pay.run(amount=1).is_success() or not seen:
                stale.append("missed")
            pay._callback_registry.remove(callback)
            # A list of its own: a run of another thread that began before the removal still calls the first.
            ended = []
            own = pay(amount=2)
            own.after_transition_to_succeeded(ended.append)
            own.run_instance()
            if ended != [own]:
                stale.append("own")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stale == []
    assert not pay._callback_registry.has_callbacks()


def test_a_registry_under_the_name_of_foobara_py_is_used(fa, sub):
    registry_class = sub("core.callbacks").EnhancedCallbackRegistry
    calls = []

    def made(name):
        registry = registry_class()
        registry.register("before", lambda command: calls.append(name), transition="execute")
        return registry

    class Mixin:
        _enhanced_callback_registry = made("mixin")

    class Base(fa.Command[Empty, int]):
        _enhanced_callback_registry = made("base")

        def execute(self):
            return 1

    class Child(Mixin, Base):
        _enhanced_callback_registry = made("child")
        _callback_registry = made("both")

    class Plain(Base):
        pass

    assert Base.run().result == 1 and calls == ["base"]
    calls.clear()
    assert Child.run().result == 1 and calls == ["base", "mixin", "both", "child"]
    Base.before_execute_transition(lambda command: calls.append("later"))
    assert "_callback_registry" not in vars(Base) and len(Base._enhanced_callback_registry) == 2
    calls.clear()
    Plain.run()
    assert calls == ["base", "later"]
    Base._enhanced_callback_registry = "wrong"
    with pytest.raises(TypeError, match=r"callback registry of .*Base must be a CallbackRegistry, not str"):
        Plain.run()


@pytest.mark.parametrize("name", ["_callback_registry", "_enhanced_callback_registry"])
def test_a_registry_set_after_the_first_run_is_used(fa, sub, name):
    calls = []

    def made(number):
        registry = sub("core.callbacks").CallbackRegistry()
        registry._shared = False  # so that nothing but the attribute tells of it
        registry.register("before", lambda command: calls.append(number), transition="execute")
        return registry

    class Base(fa.Command[Empty, int]):
        def execute(self):
            return 1

    class Child(Base):
        pass

    for cls in (Base, Child):
        for _ in range(3):
            cls.run()
    for number in (1, 2):
        setattr(Base, name, made(number))
        for cls in (Base, Child):
            calls.clear()
            cls.run()
            assert calls == [number]
    delattr(Base, name)
    calls.clear()
    Base.run()
    Child.run()
    assert calls == []
