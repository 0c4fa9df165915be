"""Recovering from errors: retry, fallback and circuit breaker.

Hooks judge the errors of a failed command (``ErrorRecoveryManager.attempt_recovery``); ``retry`` and
``retry_async`` run an operation again by the same rules.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from .errors import ErrorCollection, FoobaraError

__all__ = [
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerHook",
    "CircuitState",
    "ErrorRecoveryHook",
    "ErrorRecoveryManager",
    "FallbackHook",
    "RecoveryStrategy",
    "RetryConfig",
    "RetryHook",
    "configure_default_recovery",
    "get_global_recovery_manager",
    "retry",
    "retry_async",
]

logger: logging.Logger = logging.getLogger("foobara_accel")

Clock = Callable[[], float]
Context = dict[str, Any]
Outcome = TypeVar("Outcome")


class RecoveryStrategy(str, Enum):
    """The ways to deal with an error."""

    RETRY = "retry"
    FALLBACK = "fallback"
    CIRCUIT_BREAKER = "circuit_breaker"
    IGNORE = "ignore"
    ESCALATE = "escalate"


class CircuitState(str, Enum):
    """Closed lets everything through, open nothing, half-open a few requests to try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def _check_count(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name}={value} is too small: use 1 or more")


def _check_seconds(value: object, name: str, least: float = 0.0) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    try:
        seconds = float(value)
    except OverflowError:
        raise ValueError(f"{name} is out of range: use a number of at most 308 digits") from None
    if not (seconds >= least and math.isfinite(seconds)):
        raise ValueError(f"{name}={value} is out of range: use a finite number of {least:g} or more")


def _check_flag(value: object, name: str) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {type(value).__name__}")


def _names(value: object, name: str) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of str, not {type(value).__name__}")
    names = list(value)
    for item in names:
        if not isinstance(item, str):
            raise TypeError(f"{name} must hold str only, not {type(item).__name__}")
    return names


@dataclass
class RetryConfig:
    """Which errors are worth another attempt, how many attempts there are, and the wait between them.

    Times are in seconds. Raises TypeError or ValueError that names the wrong field.
    """

    max_attempts: int = 3
    initial_delay: float = 0.1
    max_delay: float = 10.0
    backoff_multiplier: float = 2.0
    exponential_backoff: bool = True
    jitter: bool = True
    retryable_symbols: list[str] = field(
        default_factory=lambda: [
            "timeout",
            "connection_failed",
            "external_service_error",
            "rate_limit_exceeded",
        ]
    )
    retryable_categories: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        _check_count(self.max_attempts, "max_attempts")
        _check_seconds(self.initial_delay, "initial_delay")
        _check_seconds(self.max_delay, "max_delay")
        _check_seconds(self.backoff_multiplier, "backoff_multiplier", 1.0)
        _check_flag(self.exponential_backoff, "exponential_backoff")
        _check_flag(self.jitter, "jitter")
        self.retryable_symbols = _names(self.retryable_symbols, "retryable_symbols")
        self.retryable_categories = _names(self.retryable_categories, "retryable_categories")

    def is_retryable(self, error: FoobaraError) -> bool:
        """Return whether the error's symbol or category is listed. Raises TypeError for what has neither."""
        if not (hasattr(error, "symbol") and hasattr(error, "category")):
            raise TypeError(f"error must be a FoobaraError, not {type(error).__name__}")
        return error.symbol in self.retryable_symbols or error.category in self.retryable_categories

    def get_delay(self, attempt: int) -> float:
        """Return the wait after attempt number *attempt*, counted from 1; jitter is 0.5 to 1.5 times that."""
        _check_count(attempt, "attempt")
        delay = float(self.initial_delay)
        if self.exponential_backoff:
            try:
                delay *= float(self.backoff_multiplier) ** (attempt - 1)
            except OverflowError:
                delay = float(self.max_delay) if delay else 0.0
        delay = min(delay, float(self.max_delay))
        return delay * random.uniform(0.5, 1.5) if self.jitter else delay


