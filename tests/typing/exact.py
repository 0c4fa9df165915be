"""foobara_accel.typed: pyright checks the inputs of run(); mypy sees what it sees without it."""

from typing import reveal_type

from pydantic import BaseModel, Field

from foobara_accel.typed import AsyncCommand, Command


class In(BaseModel):
    a: int
    b: int = 2
    tags: list[str] = Field(default_factory=list)


class Add(Command[In, int]):
    def execute(self) -> int:
        reveal_type(self.inputs)  # reveal: In
        return self.inputs.a + self.inputs.b


class More(Add):
    pass


class Later(AsyncCommand[In, str]):
    async def execute(self) -> str:
        return str(self.inputs.a)


reveal_type(Add.run(a=1))  # reveal: CommandOutcome[int]
reveal_type(More.run(a=1, tags=["x"]))  # reveal: CommandOutcome[int]
reveal_type(Add.run_or_raise(a=1))  # reveal: int
reveal_type(Add.run_with(In(a=1)))  # reveal: CommandOutcome[int]
reveal_type(Add.run(a=1).flat_map(lambda n: More.run(a=n)))  # reveal: CommandOutcome[int]
reveal_type(Add.inputs_type())  # reveal: type[In]
Add.run(a="x")  # error: pyright
Add.run(a=1, c=2)  # error: pyright
Add.run()  # error: pyright
More.run_or_raise(b=1)  # error: pyright
Add.run(1)  # error: both


class Outer(Command[In, int]):
    def execute(self) -> int:
        return self.run_subcommand_bang(Add, a=1)


async def awaited() -> None:
    reveal_type(await Later.run(a=1))  # reveal: CommandOutcome[str]
    reveal_type(await Later.run_async(a=1))  # reveal: CommandOutcome[str]
    reveal_type(await Later.run_or_raise(a=1))  # reveal: str
    reveal_type(await Add.run_async(a=1))  # reveal: CommandOutcome[int]
    await Later.run(a="x")  # error: pyright
    await Add.run_async(c=1)  # error: pyright
