"""Recovery: retries and their waits, circuit breakers, fallbacks, the manager of hooks."""

from __future__ import annotations

import asyncio
import threading

import pytest


@pytest.fixture(scope="module")
def rc(sub):
    return sub("core.recovery")


@pytest.fixture(scope="module")
def error(sub):
    """``error(symbol)`` makes a runtime error, if not of another category."""
    foobara_error = sub("core.errors").FoobaraError
    return lambda symbol="timeout", category="runtime": foobara_error(
        category, symbol, message=f"it was {symbol}"
    )


@pytest.fixture
def collection(sub, error):
    def make(*symbols):
        errors = sub("core.errors").ErrorCollection()
        for symbol in symbols:
            errors.add(error(symbol))
        return errors

    return make


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Result:
    """What retry() needs of an outcome."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.success = not errors

    def is_success(self):
        return self.success


def symbols(errors):
    return [error.symbol for error in errors]


# Configuration


def test_the_defaults_are_those_of_the_contract(rc):
    config = rc.RetryConfig()
    assert (config.max_attempts, config.initial_delay, config.max_delay) == (3, 0.1, 10.0)
    assert config.retryable_symbols == [
        "timeout", "connection_failed", "external_service_error", "rate_limit_exceeded"
    ]  # fmt: skip
    config.retryable_symbols.append("x")
    assert "x" not in rc.RetryConfig().retryable_symbols
    breaker = rc.CircuitBreakerConfig()
    assert (breaker.failure_threshold, breaker.success_threshold) == (5, 2)
    assert (breaker.timeout, breaker.half_open_requests) == (60.0, 1)
    assert [strategy.value for strategy in rc.RecoveryStrategy] == [
        "retry", "fallback", "circuit_breaker", "ignore", "escalate"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "field", "value", "exception", "text"),
    [
        ("RetryConfig", "max_attempts", 0, ValueError, "max_attempts=0 is too small: use 1 or more"),
        ("RetryConfig", "max_attempts", 2.5, TypeError, "max_attempts must be an int, not float"),
        ("RetryConfig", "max_attempts", True, TypeError, "max_attempts must be an int, not bool"),
        ("RetryConfig", "initial_delay", -1, ValueError, "initial_delay=-1 is out of range"),
        ("RetryConfig", "initial_delay", "1", TypeError, "initial_delay must be a number, not str"),
        ("RetryConfig", "max_delay", float("nan"), ValueError, "max_delay=nan is out of range"),
        ("RetryConfig", "max_delay", float("inf"), ValueError, "max_delay=inf is out of range"),
        ("RetryConfig", "backoff_multiplier", 0.5, ValueError, "use a finite number of 1 or more"),
        ("RetryConfig", "jitter", 0.3, TypeError, "jitter must be True or False, not float"),
        ("RetryConfig", "exponential_backoff", None, TypeError, "exponential_backoff must be True or False"),
        ("RetryConfig", "retryable_symbols", "timeout", TypeError, "retryable_symbols must be a list of str"),
        ("RetryConfig", "retryable_categories", [1], TypeError, "retryable_categories must hold str only"),
        ("CircuitBreakerConfig", "failure_threshold", 0, ValueError, "failure_threshold=0 is too small"),
        ("CircuitBreakerConfig", "success_threshold", None, TypeError, "success_threshold must be an int"),
        ("CircuitBreakerConfig", "timeout", -0.1, ValueError, "timeout=-0.1 is out of range"),
        ("CircuitBreakerConfig", "half_open_requests", -3, ValueError, "half_open_requests=-3 is too small"),
    ],
)
def test_a_wrong_field_is_an_error_that_names_it(rc, kind, field, value, exception, text):
    with pytest.raises(exception, match=text):
        getattr(rc, kind)(**{field: value})


def test_what_is_retryable_goes_by_symbol_or_category(rc, error):
    config = rc.RetryConfig(retryable_symbols=("a",), retryable_categories=["network"])
    assert config.is_retryable(error("a"))
    assert not config.is_retryable(error("timeout"))
    network = error("b")
    network.category = "network"
    assert config.is_retryable(network)


def test_waits_double_up_to_the_greatest(rc):
    config = rc.RetryConfig(initial_delay=1, max_delay=5, jitter=False)
    assert [config.get_delay(n) for n in range(1, 6)] == [1, 2, 4, 5, 5]
    assert config.get_delay(10**6) == 5
    flat = rc.RetryConfig(initial_delay=1, exponential_backoff=False, jitter=False)
    assert [flat.get_delay(n) for n in (1, 9)] == [1, 1]
    assert rc.RetryConfig(initial_delay=0, jitter=False).get_delay(10**6) == 0
    with pytest.raises(ValueError, match="attempt=0 is too small"):
        config.get_delay(0)


def test_jitter_stays_between_half_and_one_and_a_half(rc):
    config = rc.RetryConfig(initial_delay=8, max_delay=4)
    waits = [config.get_delay(3) for _ in range(500)]
    assert all(2 <= wait <= 6 for wait in waits)
    assert max(waits) > 4 > min(waits)


# The circuit breaker


def breaker(rc, clock, **options):
    return rc.CircuitBreaker(rc.CircuitBreakerConfig(**{"timeout": 10, **options}), clock)


def test_it_opens_after_failures_in_a_row(rc):
    circuit = breaker(rc, Clock(), failure_threshold=3)
    for _ in range(5):
        circuit.record_failure()
        circuit.record_failure()
        circuit.record_success()
    assert circuit.state is rc.CircuitState.CLOSED
    for _ in range(3):
        assert circuit.can_execute()
        circuit.record_failure()
    assert circuit.state is rc.CircuitState.OPEN
    assert not circuit.can_execute()
    assert circuit.last_failure_time == 1000.0


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_half_open_admits_just_so_many_at_a_time(rc, limit):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=1, success_threshold=9, half_open_requests=limit)
    circuit.record_failure()
    clock.now += 9.9
    assert not circuit.can_execute()
    clock.now += 0.2
    assert [circuit.can_execute() for _ in range(5)] == [True] * limit + [False] * (5 - limit)
    assert circuit.state is rc.CircuitState.HALF_OPEN
    assert circuit.half_open_attempts == limit
    circuit.record_success()
    assert [circuit.can_execute(), circuit.can_execute()] == [True, False]
    circuit.release()
    assert [circuit.can_execute(), circuit.can_execute()] == [True, False]


def test_half_open_closes_after_successes_and_opens_after_one_failure(rc):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=1, success_threshold=2)
    circuit.record_failure()
    clock.now += 10
    assert circuit.can_execute()
    circuit.record_success()
    assert circuit.state is rc.CircuitState.HALF_OPEN
    assert circuit.can_execute()
    circuit.record_failure()
    assert circuit.state is rc.CircuitState.OPEN
    clock.now += 9
    assert not circuit.can_execute()
    clock.now += 1
    for _ in range(2):
        assert circuit.can_execute()
        circuit.record_success()
    assert circuit.state is rc.CircuitState.CLOSED
    assert (circuit.failure_count, circuit.success_count, circuit.half_open_attempts) == (0, 0, 0)


def test_late_news_of_requests_from_before_change_nothing(rc):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=1)
    circuit.record_failure()
    clock.now += 5
    circuit.record_failure()
    circuit.record_success()
    circuit.release()
    assert circuit.state is rc.CircuitState.OPEN
    clock.now += 5
    assert circuit.can_execute()


def test_an_answer_counts_in_the_period_of_its_admission_only(rc):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=2, success_threshold=1)
    early = circuit.admit()
    assert circuit.admit() == early is not None, "one period"
    for _ in range(2):
        circuit.record_failure(circuit.admit())
    assert circuit.admit() is None
    clock.now += 10
    probe = circuit.admit()
    assert probe not in (None, early)
    for answer in (circuit.record_success, circuit.record_failure, circuit.release):
        answer(early)
        assert (circuit.state, circuit.half_open_attempts) == (rc.CircuitState.HALF_OPEN, 1)
    clock.now += 10
    second = circuit.admit()
    circuit.record_success(probe)
    assert circuit.state is rc.CircuitState.HALF_OPEN, "the probe was given up for lost"
    circuit.record_success(second)
    assert circuit.state is rc.CircuitState.CLOSED
    circuit.record_failure(early)
    circuit.record_failure(second)
    assert circuit.failure_count == 0
    last = circuit.admit()
    circuit.reset()
    circuit.record_failure(last)
    assert circuit.failure_count == 0


def test_an_admitted_request_that_is_never_heard_of_blocks_no_longer_than_the_timeout(rc):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=1)
    circuit.record_failure()
    clock.now += 10
    assert circuit.can_execute()
    clock.now += 9
    assert not circuit.can_execute()
    clock.now += 1
    assert circuit.can_execute()


def test_reset_closes(rc):
    circuit = breaker(rc, Clock(), failure_threshold=1)
    circuit.record_failure()
    circuit.reset()
    assert circuit.can_execute()
    assert circuit.last_failure_time is None
    assert repr(circuit) == "<CircuitBreaker closed, 0 failures>"


def test_threads_lose_no_failure_and_share_one_half_open_admission(rc):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=8 * 500 + 1)
    admitted = []
    start = threading.Barrier(8)

    def fail():
        start.wait()
        for _ in range(500):
            circuit.record_failure()

    def ask():
        start.wait()
        for _ in range(50):
            if circuit.can_execute():
                admitted.append(1)

    for work in (fail, ask):
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if work is fail:
            assert circuit.failure_count == 4000
            circuit.record_failure()
            clock.now += 10
    assert admitted == [1]


def test_a_breaker_refuses_what_is_no_config_and_no_clock(rc):
    with pytest.raises(TypeError, match="config must be a CircuitBreakerConfig, not dict"):
        rc.CircuitBreaker({})
    with pytest.raises(TypeError, match="clock must be callable, not float"):
        rc.CircuitBreaker(clock=1.0)


# Hooks and the manager


def test_a_retry_hook_fills_the_context_and_the_error_stands(rc, error):
    manager = rc.ErrorRecoveryManager()
    manager.add_retry_hook(rc.RetryConfig(initial_delay=1, jitter=False))
    context = {}
    seen = []
    timeout = error()
    for _ in range(4):
        recovered, stands, returned = manager.attempt_recovery(timeout, context)
        assert (recovered, stands, returned) == (False, timeout, context)
        assert returned is context
        seen.append((context["should_retry"], context["retry_delay"], context["attempt"]))
    assert seen == [(True, 1, 2), (True, 2, 3), (False, 2, 3), (False, 2, 3)]
    assert manager.attempt_recovery(error("blank"))[2] == {}


def test_many_errors_of_one_attempt_are_one_attempt(rc, collection):
    manager = rc.ErrorRecoveryManager()
    manager.add_retry_hook()
    for symbols_ in (("timeout", "timeout", "timeout"), ("timeout", "blank"), ("blank", "timeout")):
        _, _, context = manager.attempt_recovery(collection(*symbols_))
        assert context["attempt"] == 2
        assert context["should_retry"] is True
        _, _, context = manager.attempt_recovery(collection(*symbols_), context)
        assert context["attempt"] == 3


def test_a_fallback_recovers_and_leaves_its_value(rc, error, collection):
    manager = rc.ErrorRecoveryManager()
    manager.add_fallback_hook(7, applicable_symbols=["timeout"])
    assert manager.attempt_recovery(error()) == (True, None, {"fallback_result": 7})
    recovered, stands, context = manager.attempt_recovery(collection("timeout", "blank"), {"a": 1})
    assert recovered
    assert symbols(stands) == ["blank"]
    assert context == {"a": 1, "fallback_result": 7}
    assert manager.attempt_recovery(collection("timeout"))[:2] == (True, None)
    recovered, stands, _ = manager.attempt_recovery(collection("blank"))
    assert not recovered
    assert symbols(stands) == ["blank"]
    assert manager.attempt_recovery([])[:2] == (False, None)


def test_a_fallback_function_gets_the_error_and_the_context(rc, error):
    manager = rc.ErrorRecoveryManager()
    manager.add_fallback_hook(fallback_fn=lambda failed, context: (failed.symbol, context["id"]))
    assert manager.attempt_recovery(error(), {"id": 5})[2]["fallback_result"] == ("timeout", 5)
    with pytest.raises(TypeError, match="fallback_fn must be callable, not int"):
        rc.FallbackHook(fallback_fn=5)
    with pytest.raises(TypeError, match="applicable_symbols must be a list of str, not str"):
        rc.FallbackHook(applicable_symbols="timeout")


def test_a_circuit_breaker_hook_replaces_errors_while_the_circuit_is_open(rc, error):
    clock = Clock()
    manager = rc.ErrorRecoveryManager()
    hook = rc.CircuitBreakerHook(rc.CircuitBreakerConfig(failure_threshold=2, success_threshold=1), clock)
    manager.add_hook(hook)
    context = {"circuit_breaker_id": "bank"}
    timeout = error()
    assert manager.attempt_recovery(timeout, context)[1] is timeout
    recovered, stands, _ = manager.attempt_recovery(timeout, context)
    assert not recovered
    assert (stands.symbol, stands.is_fatal, stands.category) == ("circuit_breaker_open", True, "runtime")
    assert stands.context == {"original_error": timeout.to_dict(), "circuit_state": "open"}
    assert manager.attempt_recovery(timeout, {})[1] is timeout
    assert not hook.check_before_execution("bank")
    assert hook.check_before_execution()
    clock.now += 60
    assert hook.check_before_execution("bank")
    hook.record_success("bank")
    assert hook.breaker("bank").state is rc.CircuitState.CLOSED
    with pytest.raises(TypeError, match="identifier must be a str, not dict"):
        hook.check_before_execution(context)


def test_all_errors_of_one_attempt_are_one_failure_of_the_circuit(rc, error):
    manager = rc.ErrorRecoveryManager()
    hook = rc.CircuitBreakerHook(rc.CircuitBreakerConfig(failure_threshold=2))
    manager.add_hook(hook)
    for expected, symbol in ((1, "timeout"), (2, "circuit_breaker_open")):
        _, stands, _ = manager.attempt_recovery([error() for _ in range(5)], {"circuit_breaker_id": "bank"})
        assert hook.breaker("bank").failure_count == expected
        assert [each.symbol for each in stands] == [symbol] * 5


def test_global_hooks_run_first_and_the_first_to_recover_ends_it(rc, error):
    order = []

    class Noting(rc.ErrorRecoveryHook):
        def __init__(self, name, recovers=False):
            self.name, self.recovers = name, recovers

        def should_recover(self, error, context):
            order.append(self.name)
            return True

        def recover(self, error, context):
            return None if self.recovers else error

    manager = rc.ErrorRecoveryManager()
    manager.add_hook(Noting("own"))
    manager.add_hook(Noting("global"), global_hook=True)
    manager.add_hook(Noting("last", recovers=True))
    manager.add_hook(Noting("never"))
    assert manager.attempt_recovery(error())[0]
    assert order == ["global", "own", "last"]
    with pytest.raises(TypeError):
        rc.ErrorRecoveryHook()


def test_what_a_hook_raises_reaches_the_caller(rc, error):
    manager = rc.ErrorRecoveryManager()
    manager.add_fallback_hook(fallback_fn=lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        manager.attempt_recovery(error())


def test_the_manager_refuses_what_it_cannot_use(rc, error):
    manager = rc.ErrorRecoveryManager()
    with pytest.raises(TypeError, match=r"hook must be an ErrorRecoveryHook, not int: no should_recover\(\)"):
        manager.add_hook(5)
    with pytest.raises(TypeError, match="config must be a RetryConfig, not CircuitBreakerConfig"):
        manager.add_retry_hook(rc.CircuitBreakerConfig())
    with pytest.raises(TypeError, match="errors must be a FoobaraError or a collection of them, not str"):
        manager.attempt_recovery("timeout")
    with pytest.raises(
        TypeError, match="errors must be a FoobaraError or a collection of them, not NoneType"
    ):
        manager.attempt_recovery(None)
    with pytest.raises(TypeError, match="errors must hold FoobaraError only, not int"):
        manager.attempt_recovery([5])
    with pytest.raises(TypeError, match="context must be a dict, not list"):
        manager.attempt_recovery(error(), [])


def test_configuring_the_defaults_again_adds_nothing(rc):
    manager = rc.get_global_recovery_manager()
    assert manager is rc.get_global_recovery_manager()
    try:
        for _ in range(3):
            rc.configure_default_recovery()
        kinds = [type(hook).__name__ for hook in manager.global_hooks]
        assert kinds == ["RetryHook", "CircuitBreakerHook"]
        manager.global_hooks = []
        rc.configure_default_recovery()
        assert len(manager.global_hooks) == 2
    finally:
        manager.global_hooks = []


# retry


def run(rc, results, way, **options):
    """What retry, or retry_async, makes of an operation with these results; and the waits."""
    waits = []
    left = iter(results)

    def step():
        result = next(left)
        if isinstance(result, BaseException):
            raise result
        return result

    if way == "sync":
        return rc.retry(step, sleep=waits.append, **options), waits, list(left)

    async def operation():
        return step()

    async def sleep(seconds):
        waits.append(seconds)

    outcome = asyncio.run(rc.retry_async(operation, sleep=sleep, **options))
    return outcome, waits, list(left)


@pytest.fixture(params=["sync", "async"])
def way(request):
    return request.param


def test_retry_runs_again_until_success(rc, error, way):
    good = Result()
    config = rc.RetryConfig(initial_delay=1, jitter=False)
    outcome, waits, left = run(rc, [Result(error()), Result(error()), good, 0], way, config=config)
    assert outcome is good
    assert waits == [1, 2]
    assert left == [0]


def test_retry_stops_at_the_last_attempt_and_at_what_is_not_retryable(rc, error, way):
    failures = [Result(error()) for _ in range(4)]
    outcome, waits, _ = run(rc, failures, way)
    assert outcome is failures[2]
    assert len(waits) == 2
    mixed = Result(error(), error("blank"))
    assert run(rc, [mixed], way)[0] is mixed
    halted = Result()
    halted.success = False
    assert run(rc, [halted], way)[0] is halted


def test_retry_lets_exceptions_through(rc, error, way):
    fault = OSError("x")
    with pytest.raises(OSError, match="x") as caught:
        run(rc, [Result(error()), fault], way)
    assert caught.value is fault
    with pytest.raises(TypeError, match="config must be a RetryConfig, not dict"):
        run(rc, [], way, config={})


def test_retry_tells_the_breaker_and_obeys_it(rc, error, way):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=2)
    config = rc.RetryConfig(max_attempts=9)
    last = Result(error())
    outcome, waits, _ = run(rc, [Result(error()), last], way, config=config, breaker=circuit)
    assert outcome is last
    assert len(waits) == 2
    with pytest.raises(rc.CircuitOpenError, match="the operation was not run"):
        run(rc, [], way, breaker=circuit)
    clock.now += 10
    run(rc, [Result()], way, breaker=circuit)
    with pytest.raises(KeyboardInterrupt):
        run(rc, [KeyboardInterrupt()], way, breaker=circuit)
    run(rc, [Result()], way, breaker=circuit)
    assert circuit.state is rc.CircuitState.CLOSED
    with pytest.raises(OSError, match="x"):
        run(rc, [OSError("x")], way, breaker=circuit)
    assert circuit.failure_count == 1


def test_wrong_input_opens_no_circuit(rc, error, way):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=1)
    wrong = Result(error("missing", category="data"), error("blank", category="data"))
    for _ in range(3):
        assert run(rc, [wrong], way, breaker=circuit)[0] is wrong
    assert (circuit.state, circuit.failure_count) == (rc.CircuitState.CLOSED, 0)
    run(rc, [Result(error("blank", category="data"), error("fatal"))], way, breaker=circuit)
    assert circuit.state is rc.CircuitState.OPEN
    clock.now += 10
    run(rc, [wrong], way, breaker=circuit)
    assert (circuit.state, circuit.half_open_attempts) == (rc.CircuitState.HALF_OPEN, 0)
    halted = Result()
    halted.success = False
    run(rc, [halted], way, breaker=circuit)
    assert circuit.state is rc.CircuitState.OPEN


@pytest.mark.parametrize("given", [5, None, "x"])
def test_retry_refuses_what_is_no_outcome_and_no_operation(rc, way, given):
    with pytest.raises(TypeError, match=f"returns a command's outcome, not {type(given).__name__}$"):
        run(rc, [given], way)
    call = rc.retry if way == "sync" else lambda *a, **k: asyncio.run(rc.retry_async(*a, **k))
    with pytest.raises(TypeError, match=f"operation must be callable, not {type(given).__name__}"):
        call(given)
    with pytest.raises(TypeError, match="breaker must be a CircuitBreaker, not int"):
        call(Result, breaker=3)


def test_retry_says_which_of_the_two_it_takes(rc):
    async def operation():
        return Result()

    coroutine = operation()
    with pytest.raises(TypeError, match=r"not coroutine; await it with retry_async\(\)"):
        rc.retry(lambda: coroutine)
    coroutine.close()
    with pytest.raises(TypeError, match="awaits what operation returns, and Result cannot be"):
        asyncio.run(rc.retry_async(Result))


def test_retry_that_is_answered_late_does_not_close_the_circuit(rc, error):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=2, success_threshold=1)

    def operation():
        circuit.record_failure()
        circuit.record_failure()
        clock.now += 10
        assert circuit.can_execute()
        return Result()

    assert rc.retry(operation, breaker=circuit).is_success()
    assert circuit.state is rc.CircuitState.HALF_OPEN
    circuit.record_success()
    assert circuit.state is rc.CircuitState.CLOSED


def test_a_cancelled_attempt_is_neither_success_nor_failure(rc):
    clock = Clock()
    circuit = breaker(rc, clock, failure_threshold=1)
    circuit.record_failure()
    clock.now += 10

    async def main():
        task = asyncio.create_task(rc.retry_async(asyncio.Event().wait, breaker=circuit))
        await asyncio.sleep(0)
        assert circuit.half_open_attempts == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert circuit.state is rc.CircuitState.HALF_OPEN
    assert circuit.can_execute()


def test_the_default_sleeps_are_those_of_the_standard_library(rc, error):
    config = rc.RetryConfig(initial_delay=0)
    good = Result()
    results = iter([Result(error()), good])
    assert rc.retry(lambda: next(results), config) is good
    results = iter([Result(error()), good])

    async def operation():
        return next(results)

    assert asyncio.run(rc.retry_async(operation, config)) is good


def test_retry_works_on_a_command(rc, sub):
    from pydantic import BaseModel

    class Inputs(BaseModel):
        amount: int

    tries = []

    class Flaky(sub("core.command").Command[Inputs, int]):
        def execute(self):
            tries.append(1)
            if len(tries) < 3:
                self.add_runtime_error("timeout", "not yet")
            return self.inputs.amount

    outcome = rc.retry(lambda: Flaky.run(amount=4), sleep=lambda seconds: None)
    assert outcome.result == 4
    assert len(tries) == 3


def test_what_is_no_error_is_not_retryable_but_wrong(rc):
    for wrong in (None, "timeout", ValueError()):
        with pytest.raises(TypeError, match=f"^error must be a FoobaraError, not {type(wrong).__name__}$"):
            rc.RetryConfig().is_retryable(wrong)


def test_a_number_past_every_float_is_out_of_range(rc):
    for make in (
        lambda: rc.RetryConfig(max_delay=10**400),
        lambda: rc.RetryConfig(backoff_multiplier=10**5000),
        lambda: rc.CircuitBreakerConfig(timeout=-(10**5000)),
    ):
        with pytest.raises(ValueError, match="is out of range: use a number of at most 308 digits"):
            make()
