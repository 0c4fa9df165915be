"""Random command classes behave the same on both backends and close each transaction once."""

from __future__ import annotations

from types import ModuleType

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
