"""The budgets the report is judged by, and the verdicts.

Limits are ratios to a floor measured in the same process in the same rounds; 10 % over a limit counts as met.
Limits of times against foobara_py, for foobara_py after install(), are reported: met or missed, none binds.
Peak memory is judged where foobara_py was measured. A quick run, or one of a few rounds, is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["BUDGETS", "ENOUGH_ROUNDS", "TOLERANCE", "Budget", "Verdict", "judge", "judge_all", "too_little"]

TOLERANCE = 0.10
# The fewest with more than one round beyond each quartile, so that their distance is no accident.
ENOUGH_ROUNDS = 8


@dataclass(frozen=True)
class Budget:
    """A limit for one figure: at most (or, with *at_least*, at least) so many times the floor.

    *swapped* is how many times as fast as foobara_py alone it is to be after install(); *case* has the figure
    where that has another key than the budget.
    """

    key: str
    title: str
    floor: str
    compiled: float | None
    pure: float | None
    swapped: float | None = None
    at_least: bool = False
    goal: float | None = None
    case: str = ""

    def limit(self, backend: str) -> float | None:
        """Return the limit for a backend; None where there is none."""
        return {"c": self.compiled, "py": self.pure, "swapped": self.swapped}.get(backend)


@dataclass(frozen=True)
class Verdict:
    """One figure against its limit; `status` is met, missed or not judged; --enforce asks what `binds`."""

    key: str
    title: str
    backend: str
    value: float | None
    limit: float
    unit: str
    at_least: bool
    status: str
    reason: str = ""
    binds: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for report.json."""
        return asdict(self)


def _peer(case: str, title: str, floor: str, compiled: float | None, pure: float | None) -> Budget:
    key = f"{case}_{floor}"
    return Budget(key, f"{title} against {floor}", floor, compiled, pure, at_least=True, case=case)


BUDGETS: tuple[Budget, ...] = (
    Budget("simple", "simple run, two ints", "I", 0.45, 1.45, 8.0),
    Budget("scalars", "eight scalar fields", "V", 0.45, 1.5, 6.0),
    Budget("constrained", "five fields, constraints and a validator", "V", 1.05, 1.4, 5.0),
    Budget("unguarded", "nested model, union, datetime, validator", "V", None, None, 5.0),
    Budget("model_validator", "the same and a model validator", "V", None, None, 5.0),
    Budget("subcommand", "parent and one subcommand", "I", 0.95, 3.0, 10.0),
    Budget("nested", "ten nested subcommands", "I", 4.6, 12.5, 12.0),
    Budget("callbacks", "one callback before, one after", "I", 0.65, 1.6, 12.0),
    Budget("errors", "two runtime errors", "I", 0.9, 2.4, 6.0),
    Budget("errors_json", "two errors to JSON bytes", "I", 1.4, 5.0, 5.0),
    Budget("fifty_json", "fifty errors to JSON bytes", "json", 16.0, 3.0, at_least=True),
    Budget("invalid", "three validation errors", "I", 2.0, 8.0, 3.0, goal=0.5),
    Budget("async", "async run, immediate result", "await", 4.5, 8.0, 5.0, goal=3.5),
    Budget("run_json", "run from JSON bytes", "json", 0.75, 1.2),
    Budget("table", "get_validator, a hit", "lookups", 1.0, None),
    Budget("process", "FoobaraType.process, ten steps", "I", 0.66, 1.32, 2.5),
    Budget("card", "card number (Luhn)", "call", 1.3, None),
    _peer("card", "card number", "python-stdnum", 100.0, 2.0),
    Budget("iban", "IBAN", "call", 2.3, None, goal=2.0),
    _peer("iban", "IBAN", "iban_validation_py", 3.5, None),
    _peer("iban", "IBAN", "schwifty", 200.0, 2.0),
    _peer("iban", "IBAN", "python-stdnum", None, 2.0),
    _peer("phone", "phone number", "rphonenumbers", 65.0, None),
    _peer("phone", "phone number", "phonenumbers", 650.0, None),
    Budget("html", "HTML, 52 plain characters", "nh3", 20.0, None, at_least=True),
    Budget("html_long", "HTML, 5,200 of them", "nh3", 20.0, None, at_least=True),
    Budget("luhn_column", "column of card numbers", "read", 0.7, None, at_least=True, goal=0.9),
    Budget("iban_column", "column of IBANs, 22 % corrupt", "read", 4.0, None),
    Budget("luhn_rows", "2,048 card numbers (S16)", "loop", None, 10.0, at_least=True),
    Budget("iban_rows", "2,048 IBANs (S34)", "loop", None, 10.0, at_least=True),
)

UNITS = {
    "I": "I",
    "V": "V",
    "await": "awaits",
    "json": "J",
    "lookups": "x two look-ups",
    "function": "calls",
    "call": "C calls",
    "read": "reads",
    "loop": "loops over single values",
}

PEAK = {"c": 0.4, "py": 0.6}


def judge(value: float | None, limit: float, at_least: bool = False) -> str:
    """Return met or missed for *value* against *limit* with the tolerance; not judged without a value."""
    if value is None:
        return "not judged"
    if at_least:
        return "met" if value >= limit * (1 - TOLERANCE) else "missed"
    return "met" if value <= limit * (1 + TOLERANCE) else "missed"