@dataclass
class CircuitBreakerConfig:
    """When a circuit opens, and what closes it again.

    It opens after *failure_threshold* failures in a row; *timeout* seconds later it lets
    *half_open_requests* through at a time, and closes after *success_threshold* successes of these.
    Raises TypeError or ValueError that names the wrong field.
    """

    failure_threshold: int = 5
    success_threshold: int = 2
    timeout: float = 60.0
    half_open_requests: int = 1

    def __post_init__(self) -> None:
        _check_count(self.failure_threshold, "failure_threshold")
        _check_count(self.success_threshold, "success_threshold")
        _check_seconds(self.timeout, "timeout")
        _check_count(self.half_open_requests, "half_open_requests")


class CircuitBreaker:
    """Counts failures and refuses requests while there were too many; may be shared by threads.

    Each ``can_execute()`` that answers True is followed by one ``record_success()``, ``record_failure()`` or,
    when it came to neither, ``release()``. Where answers may come late, ask ``admit()`` and give these what
    it returned: an answer to a request from before the circuit last opened or closed counts for nothing.
    *clock* returns seconds and never goes back.
    """

    def __init__(self, config: CircuitBreakerConfig | None = None, clock: Clock = time.monotonic) -> None:
        if config is None:
            config = CircuitBreakerConfig()
        if not isinstance(config, CircuitBreakerConfig):
            raise TypeError(f"config must be a CircuitBreakerConfig, not {type(config).__name__}")
        if not callable(clock):
            raise TypeError(f"clock must be callable, not {type(clock).__name__}")
        self.config = config
        self.state: CircuitState = CircuitState.CLOSED
        self.failure_count: int = 0
        self.success_count: int = 0
        self.last_failure_time: float | None = None
        self.half_open_attempts: int = 0
        self._clock = clock
        self._opened_at = 0.0
        self._admitted_at = 0.0
        self._period = 1
        self._lock = threading.Lock()

    def can_execute(self) -> bool:
        """Return whether a request may go ahead; a half-open circuit counts it as under way.

        A request under way for longer than the timeout without a word is taken for lost.
        """
        return self.admit() is not None

    def admit(self) -> int | None:
        """Do as ``can_execute``; return the admission to record the answer with, None for a refusal."""
        with self._lock:
            if self.state is CircuitState.CLOSED:
                return self._period
            now = self._clock()
            if self.state is CircuitState.OPEN:
                if now - self._opened_at < self.config.timeout:
                    return None
                self._enter(CircuitState.HALF_OPEN)
            elif self.half_open_attempts >= self.config.half_open_requests:
                if now - self._admitted_at < self.config.timeout:
                    return None
                self.half_open_attempts = 0
                self._period += 1
            self.half_open_attempts += 1
            self._admitted_at = now
            return self._period

    def record_success(self, admission: int | None = None) -> None:
        """Count a success: enough of them close a half-open circuit, one ends a row of failures."""
        with self._lock:
            if self._late(admission):
                return
            if self.state is CircuitState.CLOSED:
                self.failure_count = 0
            elif self.state is CircuitState.HALF_OPEN:
                self._finish_one()
                self.success_count += 1
                if self.success_count >= self.config.success_threshold:
                    self._enter(CircuitState.CLOSED)
                    self.failure_count = 0
            # Open: it answers a request from before that, whose period nobody named.

    def record_failure(self, admission: int | None = None) -> None:
        """Count a failure: too many in a row open the circuit, one opens it again when it is half-open."""
        with self._lock:
            if self._late(admission):
                return
            now = self._clock()
            self.last_failure_time = now
            self.failure_count += 1
            if self.state is CircuitState.OPEN:
                return
            if self.state is CircuitState.CLOSED and self.failure_count < self.config.failure_threshold:
                return
            self._enter(CircuitState.OPEN)
            self._opened_at = now
            failures = self.failure_count
        logger.warning("circuit breaker opened after %d failures", failures)

    def release(self, admission: int | None = None) -> None:
        """Give back an admission that came to neither success nor failure."""
        with self._lock:
            if self.state is CircuitState.HALF_OPEN and not self._late(admission):
                self._finish_one()

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        with self._lock:
            self._enter(CircuitState.CLOSED)
            self.failure_count = 0
            self.last_failure_time = None

    def _enter(self, state: CircuitState) -> None:
        self.state = state
        self.success_count = self.half_open_attempts = 0
        self._period += 1

    def _late(self, admission: int | None) -> bool:
        return admission is not None and admission != self._period

    def _finish_one(self) -> None:
        self.half_open_attempts = max(0, self.half_open_attempts - 1)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.state.value}, {self.failure_count} failures>"


