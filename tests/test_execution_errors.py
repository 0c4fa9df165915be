"""The message of an ``execution_error``: the exception's text, without input where pydantic wrote it."""

from __future__ import annotations

import asyncio
import types
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int = 1


class Card(BaseModel):
    """What is parsed inside a command."""

    number: int
    kind: str = Field(default="", max_length=3)


class Left(BaseModel):
    """One side of a union."""

    side: Literal["left"]


class Right(BaseModel):
    """The other side."""

    side: Literal["right"]


NOT_AN_INT = "Input should be a valid integer, unable to parse string as an integer"
CASES: list[tuple[Any, Any, str]] = [
    (
        Card,
        {"number": "4111-1111"},
        f"1 validation error for Card: number: {NOT_AN_INT}",
    ),
    (
        Card,
        {"number": "4111-1111", "kind": "4111"},
        f"2 validation errors for Card: number: {NOT_AN_INT}; kind: String should have at most 3 characters",
    ),
    (
        int,
        "4111-1111",
        f"1 validation error for int: {NOT_AN_INT}",
    ),
    (
        Annotated[Left | Right, Field(discriminator="side")],
        {"side": "4111-1111"},
        (
            "1 validation error for tagged-union[Left,Right]: Input tag found using 'side' does not match "
            "any of the expected tags: 'left', 'right'"
        ),
    ),
]


def made_of(base: Any, body: dict[str, Any]) -> Any:
    """A command class with *body*."""
    return types.new_class("Made", (base[Inputs, Any],), {}, lambda space: space.update(body))


@pytest.mark.parametrize("where", ["before_execute", "execute", "after_execute", "subcommand"])
@pytest.mark.parametrize(("hint", "value", "text"), CASES)
def test_an_error_of_pydantic_inside_a_command(
    fa: ModuleType, where: str, hint: Any, value: Any, text: str
) -> None:
    def parse(self: Any, *given: Any) -> Any:
        TypeAdapter(hint).validate_python(value)

    async def later(self: Any, *given: Any) -> Any:
        await asyncio.sleep(0)
        parse(self)

    hook = "execute" if where == "subcommand" else where
    inner = made = made_of(fa.Command, {"execute": lambda self: 1, hook: parse})
    if where == "subcommand":
        made = made_of(fa.Command, {"execute": lambda self: self.run_subcommand(inner, a=1)})

    async def nothing(self: Any) -> None: ...

    async_made = made_of(fa.AsyncCommand, {"execute": nothing, hook: later})
    for outcome in (made.run(), made.run(), asyncio.run(async_made.run())):
        (error,) = outcome.errors
        assert (error.symbol, error.context["exception_type"]) == ("execution_error", "ValidationError")
        assert error.message == text
        assert b"4111-1111" not in outcome.to_json_bytes()
