"""Absurd values and wrong types: a clear answer from every door, the same one on both backends."""

from __future__ import annotations

import asyncio
import copy
import math
import pickle
import types
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, Field

import foobara_accel
from foobara_accel.testing import load_twin


def nested(levels: int, key: str | None = None) -> Any:
    made: Any = [] if key is None else {}
    for _ in range(levels):
        made = [made] if key is None else {key: made}
    return made


def loop() -> list[Any]:
    made: list[Any] = [1]
    made.append(made)
    return made


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Incomparable:
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no eq")


VALUES: dict[str, Any] = {
    "ten million characters": "x" * 10_000_000,
    "a thousand lists": nested(1_000),
    "a thousand dicts": nested(1_000, "k"),
    "twenty thousand lists": nested(20_000),
    "nan": math.nan,
    "infinite": -math.inf,
    "surrogate": "\ud800abc",
    "nul": "a\0b",
    "huge": 10**5000,
    "past 64 bits": -(2**63) - 1,
    "itself": loop(),
    "mute": Mute(),
    "incomparable": Incomparable(),
    "none": None,
    "bytes": b"\xff\xfe",
    "function": loop,
    "class": int,
    "set": {1},
    "complex": 1j,
    "empty": "",
    "true": True,
}


class Scalars(BaseModel):
    i: int = 0
    f: float = 0.0
    s: str = ""
    b: int = Field(default=1, ge=0, le=100)


class Anything(BaseModel):
    a: Any = None
    n: list[int] = []
    m: dict[str, int] = {}
    o: int | None = None


def command(fa: ModuleType, model: type[BaseModel], **body: Any) -> Any:
    return types.new_class("Absurd", (fa.Command[model, Any],), {}, lambda space: space.update(body))


def clipped(text: str) -> str:
    return text if len(text) < 300 else f"{text[:300]} and so on, {len(text)} characters"


def tried(work: Any) -> str:
    """What *work* returns, or raises, as a text."""
    try:
        return clipped(str(work()))
    except Exception as error:
        return clipped(f"{type(error).__name__}: {error}")


def seen(outcome: Any) -> dict[str, Any]:
    """What all the ways to look at an outcome show."""
    return {
        "success": outcome.is_success(),
        "errors": [(error.key(), clipped(error.message)) for error in outcome.errors],
        "json": clipped(outcome.to_json_bytes().decode()),
        "problem": tried(outcome.to_problem),
        "repr": tried(lambda: repr(outcome)),
        "equal": tried(lambda: outcome == copy.copy(outcome)),
    }


def twins() -> list[ModuleType]:
    return [foobara_accel, load_twin("py")]


@pytest.mark.parametrize("echo", [False, True], ids=["quiet", "echoing"])
@pytest.mark.parametrize("what", VALUES)
def test_as_an_input(what: str, echo: bool) -> None:
    value = VALUES[what]
    for model in (Scalars, Anything):
        for field in model.model_fields:
            answers = []
            for fa in twins():
                cls = command(fa, model, execute=lambda self: self.inputs, echo_inputs=echo)
                outcome = cls.run(**{field: value})
                answers.append(seen(outcome))
                if outcome.is_success():
                    assert outcome.result.__dict__.keys() == model.model_fields.keys()
                assert cls.run().is_success()
            assert answers[0] == answers[1], (what, field)


@pytest.mark.parametrize("what", VALUES)
def test_as_a_result_and_in_a_context(what: str) -> None:
    value = VALUES[what]
    answers: list[Any] = []
    for fa in twins():
        result = command(fa, Scalars, execute=lambda self: value).run()
        assert result.result is value
        failed = command(fa, Scalars, execute=lambda self: self.add_runtime_error("s", "m", odd=value)).run()
        assert failed.errors[0].context["odd"] is value and b'"symbol":"s"' in failed.to_json_bytes()
        raised = command(fa, Scalars, execute=lambda self: (_ for _ in ()).throw(KeyError(value))).run()
        assert raised.errors[0].context == {"exception_type": "KeyError"}
        answers.append([seen(result), seen(failed), seen(raised)])
    assert answers[0] == answers[1]