class ErrorRecoveryHook(ABC):
    """Decides about one error at a time."""

    __slots__ = ()

    @abstractmethod
    def should_recover(self, error: FoobaraError, context: Context) -> bool:
        """Return whether ``recover`` is to be called."""

    @abstractmethod
    def recover(self, error: FoobaraError, context: Context) -> FoobaraError | None:
        """Return None when the error is dealt with, else the error that stands; may write to *context*."""


class RetryHook(ErrorRecoveryHook):
    """Says in the context whether to try again: ``should_retry``, ``retry_delay`` and the next ``attempt``.

    The error stands; the caller waits and runs again, or uses ``retry``, which does.
    """

    def __init__(self, config: RetryConfig | None = None) -> None:
        self.config: RetryConfig = _config(config, RetryConfig)

    def should_recover(self, error: FoobaraError, context: Context) -> bool:
        """Return whether the error is retryable and attempts are left."""
        left = bool(context.get("attempt", 1) < self.config.max_attempts)
        if not left and context.get("should_retry"):
            # The context of the last attempt comes back: what it said then no longer holds.
            context["should_retry"] = False
        return left and self.config.is_retryable(error)

    def recover(self, error: FoobaraError, context: Context) -> FoobaraError | None:
        """Fill the context and return the error."""
        attempt = context.get("attempt", 1)
        context["should_retry"] = True
        context["retry_delay"] = self.config.get_delay(attempt)
        context["attempt"] = attempt + 1
        return error


class FallbackHook(ErrorRecoveryHook):
    """Puts a value, or what ``fallback_fn(error, context)`` returns, into ``context["fallback_result"]``.

    It applies to the *applicable_symbols*; to every error when there are none.
    """

    def __init__(
        self,
        fallback_value: Any = None,
        fallback_fn: Callable[[FoobaraError, Context], Any] | None = None,
        applicable_symbols: Iterable[str] | None = None,
    ) -> None:
        if fallback_fn is not None and not callable(fallback_fn):
            raise TypeError(f"fallback_fn must be callable, not {type(fallback_fn).__name__}")
        self.fallback_value = fallback_value
        self.fallback_fn = fallback_fn
        self.applicable_symbols: list[str] = (
            [] if applicable_symbols is None else _names(applicable_symbols, "applicable_symbols")
        )

    def should_recover(self, error: FoobaraError, context: Context) -> bool:
        """Return whether the error's symbol is among the applicable ones."""
        return not self.applicable_symbols or error.symbol in self.applicable_symbols

    def recover(self, error: FoobaraError, context: Context) -> FoobaraError | None:
        """Store the fallback and return None."""
        fallback = self.fallback_fn
        context["fallback_result"] = self.fallback_value if fallback is None else fallback(error, context)
        return None


