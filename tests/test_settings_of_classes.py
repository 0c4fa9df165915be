"""What a command class cannot use is refused with the name of the class, the setting and the rule."""

from __future__ import annotations

import re
import types
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

HOOKS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "before_execute",
    "execute",
    "after_execute",
    "commit_transaction",
    "rollback_transaction",
)


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int = 1


def make(base: Any, **body: Any) -> Any:
    """A command class with *body*."""
    return types.new_class("Made", (base[Inputs, Any],), {}, lambda space: space.update(body))


async def later(*given: Any) -> None:
    """What a sync command would never await."""


class Callable:
    """A callback whose call is a coroutine."""

    async def __call__(self, *given: Any) -> None: ...


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_a_sync_command_is_no_coroutine_function(fa: ModuleType, hook: str) -> None:
    expected = re.escape(
        f"Made.{hook} is a coroutine function, and Made is a sync command, which awaits nothing: "
        "derive it from AsyncCommand"
    )
    cls = make(fa.Command, **{hook: later})
    for run in (cls.run, cls.run, lambda: cls.run_json("{}"), lambda: cls(a=1).run_instance()):
        with pytest.raises(TypeError, match=f"^{expected}$"):
            run()
    assert fa.Command.run_subcommand is not None
    outer = make(fa.Command, execute=lambda self: self.run_subcommand(cls))
    assert "derive it from AsyncCommand" in outer.run().errors[0].message


@pytest.mark.parametrize("callback", [later, Callable()])
@pytest.mark.parametrize("kind", ["before", "after", "around", "error"])
def test_a_callback_of_a_sync_command_is_no_coroutine_function(
    fa: ModuleType, kind: str, callback: Any
) -> None:
    cls = make(fa.Command, execute=lambda self: 1)
    rule = f"^the {kind} callback .* is a coroutine function, and Made is a sync command"
    for target in (cls, cls(a=1)):
        for name in ("execute_transition", "any_transition", "transition"):
            with pytest.raises(TypeError, match=rule):
                getattr(target, f"{kind}_{name}")(callback)
        with pytest.raises(TypeError, match=rule):
            getattr(target, f"{kind}_transition_to")(fa.CommandState.EXECUTING, callback)
    assert cls.run().result == 1
    # Through the registry itself, the class is known when it is run.
    cls._ensure_callback_registry().register(kind, callback)
    with pytest.raises(TypeError, match=rule):
        cls.run()
    getattr(make(fa.AsyncCommand, execute=later), f"{kind}_execute_transition")(callback)