FIELDS = (
    "symbol",
    "message",
    "path",
    "runtime_path",
    "category",
    "severity",
    "cause",
    "suggestion",
    "help_url",
    "is_fatal",
    "stack_trace",
)


@pytest.mark.parametrize("what", [what for what in VALUES if what != "twenty thousand lists"])
def test_in_every_field_of_an_error(what: str) -> None:
    value = VALUES[what]
    for field in FIELDS:
        if isinstance(value, str) and "path" in field:
            value = value[:1_000]  # each character of a path that is a string is a name
        answers: list[Any] = []
        for fa in twins():

            def look(fa: ModuleType = fa, field: str = field, value: Any = value) -> dict[str, str]:
                error = fa.FoobaraError(**{field: value})
                errors = fa.ErrorCollection()
                return {
                    "key": tried(error.key),
                    "dict": tried(error.to_dict),
                    "json": tried(lambda: error.to_json_bytes().decode()),
                    "problem": tried(lambda: fa.CommandOutcome.from_errors(error).to_problem()),
                    "chain": tried(lambda: len(error.get_error_chain())),
                    "added": tried(lambda: errors.add(error).count()),
                    "readable": tried(errors.to_human_readable),
                    "sentence": tried(errors.to_sentence),
                    "sorted": tried(lambda: len(errors.sort_by_severity())),
                    "worst": tried(lambda: errors.most_severe() is error),
                    "equal": tried(lambda: error == copy.copy(error)),
                    "pickled": tried(lambda: bool(pickle.dumps(error))),
                }

            try:
                answers.append(look())
            except TypeError as error:
                answers.append(str(error))
                assert field in str(error)
        assert answers[0] == answers[1], (what, field)


DOCUMENTS: list[Any] = [
    b"",
    b"null",
    b"[1]",
    b"{",
    b"\xff",
    "\ud800",
    b'{"i": 1e400}',
    b'{"f": NaN}',
    b'{"i": ' + b"9" * 5_000 + b"}",
    b'{"s": "\\ud800"}',
    b'{"a": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    b'{"a": ' + b"[" * 100_000,
    b'{"s": "' + b"x" * 10_000_000 + b'"}',
    b'{"i": 1, "i": "x"}',
]


def test_as_json() -> None:
    for document in DOCUMENTS:
        for model in (Scalars, Anything):
            answers = []
            for fa in twins():
                outcome = command(fa, model, execute=lambda self: self.inputs).run_json(document)
                answers.append(seen(outcome))
            assert answers[0] == answers[1], document[:40]


@pytest.mark.parametrize("wrong", [5, None, ["{}"], {"i": 1}])
def test_json_that_is_no_text(fa: ModuleType, wrong: Any) -> None:
    outcome = command(fa, Scalars).run_json(wrong)
    assert outcome.is_failure() and outcome.errors[0].symbol == "json_type"


@pytest.mark.parametrize("wrong", [None, 5, "errors", object(), {"key": 1}, [1]])
def test_what_is_no_error(fa: ModuleType, wrong: Any) -> None:
    with pytest.raises(TypeError):
        fa.ErrorCollection().add(wrong)
    with pytest.raises(TypeError):
        fa.CommandOutcome.from_errors(wrong)
    with pytest.raises(TypeError):
        fa.CommandOutcome(errors=[wrong])
    cls = command(fa, Scalars, execute=lambda self: self.add_error(wrong))
    outcome = cls.run()
    assert outcome.errors[0].context == {"exception_type": "TypeError"}
    assert "FoobaraError" in outcome.errors[0].message


@pytest.mark.parametrize("wrong", [None, 5, "callback", object()])
def test_what_is_no_callback(fa: ModuleType, wrong: Any) -> None:
    cls = command(fa, Scalars)
    for target in (cls, cls()):
        with pytest.raises(TypeError, match="callable"):
            target.before_execute_transition(wrong)
        with pytest.raises(TypeError, match="callable"):
            target.around_transition_to(fa.CommandState.EXECUTING, wrong)
        with pytest.raises(TypeError, match="priority"):
            target.after_any_transition(print, priority="first")
    assert cls.run().is_success()


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [(None, TypeError), ("execute", TypeError), (True, TypeError), (11, ValueError), (-1, ValueError)],
)
def test_what_is_no_state(fa: ModuleType, wrong: Any, kind: type[Exception]) -> None:
    cls = command(fa, Scalars)
    with pytest.raises(kind):
        cls.before_transition_from(wrong, print)
    with pytest.raises(kind):
        fa.CommandStateMachine().transition_to(wrong)
    with pytest.raises(kind):
        fa.CommandStateMachine(state=wrong)


