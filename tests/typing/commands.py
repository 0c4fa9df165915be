"""What type checkers know of a command class, of its instances and of the ways to run it."""

from typing import Any, Generic, TypeVar, reveal_type

from pydantic import BaseModel

from foobara_accel import AsyncCommand, Command, CommandState, Domain, Outcome, Success


class In(BaseModel):
    a: int
    b: int = 2


class Other(BaseModel):
    c: str


class Add(Command[In, int]):
    def execute(self) -> int:
        reveal_type(self.inputs)  # reveal: In
        reveal_type(self.inputs.a)  # reveal: int
        reveal_type(self.errors)  # reveal: ErrorCollection
        reveal_type(self.state)  # reveal: CommandState
        return self.inputs.a + self.inputs.b


class Later(AsyncCommand[In, str]):
    async def execute(self) -> str:
        reveal_type(self.inputs)  # reveal: In
        reveal_type(await self.run_subcommand(Later, a=1))  # reveal: str | None
        reveal_type(await self.run_subcommand_bang(Add, a=1))  # reveal: int
        return ""


class Hooked(AsyncCommand[In, int]):
    name = "hooked"
    timeout = 1.5

    async def open_transaction(self) -> None:
        super().open_transaction()

    async def cast_and_validate_inputs(self) -> None:
        super().cast_and_validate_inputs()

    async def load_records(self) -> None: ...

    def validate_records(self) -> None: ...

    async def validate(self) -> None:
        reveal_type(self.name)  # reveal: str

    async def before_execute(self) -> None: ...

    async def execute(self) -> int:
        return self.inputs.a

    async def after_execute(self, result: int) -> int:
        return result + 1

    async def commit_transaction(self) -> None: ...

    async def rollback_transaction(self) -> None: ...


class HookedSync(Command[In, int]):
    async def validate(self) -> None:  # error: both
        pass

    def load_records(self) -> None: ...

    def execute(self) -> int:
        return self.inputs.a


class HookedWrong(AsyncCommand[In, int]):
    async def validate(self) -> int:  # error: both
        return 1

    async def execute(self) -> int:
        return self.inputs.a


class Wrong(Command[In, int]):
    def execute(self) -> str:  # error: both
        return "1"


class Outer(Command[In, bool]):
    def execute(self) -> bool:
        reveal_type(self.run_subcommand(Add, a=1))  # reveal: int | None
        reveal_type(self.run_subcommand_bang(Add, a=1))  # reveal: int
        self.run_subcommand(Later, a=1)  # error: both
        self.run_subcommand(int)  # error: both
        return self.run_subcommand_bang(Add, a=1) > 0


T = TypeVar("T", bound=BaseModel)


class Keep(Command[T, int], Generic[T]):
    def execute(self) -> int:
        return 1


class KeepOther(Keep[Other]):
    pass


reveal_type(Add.run(a=1))  # reveal: CommandOutcome[int]
reveal_type(Add.run(a=1).unwrap())  # reveal: int
reveal_type(Add.run(a=1).unwrap_or("none"))  # reveal: int | str
reveal_type(Add.run(a=1).map(str))  # reveal: CommandOutcome[str]
reveal_type(Add.run_or_raise(a=1))  # reveal: int
reveal_type(Add.run_json(b"{}"))  # reveal: CommandOutcome[int]
reveal_type(Add.run_with(In(a=1)))  # reveal: CommandOutcome[int]
Add.run_with(Other(c="1"))  # error: both
Add.run_with({"a": 1})  # error: both
Add.run_json({"a": 1})  # error: both
Add.run({"a": 1})  # error: both
reveal_type(Add(a=1))  # reveal: Add
reveal_type(Add(a=1).run_instance())  # reveal: CommandOutcome[int]
reveal_type(Add.inputs_type())  # reveal: type[In]
reveal_type(Add.full_name())  # reveal: str
reveal_type(Add.name)  # reveal: str
Add.name = 1  # error: both
reveal_type(KeepOther.run_with(Other(c="1")))  # reveal: CommandOutcome[int]
KeepOther.run_with(In(a=1))  # error: both


async def awaited() -> None:
    reveal_type(await Later.run(a=1))  # reveal: CommandOutcome[str]
    reveal_type(await Later.run_with(In(a=1)))  # reveal: CommandOutcome[str]
    reveal_type(await Later.run_or_raise(a=1))  # reveal: str
    reveal_type(await Later.run_json(b"{}"))  # reveal: CommandOutcome[str]
    reveal_type(await Add.run_async(a=1))  # reveal: CommandOutcome[int]
    await Later.run_with(Other(c="1"))  # error: both
    reveal_type(await Later(a=1).run_instance())  # reveal: CommandOutcome[str]
    later = Later(a=1)
    later.timeout = 0.5
    later.timeout = "1"  # error: both


outcome: Outcome[int] = Success(1)
if outcome.is_success():
    reveal_type(outcome.unwrap_or(0))  # reveal: int

for error in Add.run(a=1).errors:
    reveal_type(error)  # reveal: FoobaraError
    reveal_type(error.is_fatal)  # reveal: bool
    reveal_type(error.severity)  # reveal: ErrorSeverity
    reveal_type(error.to_dict())  # reveal: dict[str, Any]

Add.before_execute_transition(lambda command: None)
Add.before_execute_transition(1)  # error: both


@Add.after_transition_to(CommandState.SUCCEEDED, priority=1)
@Add.before_execute_transition
def logged(command: Any) -> None: ...


logged(None)
reveal_type(Domain("Shop"))  # reveal: Domain
