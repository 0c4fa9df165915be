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


@pytest.mark.parametrize("wrong", [None, 5, "on"])
def test_a_transaction_config_is_one(fa: ModuleType, wrong: Any) -> None:
    kind = type(wrong).__name__
    with pytest.raises(TypeError, match=f"^Made._transaction_config is a TransactionConfig, not {kind}: "):
        make(fa.Command, _transaction_config=wrong).run()


def test_a_domain_is_a_name_or_a_domain(fa: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"^Made\._domain is a Domain, the name of one or None, not int$"):
        make(fa.Command, _domain=5).run()
    assert make(fa.Command, _domain="Math", execute=lambda self: 1).run().result == 1
    assert make(fa.Command, _domain=fa.Domain("Sums"), execute=lambda self: 1).run().result == 1


@pytest.mark.parametrize("wrong", [{"a": "b"}, 5, [("a",)], "ab", [5], [(1, "m")]])
def test_possible_errors_are_pairs(fa: ModuleType, wrong: Any) -> None:
    cls = make(fa.Command, _possible_errors=wrong)
    for use in (cls.possible_errors, lambda: cls.possible_error("s")):
        with pytest.raises(
            TypeError, match=r"^Made\._possible_errors holds tuples \(symbol, message\), not "
        ):
            use()


def test_what_possible_error_takes(fa: ModuleType) -> None:
    cls = make(fa.Command, _possible_errors=[("first", "one")])
    with pytest.raises(TypeError, match="takes the message as a str, not int"):
        cls.possible_error("a", 5)
    with pytest.raises(TypeError, match="takes the context as a dict, not int"):
        cls.possible_error("a", "b", 5)
    cls.possible_error("second", "two", {"n": 1})
    assert [each["symbol"] for each in cls.possible_errors()] == ["first", "second"]
