"""`bench compare OLD NEW`: what got faster and slower between two reports, beyond noise."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .app import UsageError
from .budgets import ENOUGH_ROUNDS

__all__ = ["BETWEEN_RUNS", "Change", "compare", "load", "missing", "render"]

# What two runs of one build differ by beside the noise within each, as each process has its own layout of
# memory. Of 204 figures in pairs of runs of 31 rounds, without this 22 came out as changed, with it 5.
BETWEEN_RUNS = 0.08
# One pass over one file has no rounds to estimate its noise from. This is that of so many rows; fewer have
# more, and below a tenth of them it is too much to tell anything.
PAYMENTS_NOISE, PAYMENTS_ROWS = 0.10, 100_000


@dataclass(frozen=True)
class Change:
    """One figure in both reports; *change* is new over old minus one, *noise* what chance explains.

    Without *noise* too little was measured to tell.
    """

    key: str
    backend: str
    old: float
    new: float
    noise: float | None

    @property
    def change(self) -> float:
        """Return the relative change; 0.1 is 10 % slower."""
        return self.new / self.old - 1

    @property
    def verdict(self) -> str:
        """Return slower, faster, same or not judged."""
        if self.noise is None:
            return "not judged"
        if self.change > self.noise:
            return "slower"
        return "faster" if self.change < -self.noise else "same"


def load(path: Path) -> dict[str, Any]:
    """Return the report in *path*, a report.json or the directory it is in. Raises UsageError otherwise."""
    file = path / "report.json" if path.is_dir() else path
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a report: {error}") from error
    if not isinstance(report, dict) or report.get("format") != 1 or not isinstance(report.get("cases"), dict):
        raise UsageError(f"{path}: not a report of foobara-accel bench")
    try:
        render(compare(report, report), report, report)  # reads all that comparing with another one reads
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UsageError(f"{path}: not a complete report: {type(error).__name__}: {error}") from error
    return report


def _noise(old: dict[str, Any], new: dict[str, Any]) -> float | None:
    """Return three standard errors of the difference of two medians, from their quartiles, and BETWEEN_RUNS.

    The quartiles of a few rounds are uncertain themselves: of eight, 3 / 8 more keeps chance as rare.
    """
    fewest: int = min(old["rounds"], new["rounds"])
    if fewest < ENOUGH_ROUNDS:
        return None
    errors = [0.93 * figures["spread"] / math.sqrt(figures["rounds"]) for figures in (old, new)]
    return math.hypot(BETWEEN_RUNS, 3 * (1 + 3 / fewest) * math.hypot(*errors))


def _payments_noise(old: dict[str, Any], new: dict[str, Any]) -> float | None:
    """Return the noise of the payments job; None where the files differ or are short."""
    rows = old["payments"]["file"]["rows"]
    same = rows == new["payments"]["file"]["rows"] and _options(old).get("seed") == _options(new).get("seed")
    if not same or rows * 10 < PAYMENTS_ROWS:
        return None
    return PAYMENTS_NOISE * max(1.0, math.sqrt(PAYMENTS_ROWS / rows))


def _payments_cost(report: dict[str, Any], backend: str) -> float | None:
    """Return the commands' share of one payment in units of I, or None where it was not measured."""
    job = report.get("payments", {}).get("backends", {}).get(backend)
    if not job or not job["unit_ns"]:
        return None
    return float((job["cpu_ns"] - job["database_ns"]) / job["totals"]["rows"] / job["unit_ns"])


def _options(report: dict[str, Any]) -> dict[str, Any]:
    return dict(report.get("options", {}))


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return the changes of all figures that both reports have, slowest first."""
    changes = []
    for key, case in new["cases"].items():
        before = old["cases"].get(key, {}).get("backends", {})
        for backend, figures in case["backends"].items():
            if backend in before:
                floor = case["floors"][0]
                if floor not in before[backend]["ratios"]:
                    continue
                changes.append(
                    Change(
                        key,
                        backend,
                        before[backend]["ratios"][floor],
                        figures["ratios"][floor],
                        _noise(before[backend], figures),
                    )
                )
    for backend in new.get("payments", {}).get("backends", {}):
        was, now = _payments_cost(old, backend), _payments_cost(new, backend)
        if was and now:
            changes.append(Change("payments", backend, was, now, _payments_noise(old, new)))
    return sorted(changes, key=lambda change: -change.change)


def _figures(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the key and the backend of every figure in *report*."""
    found = [(key, backend) for key, case in report["cases"].items() for backend in case["backends"]]
    jobs = report.get("payments", {}).get("backends", {})
    return found + [("payments", backend) for backend in jobs if _payments_cost(report, backend)]


def missing(report: dict[str, Any], changes: list[Change], other: dict[str, Any]) -> list[str]:
    """Return a line per backend and case of *report* that *other* lacks: *changes* has no figure of it."""
    compared = {(change.key, change.backend) for change in changes}
    lost = [figure for figure in _figures(report) if figure not in compared]
    here = {backend for _, backend in _figures(report)}
    gone = here - {backend for _, backend in compared}
    known = other.get("backends", {})
    lines = [
        f"backend {backend}: {known.get(backend, {}).get('reason') or 'not measured'}"
        for backend in sorted(gone)
    ]
    cases: dict[str, list[str]] = {}
    for key, backend in lost:
        if backend not in gone:
            cases.setdefault(key, []).append(backend)
    return [*lines, *(f"case {key} ({', '.join(backends)})" for key, backends in cases.items())]


def _differing(label: str, names: tuple[str, ...], old: Any, new: Any) -> list[str]:
    return [
        f"{label}{name}: {old.get(name)} -> {new.get(name)}"
        for name in names
        if old.get(name) != new.get(name)
    ]


def differing_conditions(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return a line per part of the environment and option that differs: such reports compare poorly."""
    environment = ("python", "pydantic", "platform", "cpu", "version")
    options = ("rounds", "rows", "quick", "seed", "app")
    return [
        *_differing("", environment, old.get("environment", {}), new.get("environment", {})),
        *_differing("option ", options, _options(old), _options(new)),
    ]


def render(changes: list[Change], old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return the comparison as text."""
    lines = [f"note: the reports differ in {line}" for line in differing_conditions(old, new)]
    lines += [f"note: only in NEW: {line}" for line in missing(new, changes, old)]
    lines += [f"MISSING in NEW: {line}" for line in missing(old, changes, new)]
    lines.append(f"{'case':<14}{'backend':<12}{'old':>9}{'new':>9}{'change':>9}{'noise':>9}  verdict")
    for change in changes:
        noise = "-" if change.noise is None else f"{change.noise:.1%}"
        lines.append(
            f"{change.key:<14}{change.backend:<12}{change.old:>9.3f}{change.new:>9.3f}"
            f"{change.change:>+8.1%} {noise:>8}   {change.verdict}"
        )
    names = ("slower", "faster", "same", "not judged")
    counts = {name: sum(change.verdict == name for change in changes) for name in names}
    lines.append(", ".join(f"{count} {name}" for name, count in counts.items()))
    if counts["not judged"]:
        lines.append(
            f"Not judged: cases of fewer than {ENOUGH_ROUNDS} rounds; payments of fewer than "
            f"{PAYMENTS_ROWS // 10:,} rows, or of files that differ."
        )
    return "\n".join(lines)