class CircuitBreakerHook(ErrorRecoveryHook):
    """Counts failures per ``context["circuit_breaker_id"]`` and replaces errors while that circuit is open.

    Errors without an id are left alone. All errors of one ``attempt_recovery`` are one failure. *clock* is
    that of the breakers.
    """

    def __init__(self, config: CircuitBreakerConfig | None = None, clock: Clock = time.monotonic) -> None:
        self.config: CircuitBreakerConfig = _config(config, CircuitBreakerConfig)
        self.breakers: dict[str, CircuitBreaker] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def breaker(self, identifier: str = "default") -> CircuitBreaker:
        """Return the breaker of *identifier*, made at the first call."""
        if not isinstance(identifier, str):
            raise TypeError(f"identifier must be a str, not {type(identifier).__name__}")
        with self._lock:
            breaker = self.breakers.get(identifier)
            if breaker is None:
                breaker = self.breakers[identifier] = CircuitBreaker(self.config, self._clock)
            return breaker

    def should_recover(self, error: FoobaraError, context: Context) -> bool:
        """Return whether the context names a circuit."""
        return "circuit_breaker_id" in context

    def recover(self, error: FoobaraError, context: Context) -> FoobaraError | None:
        """Count a failure; return the error, or a fatal ``circuit_breaker_open`` once the circuit is open."""
        self.breaker(context["circuit_breaker_id"]).record_failure()
        return self.judge(error, context)

    def judge(self, error: FoobaraError, context: Context) -> FoobaraError:
        """Return what ``recover`` does, of another error of a failure that is counted already."""
        if self.breaker(context["circuit_breaker_id"]).state is not CircuitState.OPEN:
            return error
        return _circuit_open(error)

    def check_before_execution(self, identifier: str = "default") -> bool:
        """Return whether a request to *identifier* may go ahead."""
        return self.breaker(identifier).can_execute()

    def record_success(self, identifier: str = "default") -> None:
        """Count a success of *identifier*."""
        self.breaker(identifier).record_success()


def _circuit_open(error: FoobaraError | None) -> FoobaraError:
    context: Context = {"circuit_state": CircuitState.OPEN.value}
    if error is not None:
        context = {"original_error": error.to_dict(), **context}
    return FoobaraError(
        category="runtime",
        symbol="circuit_breaker_open",
        message="Circuit breaker is open, request rejected",
        context=context,
        is_fatal=True,
    )


def _config(config: Any, kind: type[Any]) -> Any:
    if config is None:
        return kind()
    if not isinstance(config, kind):
        raise TypeError(f"config must be a {kind.__name__}, not {type(config).__name__}")
    return config


