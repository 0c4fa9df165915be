"""What type checkers know of results that are wider than those they are made of, and of errors."""

from typing import reveal_type

from pydantic import BaseModel

from foobara_accel import AsyncCommand, Command, CommandOutcome, ErrorSeverity, FoobaraError


class In(BaseModel):
    a: int


class Other(BaseModel):
    c: str


class Counted(AsyncCommand[In, int]):
    async def execute(self) -> int:
        return self.inputs.a


class Maybe(AsyncCommand[In, int | None]):
    async def execute(self) -> int | None:
        # A command of ints is one of ints or None, and so is its outcome.
        found: list[int | None] = [await self.run_subcommand(Counted, a=1)]
        wider: CommandOutcome[int | None] = await Counted.run(a=1)
        narrower: CommandOutcome[int] = await Maybe.run(a=1)  # error: both
        return found[0] or wider.result or narrower.result


class Add(Command[In, int]):
    def execute(self) -> int:
        return self.inputs.a


class Mapped(Command[In, str]):
    def execute(self) -> str:
        self.run_mapped_subcommand(Add, Other(c="1"), str)
        return str(self.run_mapped_subcommand(Add, {"c": "1"}))


class Gone(FoobaraError):
    is_fatal = True
    severity = ErrorSeverity.FATAL
    suggestion = "look elsewhere"


class Coded(FoobaraError):
    is_fatal = "yes"  # error: both


reveal_type(Gone(path=None).is_fatal)  # reveal: bool
error = FoobaraError(path=None, runtime_path=None)
error.path = None
error.path = 1  # error: both
error.is_fatal = True
