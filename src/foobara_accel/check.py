"""Holds compiled against pure on this machine: the cases of _corpus, on both backends, by value.

Where only one backend exists its answers are held against those recorded in check.json, which the pure
backend gave and which are the same on every supported Pydantic.

The compiled guard is held against Pydantic thereby, since the pure backend asks Pydantic's validators
alone. Where it is off because Pydantic is not a tested version, it is on for the models of these cases.

A case that takes a package which is not installed is left out, and the report names it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ._backend import backend
from ._corpus import CASES, MODELS, NEEDS, Sub, attempt
from .testing import load_twin

__all__ = [
    "CheckReport",
    "Mismatch",
    "answers",
    "answers_of",
    "lacking",
    "recorded",
    "render",
    "run",
    "to_json",
]

RECORD = Path(__file__).with_name("check.json")


@dataclass(frozen=True)
class Mismatch:
    """The first place where two sides differ: the case, the way into its answer, and both values."""

    case: str
    place: str
    left: Any
    right: Any


@dataclass(frozen=True)
class CheckReport:
    """What was compared and whether it agrees."""

    agrees: bool
    left: str
    right: str
    note: str
    cases: int
    values: int
    seconds: float
    mismatches: tuple[Mismatch, ...] = ()
    left_out: tuple[str, ...] = ()


def _sub(package: ModuleType) -> Sub:
    return lambda path: importlib.import_module(f"{package.__name__}.{path}")


def answers_of(package: ModuleType, name: str) -> Any:
    """Return what one case answers on *package*, as JSON values: what is compared can be recorded."""
    return json.loads(json.dumps(attempt(CASES[name], _sub(package))))


def lacking(name: str) -> str:
    """Return the package that a case takes and that is not installed; empty where it can be asked."""
    needed = NEEDS.get(name, "")
    return needed if needed and importlib.util.find_spec(needed) is None else ""


def answers(package: ModuleType) -> dict[str, Any]:
    """Return what every case that can be asked here answers on *package*, by case."""
    return {name: answers_of(package, name) for name in CASES if not lacking(name)}


def recorded() -> dict[str, Any]:
    """Return the recorded answers, by case."""
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def _count(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_count(item) for item in value.values())
    if isinstance(value, list):
        return sum(_count(item) for item in value)
    return 1


def _difference(left: Any, right: Any, place: str) -> tuple[str, Any, Any] | None:
    if type(left) is not type(right):
        return place, left, right
    if isinstance(left, dict) and left.keys() == right.keys():
        pairs = [(f"{place}[{key!r}]", left[key], right[key]) for key in left]
    elif isinstance(left, list) and len(left) == len(right):
        pairs = [(f"{place}[{index}]", a, b) for index, (a, b) in enumerate(zip(left, right, strict=True))]
    else:
        return None if left == right else (place, left, right)
    found = (_difference(a, b, inner) for inner, a, b in pairs)
    return next((each for each in found if each is not None), None)


def _compare(left: dict[str, Any], right: dict[str, Any]) -> tuple[Mismatch, ...]:
    found = []
    for name, answer in left.items():
        difference = _difference(answer, right.get(name), "answer")
        if difference is not None:
            found.append(Mismatch(name, *difference))
    return tuple(found)


def _guard_on(package: ModuleType) -> tuple[list[Any], str]:
    """Return what keeps the guard on for the models of the cases while it is held, and what to say of it."""
    inputs = _sub(package)("core.inputs")
    on, reason = inputs.guard_status()
    if on:
        return [], ""
    difference = inputs.self_test()
    if difference:
        # No approval would turn it on, and every command is right without it.
        return [], f"the guard is off and cannot be approved, so it was not compared: {difference}"
    held = [inputs.forced_builder(model) for model in MODELS]
    return held, f"the guard is off ({reason}); it was on for what is compared here"


def run() -> CheckReport:
    """Run every case on both backends, or on the only one against the recorded answers."""
    started = time.perf_counter()
    package = importlib.import_module(__name__.rpartition(".")[0])
    active = backend()
    if active.compiled:
        held, note = _guard_on(package)
        here = answers(package)
        del held
        there, right = answers(load_twin("py")), "pure"
    else:
        here = answers(package)
        there, right = recorded(), "recorded answers"
        note = f"only one backend here ({active.reason}); its answers are held against the recorded ones"
    mismatches = _compare(here, there)
    left = "compiled" if active.compiled else "pure"
    seconds = round(time.perf_counter() - started, 3)
    left_out = tuple(f"{name} (needs {lacking(name)})" for name in CASES if lacking(name))
    return CheckReport(
        not mismatches, left, right, note, len(here), _count(here), seconds, mismatches, left_out
    )


def to_json(report: CheckReport) -> str:
    """Return *report* as indented JSON."""
    return json.dumps(asdict(report), indent=2)


def render(report: CheckReport) -> str:
    """Return *report* as lines for a terminal, with the first mismatch in full."""
    lines = [f"note: {report.note}"] if report.note else []
    lines += [f"left out: {', '.join(report.left_out)}"] if report.left_out else []
    size = f"{report.cases} cases, {report.values} values, {report.seconds:.1f} s"
    if report.agrees:
        return "\n".join([*lines, f"ok: {report.left} = {report.right} ({size})"])
    first = report.mismatches[0]
    lines += [
        f"DIFFERENT: {report.left} and {report.right} disagree in {len(report.mismatches)} cases ({size})",
        f"  case   {first.case}",
        f"  place  {first.place}",
        f"  {report.left:<9} {json.dumps(first.left)}",
        f"  {report.right:<9} {json.dumps(first.right)}",
    ]
    return "\n".join(lines)