class ErrorRecoveryManager:
    """Hooks in order: the global ones first; the first that deals with an error ends its way."""

    def __init__(self) -> None:
        # Replaced, never changed in place: attempt_recovery needs no lock.
        self.hooks: list[ErrorRecoveryHook] = []
        self.global_hooks: list[ErrorRecoveryHook] = []
        self._lock = threading.Lock()

    def add_hook(self, hook: ErrorRecoveryHook, global_hook: bool = False) -> None:
        """Add *hook*, to the global ones if *global_hook*. Raises TypeError for anything but a hook."""
        for name in ("should_recover", "recover"):
            if not callable(getattr(hook, name, None)):
                raise TypeError(f"hook must be an ErrorRecoveryHook, not {type(hook).__name__}: no {name}()")
        with self._lock:
            if global_hook:
                self.global_hooks = [*self.global_hooks, hook]
            else:
                self.hooks = [*self.hooks, hook]

    def add_retry_hook(self, config: RetryConfig | None = None, global_hook: bool = False) -> None:
        """Add a RetryHook."""
        self.add_hook(RetryHook(config), global_hook)

    def add_fallback_hook(
        self,
        fallback_value: Any = None,
        fallback_fn: Callable[[FoobaraError, Context], Any] | None = None,
        applicable_symbols: Iterable[str] | None = None,
        global_hook: bool = False,
    ) -> None:
        """Add a FallbackHook."""
        self.add_hook(FallbackHook(fallback_value, fallback_fn, applicable_symbols), global_hook)

    def add_circuit_breaker_hook(
        self, config: CircuitBreakerConfig | None = None, global_hook: bool = False
    ) -> None:
        """Add a CircuitBreakerHook."""
        self.add_hook(CircuitBreakerHook(config), global_hook)

    def attempt_recovery(
        self,
        errors: FoobaraError | ErrorCollection | Iterable[FoobaraError],
        context: Context | None = None,
    ) -> tuple[bool, FoobaraError | ErrorCollection | None, Context]:
        """Return (whether anything was recovered, what stands, the context).

        What stands is an error for an error and a collection for many, or None when nothing does. A
        *context* passed in is filled, an empty one too.
        """
        if context is None:
            context = {}
        if not isinstance(context, MutableMapping):
            raise TypeError(f"context must be a dict, not {type(context).__name__}")
        if isinstance(errors, FoobaraError):
            stands = self._recover(errors, context, set())
            return stands is None, stands, context
        if isinstance(errors, str) or not isinstance(errors, Iterable):
            raise TypeError(
                f"errors must be a FoobaraError or a collection of them, not {type(errors).__name__}"
            )
        remaining = ErrorCollection()
        recovered = False
        attempt = context.get("attempt")
        reached = attempt
        counted: set[int] = set()
        for error in list(errors):
            if not isinstance(error, FoobaraError):
                raise TypeError(f"errors must hold FoobaraError only, not {type(error).__name__}")
            # However many errors an attempt left, it was one attempt.
            if attempt is not None:
                context["attempt"] = attempt
            else:
                context.pop("attempt", None)
            stands = self._recover(error, context, counted)
            if context.get("attempt") != attempt:
                reached = context["attempt"]
            if stands is None:
                recovered = True
            else:
                remaining.add(stands)
        if reached is not None:
            context["attempt"] = reached
        return recovered, remaining if remaining.has_errors() else None, context

    def _recover(self, error: FoobaraError, context: Context, counted: set[int]) -> FoobaraError | None:
        for hook in (*self.global_hooks, *self.hooks):
            if not hook.should_recover(error, context):
                continue
            stands: FoobaraError | None
            if isinstance(hook, CircuitBreakerHook) and id(hook) in counted:
                stands = hook.judge(error, context)
            else:
                stands = hook.recover(error, context)
                counted.add(id(hook))
            if stands is None:
                return None
            error = stands
        return error


_global_manager = ErrorRecoveryManager()
_default_hooks: list[ErrorRecoveryHook] = []
_defaults_lock = threading.Lock()


def get_global_recovery_manager() -> ErrorRecoveryManager:
    """Return the manager that the process shares."""
    return _global_manager


def configure_default_recovery() -> None:
    """Give the global manager a retry and a circuit breaker hook as global hooks, unless it has them."""
    with _defaults_lock:
        if any(hook is default for hook in _global_manager.global_hooks for default in _default_hooks):
            return
        _default_hooks[:] = [RetryHook(), CircuitBreakerHook()]
        for hook in _default_hooks:
            _global_manager.add_hook(hook, global_hook=True)


def _verdict(outcome: Any, config: RetryConfig, attempt: int) -> float | None:
    """The wait before the next attempt; None when *outcome* is the last word."""
    if outcome.is_success() or attempt >= config.max_attempts:
        return None
    errors = list(outcome.errors)
    if not errors or not all(config.is_retryable(error) for error in errors):
        return None
    return config.get_delay(attempt)


def _admitted(breaker: CircuitBreaker | None, last: Any) -> int | None:
    admission = 0 if breaker is None else breaker.admit()
    if admission is None and last is None:
        raise CircuitOpenError("the circuit breaker is open: the operation was not run")
    return admission