def too_little(options: Mapping[str, Any]) -> str:
    """Return why nothing is judged by a report with these *options*, empty where something is."""
    if options.get("quick"):
        return "a quick run"
    rounds = options.get("rounds", ENOUGH_ROUNDS)
    return f"fewer than {ENOUGH_ROUNDS} rounds" if rounds < ENOUGH_ROUNDS else ""


def judge_all(report: dict[str, Any]) -> list[Verdict]:
    """Return the verdicts of each backend: cases, growth with depth, tail, collections, memory and import."""
    verdicts = _verdicts(report)
    reason = too_little(report["options"])
    if not reason:
        return verdicts
    return [replace(verdict, status="not judged", reason=verdict.reason or reason) for verdict in verdicts]


def _verdicts(report: dict[str, Any]) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for backend in ("c", "py", "swapped"):
        if not report["backends"].get(backend, {}).get("available"):
            continue
        for budget in BUDGETS:
            limit = budget.limit(backend)
            if limit is None:
                continue
            judged = _swapped_verdict if backend == "swapped" else _case_verdict
            verdicts.append(judged(report, budget, backend, limit))
        if backend != "swapped":
            verdicts.append(_depth_verdict(report, backend))
        verdicts.extend(_tail_verdicts(report, backend))
    return verdicts


def _case_verdict(report: dict[str, Any], budget: Budget, backend: str, limit: float) -> Verdict:
    figures = report["cases"].get(budget.case or budget.key, {}).get("backends", {}).get(backend)
    value = figures["ratios"].get(budget.floor) if figures else None
    if value is not None and budget.at_least:
        value = 1 / value
    reason = "" if figures else "no such case on this backend"
    if figures and value is None:
        reason = f"{budget.floor} was not measured"
    if budget.key == "run_json" and not report["backends"][backend].get("orjson"):
        value, reason = None, "the floor is orjson.loads, and orjson is not installed"
    status = judge(value, limit, budget.at_least)
    unit = UNITS.get(budget.floor, budget.floor)
    return Verdict(
        budget.key,
        budget.title,
        backend,
        value,
        limit,
        f"times as fast as {unit}" if budget.at_least else unit,
        budget.at_least,
        status,
        reason,
    )


def _swapped_verdict(report: dict[str, Any], budget: Budget, backend: str, limit: float) -> Verdict:
    """How many times as fast as foobara_py alone: the limits are the compiled backend's, and bind nobody."""
    value = report["cases"].get(budget.key, {}).get("times_foobara_py", {}).get(backend)
    status, reason = judge(value, limit, at_least=True), "reported, not enforced"
    if value is None:
        reason = "foobara_py was not measured"
    elif report["backends"][backend].get("active") != "c":
        status, reason = "not judged", "the limit is for the compiled backend"
    unit = "times as fast as foobara_py"
    return Verdict(budget.key, budget.title, backend, value, limit, unit, True, status, reason, binds=False)


def _depth_verdict(report: dict[str, Any], backend: str) -> Verdict:
    """Ten subcommands more must cost what the first ten did."""
    costs = [
        report["cases"].get(key, {}).get("backends", {}).get(backend, {}).get("ratios", {}).get("I")
        for key in ("simple", "nested", "nested_20")
    ]
    value = None
    if None not in costs and costs[1] > costs[0]:
        value = (costs[2] - costs[0]) / (costs[1] - costs[0])
    title, unit = "twenty nested subcommands against ten", "times the subcommands' cost"
    reason = "" if value is not None else "no such cases on this backend"
    return Verdict("depth", title, backend, value, 2.0, unit, False, judge(value, 2.0), reason)


def _tail_verdicts(report: dict[str, Any], backend: str) -> list[Verdict]:
    made: list[Verdict] = []

    def add(key: str, title: str, value: float | None, limit: float, unit: str, reason: str = "") -> None:
        status = judge(value, limit)
        made.append(Verdict(key, title, backend, value, limit, unit, False, status, reason))

    latency = report["latency"].get("simple", {}).get(backend)
    if latency and backend != "swapped":
        tail, bare = latency["case"]["tail"], latency["floor"]["tail"]
        add("tail", "p99 over median, blocks of 20", tail, bare, "(bare Inputs())")
    collected = [found[backend] for found in report["gc"].values() if backend in found]
    if collected:
        most = max(float(sum(each["per_100k"])) for each in collected)
        add("gc", "collections per 100,000 runs, the most of any case", most, 0, "")
    memory = [found[backend] for found in report["memory"].values() if backend in found]
    if memory:
        # Per run: what tracing itself and the interpreter's caches keep is a constant, not a leak.
        kept = max(max(0.0, round(each["retained"] / each["runs"], 1)) for each in memory)
        add("retained", "bytes retained per run, the most of any case", kept, 0, "B")
    peaks = report["memory"].get("simple", {})
    if backend in peaks and backend in PEAK:
        theirs = peaks.get("foobara_py", {}).get("peak")
        value = peaks[backend]["peak"] / theirs if theirs else None
        reason = "" if theirs else "foobara_py was not measured"
        limit = PEAK[backend]
        add("peak", "peak bytes of a simple run", value, limit, "of foobara_py's", reason)
    ratio = report["import"].get(backend, {}).get("ratio")
    if ratio is not None and backend != "swapped":
        add("import", "from foobara_accel import Command", ratio, 1.15, "x import pydantic")
    return made
