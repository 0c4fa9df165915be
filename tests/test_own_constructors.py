"""``run_json`` and ``run_with`` make the instance as ``run`` does, through the constructor of its class."""

from __future__ import annotations

import json
from datetime import date
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field


class Inputs(BaseModel):
    """The inputs of most commands here."""

    a: int
    b: int = 2


class Strict(BaseModel):
    """Inputs of which JSON may hold what Python may not."""

    model_config = ConfigDict(strict=True)

    day: date


class Named(BaseModel):
    """Inputs that are given under another name."""

    a: int = Field(alias="theA")


def ways(cls: Any, model: Any, by_alias: bool = True) -> list[Any]:
    """Run *cls* on the values of *model* in each of the three ways."""
    values = model.model_dump(by_alias=by_alias, exclude_unset=True)
    return [cls.run(**values), cls.run_with(model), cls.run_json(json.dumps(values))]


def test_a_constructor_gets_the_values(fa: ModuleType) -> None:
    seen: list[Any] = []

    class Own(fa.Command[Inputs, Any]):
        def __init__(self, a: Any, **others: Any) -> None:
            seen.append((a, others))
            super().__init__(a=a, **others)

        def execute(self) -> Any:
            return self.inputs.a, self.inputs.b, self._raw_inputs

    for outcome in ways(Own, Inputs(a=1)):
        assert outcome.result == (1, 2, {"a": 1})
    for outcome in ways(Own, Inputs(a=1, b=3)):
        assert outcome.result == (1, 3, {"a": 1, "b": 3})
    assert seen == [(1, {})] * 3 + [(1, {"b": 3})] * 3


def test_a_constructor_may_change_the_values(fa: ModuleType) -> None:
    class Doubles(fa.Command[Inputs, Any]):
        def __init__(self, **inputs: Any) -> None:
            super().__init__(**{name: value * 2 for name, value in inputs.items()})

        def execute(self) -> Any:
            return self.inputs.a, self.inputs.b

    assert [outcome.result for outcome in ways(Doubles, Inputs(a=1, b=2))] == [(2, 4)] * 3
    for outcome in (Doubles.run(a="x"), Doubles.run_json('{"a": "x"}')):
        assert [error.symbol for error in outcome.errors] == ["int_parsing"]


def test_raw_inputs_that_the_cast_changes(fa: ModuleType) -> None:
    class Edits(fa.Command[Inputs, Any]):
        def cast_and_validate_inputs(self) -> None:
            self._raw_inputs["a"] = int(self._raw_inputs.pop("one", 0)) + 10
            super().cast_and_validate_inputs()

        def execute(self) -> Any:
            return self.inputs.a, self.inputs.b

    assert [outcome.result for outcome in ways(Edits, Inputs(a=1, b=3))] == [(10, 3)] * 3
    # What was wrong with the values before they were changed is no error of the run.
    assert Edits.run(one=1).result == Edits.run_json('{"one": 1}').result == (11, 2)


@pytest.mark.parametrize("how", ["constructor", "cast"])
def test_values_that_stay_are_not_validated_again(fa: ModuleType, how: str) -> None:
    class Own(fa.Command[Strict, Any]):
        def execute(self) -> Any:
            return self.inputs.day

    if how == "constructor":
        Own.__init__ = lambda self, **inputs: super(Own, self).__init__(**inputs)
    else:
        Own.cast_and_validate_inputs = lambda self: super(Own, self).cast_and_validate_inputs()
    day = date(2024, 1, 2)
    model = Strict(day=day)
    seen: list[Any] = []
    Own.before_execute_transition(lambda command: seen.append(command.inputs))
    assert Own.run(day=day).result == Own.run_with(model).result == day
    assert seen[1] is model
    assert Own.run_json('{"day": "2024-01-02"}').result == day
    assert [error.symbol for error in Own.run_json('{"day": 1.5}').errors] == ["date_type"]


def test_values_go_by_the_names_that_the_validator_takes(fa: ModuleType) -> None:
    class Own(fa.Command[Named, Any]):
        def __init__(self, **inputs: Any) -> None:
            super().__init__(theA=inputs["theA"] + 1)

        def execute(self) -> Any:
            return self.inputs.a

    assert [outcome.result for outcome in ways(Own, Named(theA=1))] == [2, 2, 2]


@pytest.mark.parametrize("data", ["{", "[1]", "5", b"\xff"])
def test_json_without_an_object_is_a_failed_outcome(fa: ModuleType, data: Any) -> None:
    class Own(fa.Command[Inputs, Any]):
        def __init__(self, a: Any, **others: Any) -> None:
            super().__init__(a=a, **others)

    class Edits(fa.Command[Inputs, Any]):
        def cast_and_validate_inputs(self) -> None:
            super().cast_and_validate_inputs()

    class Plain(fa.Command[Inputs, Any]):
        pass

    expected = [error.symbol for error in Plain.run_json(data).errors]
    assert expected in (["json_invalid"], ["model_type"])
    for cls in (Own, Edits):
        assert [error.symbol for error in cls.run_json(data).errors] == expected