def _rules(operation: object, config: Any, breaker: object) -> RetryConfig:
    if not callable(operation):
        raise TypeError(f"operation must be callable, not {type(operation).__name__}")
    if breaker is not None and not isinstance(breaker, CircuitBreaker):
        raise TypeError(f"breaker must be a CircuitBreaker, not {type(breaker).__name__}")
    return _config(config, RetryConfig)  # type: ignore[no-any-return]


def _outcome(caller: str, given: Any) -> Any:
    if callable(getattr(given, "is_success", None)) and hasattr(given, "errors"):
        return given
    fix = "; await it with retry_async()" if isinstance(given, Awaitable) else ""
    raise TypeError(
        f"{caller}() takes an operation that returns a command's outcome, not {type(given).__name__}{fix}"
    )


def _awaitable(given: Any) -> Any:
    if isinstance(given, Awaitable):
        return given
    raise TypeError(f"retry_async() awaits what operation returns, and {type(given).__name__} cannot be")


class CircuitOpenError(RuntimeError):
    """The circuit breaker refused the first attempt, so there is no outcome to return."""


def retry(
    operation: Callable[[], Outcome],
    config: RetryConfig | None = None,
    *,
    breaker: CircuitBreaker | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Outcome:
    """Run *operation*, which returns a command's outcome, until it succeeds or another attempt is no use.

    It runs again when every error is retryable and attempts are left; the last outcome is returned. An
    exception passes through, and counts as a failure for *breaker*; an outcome of data errors alone counts
    for nothing, since what was given is wrong. Raises CircuitOpenError when *breaker* refuses the first
    attempt, TypeError when *operation* returns something else.
    """
    rules = _rules(operation, config, breaker)
    outcome: Any = None
    attempt = 0
    while True:
        admission = _admitted(breaker, outcome)
        if admission is None:
            return outcome  # type: ignore[no-any-return]
        attempt += 1
        with _Recorded(breaker, admission) as recorded:
            outcome = recorded.outcome = _outcome("retry", operation())
        delay = _verdict(outcome, rules, attempt)
        if delay is None:
            return outcome  # type: ignore[no-any-return]
        sleep(delay)


async def retry_async(
    operation: Callable[[], Awaitable[Outcome]],
    config: RetryConfig | None = None,
    *,
    breaker: CircuitBreaker | None = None,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> Outcome:
    """Do as ``retry`` does with an *operation* to await; *sleep* is ``asyncio.sleep`` by default.

    A cancelled attempt counts for *breaker* as neither success nor failure.
    """
    if sleep is None:
        import asyncio

        sleep = asyncio.sleep
    rules = _rules(operation, config, breaker)
    outcome: Any = None
    attempt = 0
    while True:
        admission = _admitted(breaker, outcome)
        if admission is None:
            return outcome  # type: ignore[no-any-return]
        attempt += 1
        with _Recorded(breaker, admission) as recorded:
            outcome = recorded.outcome = _outcome("retry_async", await _awaitable(operation()))
        delay = _verdict(outcome, rules, attempt)
        if delay is None:
            return outcome  # type: ignore[no-any-return]
        await sleep(delay)


class _Recorded:
    """Tells the breaker how the attempt in the block ended."""

    __slots__ = ("_admission", "_breaker", "outcome")

    def __init__(self, breaker: CircuitBreaker | None, admission: int) -> None:
        self._breaker = breaker
        self._admission = admission
        self.outcome: Any = None

    def __enter__(self) -> _Recorded:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        breaker = self._breaker
        if breaker is None:
            return
        if kind is not None:
            if issubclass(kind, Exception):
                breaker.record_failure(self._admission)
            else:
                breaker.release(self._admission)
        elif self.outcome.is_success():
            breaker.record_success(self._admission)
        elif _is_data(self.outcome.errors):
            # What was given is wrong: that says nothing of the service behind the breaker.
            breaker.release(self._admission)
        else:
            breaker.record_failure(self._admission)


def _is_data(errors: Any) -> bool:
    return bool(errors) and all(getattr(error, "category", None) == "data" for error in errors)
