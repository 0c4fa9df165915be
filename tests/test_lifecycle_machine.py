"""Random command classes behave the same on both backends and close each transaction once."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import foobara_accel
from foobara_accel.testing import load_twin
from lifecycle_machine import Pair, broken_promise, cases, difference


def test_both_backends_run_random_commands_alike() -> None:
    if str(foobara_accel.backend()) != "c":
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    twin = load_twin("py")
    found = [text for seed in range(cases()) if (text := difference(foobara_accel, twin, seed)) is not None]
    assert not found, "\n".join(found[:3])


def test_every_transaction_ends_once_and_every_run_in_a_terminal_state(fa: ModuleType) -> None:
    found = [text for seed in range(cases()) if (text := broken_promise(fa, seed)) is not None]
    assert not found, "\n".join(found[:3])


@pytest.mark.parametrize("ending", ["raise", "halt"])
def test_what_a_rollback_raises_has_the_reason_of_the_rollback_as_its_context(
    fa: ModuleType, ending: str
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt("while rolling back")

    class Ends(fa.Command[Pair, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            self.rollback_transaction = interrupt
            if ending == "halt":
                self.halt()
            raise ValueError("first")

    with pytest.raises(KeyboardInterrupt) as caught:
        Ends.run(a=1)
    assert type(caught.value.__context__).__name__ == {"raise": "ValueError", "halt": "Halt"}[ending]


WAYS = ("run", "run_with", "run_json", "run_instance", "run_or_raise")


def _through(cls: Any, way: str, log: list[str]) -> Any:
    """Run *cls* one way; return what it logged, whether it succeeded, and an exception with its context."""
    log.clear()
    try:
        if way == "run_with":
            outcome = cls.run_with(Pair(a=1))
        elif way == "run_json":
            outcome = cls.run_json(b'{"a": 1}')
        elif way == "run_instance":
            outcome = cls(a=1).run_instance()
        elif way == "run_or_raise":
            return list(log), cls.run_or_raise(a=1)
        else:
            outcome = cls.run(a=1)
    except BaseException as error:
        return list(log), type(error).__name__, type(error.__context__).__name__
    return list(log), outcome.is_success()


@pytest.mark.parametrize("ending", ["well", "error", "halt", "exception"])
@pytest.mark.parametrize("kind", ["class callback", "own callback", "own rollback", "interrupting callback"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_run_ends_a_run_as_the_others_do(
    fa: ModuleType, way: str, kind: str, ending: str
) -> None:
    log: list[str] = []

    def told(name: str, interrupt: bool = False) -> Any:
        def tell(*command: Any) -> None:
            log.append(name)
            if interrupt:
                raise KeyboardInterrupt(name)

        return tell

    class Ends(fa.Command[Pair, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            if kind == "own callback":
                self.before_transition_to_failed(told("own"))
            elif kind == "own rollback":
                self.rollback_transaction = told("rollback", interrupt=True)
            if ending == "error":
                self.add_runtime_error("wrong", "wrong", halt=False)
            elif ending == "halt":
                self.halt()
            elif ending == "exception":
                raise ValueError("first")
            return 1

    if kind == "class callback":
        Ends.before_transition_to_failed(told("class"))
    elif kind == "interrupting callback":
        Ends.before_transition_to_failed(told("class", interrupt=True))
    first, second = _through(Ends, "run", log), _through(Ends, way, log)
    if ending == "well":
        assert first == ([], True)
    elif kind in ("class callback", "own callback"):
        assert first == (["class" if kind == "class callback" else "own"], False)
    else:
        context = {"error": "NoneType", "halt": "Halt", "exception": "ValueError"}[ending]
        name = "rollback" if kind == "own rollback" else "class"
        assert first == ([name], "KeyboardInterrupt", context)
    if way != "run_or_raise":
        assert second == first
    else:
        assert second[0] == first[0]
