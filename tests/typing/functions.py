"""Functions as commands keep their parameters and their result."""

from typing import reveal_type

from pydantic import BaseModel

from foobara_accel import AsyncCommand, Command, async_command, async_simple_command, command, simple_command


@command
def add(a: int, *, b: int = 2) -> int:
    return a + b


@command(domain="Math")
def double(a: int) -> int:
    return a * 2


@command
async def later(a: int) -> str:
    return str(a)


@async_command(domain="Math")
async def much_later(a: int) -> str:
    return str(a)


@simple_command
def half(a: int) -> float:
    return a / 2


@async_simple_command
async def third(a: int) -> float:
    return a / 3


class In(BaseModel):
    a: int


@command(domain="Math")
class Negate(Command[In, int]):
    def execute(self) -> int:
        return -self.inputs.a


reveal_type(add.run(1))  # reveal: CommandOutcome[int]
reveal_type(add(1, b=3))  # reveal: int
reveal_type(double.run(a=1))  # reveal: CommandOutcome[int]
reveal_type(half(1))  # reveal: float
reveal_type(Negate.run(a=1))  # reveal: CommandOutcome[int]
add.run("1")  # error: both
add.run(1, c=2)  # error: both
add.run()  # error: both
add(1, 2)  # error: both
double("1")  # error: both
half.run(b=1)  # error: both
async_simple_command(double)  # error: both


async def awaited() -> None:
    reveal_type(await later.run(1))  # reveal: CommandOutcome[str]
    reveal_type(await later(a=1))  # reveal: str
    reveal_type(await much_later(1))  # reveal: str
    reveal_type(await third.run(a=1))  # reveal: CommandOutcome[float]
    await later.run("1")  # error: both
    await third(b=1)  # error: both


class Asks(Command[In, int]):
    def execute(self) -> int:
        reveal_type(self.run_subcommand(half, a=1))  # reveal: float | None
        self.run_subcommand(third, a=1)  # error: both
        return self.run_subcommand_bang(add, a=1)


class AsksLater(AsyncCommand[In, float]):
    async def execute(self) -> float:
        reveal_type(await self.run_subcommand_bang(half, a=1))  # reveal: float
        return await self.run_subcommand_bang(third, a=1)
