"""Command and AsyncCommand whose ``run`` takes exactly the fields of the inputs model, for type checkers.

Opt-in: ``from foobara_accel.typed import Command``. At run time these are the classes of ``foobara_accel``
themselves. Pyright solves the signature of ``run`` from the model; mypy cannot, so it sees the ordinary
``run(**inputs: Any)``, and ``run_with(model)`` is what it checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["AsyncCommand", "Command"]

# mypy takes this name as True, whatever it is bound to; everything else sees what stands here.
MYPY: bool = False

if MYPY:
    from .core.async_command import AsyncCommand as AsyncCommand
    from .core.command import Command as Command
elif TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, ParamSpec, Protocol, TypeVar

    from pydantic import BaseModel

    from .core import async_command, command
    from .core.outcome import CommandOutcome

    P = ParamSpec("P")
    R = TypeVar("R", covariant=True)
    InputT = TypeVar("InputT", bound=BaseModel)
    ResultT = TypeVar("ResultT", covariant=True)

    # The constructor of the inputs model is where P comes from, run_json() is where R does.
    class _Sync(Protocol[P, R]):
        @classmethod
        def inputs_type(cls) -> Callable[P, Any]: ...
        @classmethod
        def run_json(cls, data: bytes | bytearray | str) -> CommandOutcome[R]: ...

    class _Async(Protocol[P, R]):
        @classmethod
        def inputs_type(cls) -> Callable[P, Any]: ...
        @classmethod
        def run_json(cls, data: bytes | bytearray | str) -> Coroutine[Any, Any, CommandOutcome[R]]: ...

    class _Run:
        def __get__(self, instance: object, owner: type[_Sync[P, R]]) -> Callable[P, CommandOutcome[R]]: ...

    class _RunOrRaise:
        def __get__(self, instance: object, owner: type[_Sync[P, R]]) -> Callable[P, R]: ...

    class _RunLater:
        def __get__(
            self, instance: object, owner: type[_Sync[P, R]]
        ) -> Callable[P, Coroutine[Any, Any, CommandOutcome[R]]]: ...

    class _AsyncRun:
        def __get__(
            self, instance: object, owner: type[_Async[P, R]]
        ) -> Callable[P, Coroutine[Any, Any, CommandOutcome[R]]]: ...

    class _AsyncRunOrRaise:
        def __get__(
            self, instance: object, owner: type[_Async[P, R]]
        ) -> Callable[P, Coroutine[Any, Any, R]]: ...

    class Command(command.Command[InputT, ResultT]):  # pyright: ignore[reportAssignmentType]
        """``foobara_accel.Command``: its ``run`` has the fields of the inputs model as parameters."""

        run: _Run  # pyright: ignore[reportIncompatibleMethodOverride]
        run_async: _RunLater  # pyright: ignore[reportIncompatibleMethodOverride]
        run_or_raise: _RunOrRaise  # pyright: ignore[reportIncompatibleMethodOverride]

    class AsyncCommand(async_command.AsyncCommand[InputT, ResultT]):  # pyright: ignore[reportAssignmentType]
        """``foobara_accel.AsyncCommand``: its ``run`` has the fields of the inputs model as parameters."""

        run: _AsyncRun  # pyright: ignore[reportIncompatibleMethodOverride]
        run_async: _AsyncRun  # pyright: ignore[reportIncompatibleMethodOverride]
        run_or_raise: _AsyncRunOrRaise  # pyright: ignore[reportIncompatibleMethodOverride]

else:
    from .core.async_command import AsyncCommand
    from .core.command import Command