def test_recursion_without_end(fa: ModuleType) -> None:
    def execute(self: Any) -> Any:
        return self.run_subcommand_bang(type(self))

    cls = command(fa, Scalars, execute=execute)
    outcome = cls.run()
    assert outcome.errors[0].symbol == "execution_error"
    assert outcome.errors[0].context["exception_type"] == "RecursionError"
    assert outcome.to_json_bytes() and pickle.dumps(outcome) and copy.deepcopy(outcome).is_failure()

    async def execute_later(self: Any) -> Any:
        return await self.run_subcommand_bang(type(self))

    later = types.new_class(
        "Later", (fa.AsyncCommand[Scalars, Any],), {}, lambda space: space.update(execute=execute_later)
    )
    assert asyncio.run(later.run()).errors[0].context["exception_type"] == "RecursionError"
    assert command(fa, Scalars, execute=lambda self: 1).run().result == 1


def test_recursion_without_end_through_callbacks(fa: ModuleType) -> None:
    for register in ("before_validate_transition", "after_transition_to_failed", "around_execute_transition"):
        cls = command(fa, Scalars, execute=lambda self: 1)
        value: Any = "x" if "failed" in register else 1
        getattr(cls, register)(lambda current, *_, value=value: type(current).run(i=value))
        if register == "around_execute_transition":
            # The innermost run fails, the ones around it go on with what it answered.
            assert cls.run(i=value).is_success()
            continue
        with pytest.raises(RecursionError):
            cls.run(i=value)


def test_a_cause_that_is_its_own_cause(fa: ModuleType) -> None:
    first, second = fa.FoobaraError(symbol="a"), fa.FoobaraError(symbol="b")
    first.cause, second.cause = second, first
    assert len(first.get_error_chain()) == 2 and first.get_root_cause() is second
    assert first.to_dict()["cause"]["symbol"] == "b" and first.to_json_bytes()
    assert repr(first)


def test_a_command_without_an_inputs_type(fa: ModuleType) -> None:
    bare = types.new_class("Bare", (fa.Command,), {}, lambda space: None)
    wrong = types.new_class("Wrong", (fa.Command[int, int],), {}, lambda space: None)
    later = types.new_class("Later", (fa.AsyncCommand,), {}, lambda space: None)
    for cls in (bare, wrong, fa.Command):
        for work in (
            lambda cls=cls: cls.run(a=1),
            lambda cls=cls: cls(a=1).run_instance(),
            lambda cls=cls: cls.run_json(b"{}"),
            lambda cls=cls: cls.run_with(Scalars()),
            lambda cls=cls: cls.inputs_schema(),
        ):
            with pytest.raises(TypeError, match=f"Could not determine inputs type for {cls.__name__}"):
                work()
    with pytest.raises(TypeError, match="Could not determine inputs type for Later"):
        asyncio.run(later.run(a=1))
    outer = command(fa, Scalars, execute=lambda self: self.run_subcommand_bang(bare, a=1))
    assert "Could not determine inputs type for Bare" in outer.run().errors[0].message
    report = fa.warm_up([bare, outer])
    assert not report.ok and {failure.what for failure in report.failed} == {"Bare"}
    assert all("Could not determine inputs type" in str(failure.error) for failure in report.failed)
