"""`bench compare OLD NEW`: what got faster and slower between two reports, beyond noise."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .app import UsageError

__all__ = ["FLOOR_OF_NOISE", "Change", "compare", "load", "render"]

# Two runs of the same build on an idle machine differ by up to this much in their medians.
FLOOR_OF_NOISE = 0.03
# One pass over one file has no rounds to estimate its noise from.
PAYMENTS_NOISE = 0.10


@dataclass(frozen=True)
class Change:
    """One figure in both reports; *change* is new over old minus one, *noise* what chance explains."""

    key: str
    backend: str
    old: float
    new: float
    noise: float

    @property
    def change(self) -> float:
        """Return the relative change; 0.1 is 10 % slower."""
        return self.new / self.old - 1

    @property
    def verdict(self) -> str:
        """Return slower, faster or same."""
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
        compare(report, report)  # reads all that comparing with another one reads
        differing_environments(report, report)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UsageError(f"{path}: not a complete report: {type(error).__name__}: {error}") from error
    return report


def _noise(old: dict[str, Any], new: dict[str, Any]) -> float:
    """Return three standard errors of the difference of two medians, from their quartiles."""
    errors = [0.93 * figures["spread"] / math.sqrt(max(figures["rounds"], 1)) for figures in (old, new)]
    return max(FLOOR_OF_NOISE, 3 * math.hypot(*errors))


def _payments_cost(report: dict[str, Any], backend: str) -> float | None:
    """Return the commands' share of one payment in units of I, or None where it was not measured."""
    job = report.get("payments", {}).get("backends", {}).get(backend)
    if not job or not job["unit_ns"]:
        return None
    return float((job["cpu_ns"] - job["database_ns"]) / job["totals"]["rows"] / job["unit_ns"])


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
            changes.append(Change("payments", backend, was, now, PAYMENTS_NOISE))
    return sorted(changes, key=lambda change: -change.change)


def differing_environments(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return one line per part of the environment that differs, since such reports compare poorly."""
    names = ("python", "pydantic", "platform", "cpu", "version")
    before, after = old.get("environment", {}), new.get("environment", {})
    return [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def render(changes: list[Change], old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return the comparison as text."""
    lines = [f"note: environments differ in {line}" for line in differing_environments(old, new)]
    lines.append(f"{'case':<14}{'backend':<12}{'old':>9}{'new':>9}{'change':>9}{'noise':>9}  verdict")
    for change in changes:
        lines.append(
            f"{change.key:<14}{change.backend:<12}{change.old:>9.3f}{change.new:>9.3f}"
            f"{change.change:>+8.1%} {change.noise:>7.1%}   {change.verdict}"
        )
    names = ("slower", "faster", "same")
    counts = {name: sum(change.verdict == name for change in changes) for name in names}
    lines.append(", ".join(f"{count} {name}" for name, count in counts.items()))
    return "\n".join(lines)
