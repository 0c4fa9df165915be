"""What one check costs: ``python -m benchmarks.scalars`` prints each beside a floor and its peers.

Every round runs all candidates of a row once, in another order; times are thread CPU time per call, figures
are medians of rounds and ratios are medians of the ratios within a round, so that a load on the machine
weighs on both sides. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from types import ModuleType
from typing import Any

import foobara_accel
from foobara_accel.bench.checks import PLAIN, cards, ibans, peers
from foobara_accel.testing import load_twin
from foobara_accel.types import (
    CreditCardValidator,
    IBANValidator,
    is_valid_card,
    is_valid_iban,
    parse_card,
    parse_iban,
)

Call = Callable[[str], Any]


@dataclass(frozen=True)
class Row:
    """One table: the values each candidate is called with, in turn, and the candidate they are divided by."""

    title: str
    values: Sequence[str]
    calls: dict[str, Call]
    floor: str = "no-op"
    calls_per_round: int = 2_000


def timed(call: Call, values: list[str]) -> float:
    """Return nanoseconds per call of *call* over *values*, thread CPU time."""
    started = time.thread_time_ns()
    for value in values:
        call(value)
    return (time.thread_time_ns() - started) / len(values)


def measure(row: Row, rounds: int) -> None:
    """Print the row: median, times the floor, and times our compiled one."""
    pool = list(islice(cycle(row.values), row.calls_per_round))
    few = pool[: max(20, row.calls_per_round // 50)]
    slow = {name for name, call in row.calls.items() if timed(call, few) > 2_000}
    found: dict[str, list[float]] = {name: [] for name in row.calls}
    order = list(row.calls)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            found[name].append(timed(row.calls[name], few if name in slow else pool))
    ours = next(iter(name for name in row.calls if name.startswith("compiled")))
    print(f"\n{row.title}")
    print(f"  {'':34} {'median ns':>10} {'x ' + row.floor:>10} {'x ' + 'compiled':>10}")
    for name, times in found.items():
        over_floor = statistics.median(a / b for a, b in zip(times, found[row.floor], strict=True))
        over_ours = statistics.median(a / b for a, b in zip(times, found[ours], strict=True))
        print(f"  {name:34} {statistics.median(times):10.1f} {over_floor:10.2f} {over_ours:10.1f}")


def optional(name: str) -> Any:
    """Return the module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def refusing(call: Call) -> Call:
    """Return *call* with a refusal by exception turned into None, as a user has to write it."""

    def asked(value: str) -> Any:
        try:
            return call(value)
        except Exception:
            return None

    return asked


def rows(rng: random.Random) -> list[Row]:
    """Return the rows, with the peers that are installed."""
    pure: ModuleType = importlib.import_module(f"{load_twin('py').__name__}.types")
    card: dict[str, Call] = {
        "no-op": len,
        "compiled is_valid_card": is_valid_card,
        "pure is_valid_card": pure.is_valid_card,
        "CreditCardValidator().process": refusing(CreditCardValidator().process),
        "parse_card": refusing(parse_card),
    }
    card.update((name, load()) for name, load in peers("card").items())
    if luhncheck := optional("luhncheck"):
        card["luhncheck"] = luhncheck.is_luhn
    iban: dict[str, Call] = {
        "no-op": len,
        "compiled is_valid_iban": is_valid_iban,
        "pure is_valid_iban": pure.is_valid_iban,
        "IBANValidator().process": refusing(IBANValidator().process),
        "parse_iban": refusing(parse_iban),
    }
    iban.update((name, refusing(load())) for name, load in peers("iban").items())
    found = [
        Row("card, all valid", cards(rng, 0), card),
        Row("card, 22 % corrupt", cards(rng, 0.22), card),
        Row("iban, ten countries, all valid", ibans(rng, 0, False), iban),
        Row("iban, ten countries, 22 % corrupt", ibans(rng, 0.22, False), iban),
        Row("iban, letters wherever they may stand, all valid", ibans(rng, 0, True), iban),
        Row("iban, letters wherever they may stand, 22 % corrupt", ibans(rng, 0.22, True), iban),
    ]
    if nh3 := optional("nh3"):
        from foobara_accel.types import SanitizeHTMLTransformer

        ours = SanitizeHTMLTransformer()
        html: dict[str, Call] = {
            "no-op": len,
            "compiled process": ours.process,
            "pure process": pure.SanitizeHTMLTransformer().process,
            "nh3.Cleaner, reused": peers("html")["nh3"](),
            "nh3.clean": nh3.clean,
        }
        if bleach := optional("bleach"):
            html["bleach.clean"] = bleach.clean
        markup = f"<p>{PLAIN} <b>and</b> <a href='https://example.com'>all</a> is well</p>"
        found += [
            Row("html, 52 plain characters", [PLAIN], html),
            Row("html, 5200 plain characters", [PLAIN * 100], html, calls_per_round=400),
            Row("html, plain, not ASCII", ["Für das Päckchen herzlichen Dank, es kam am Dienstag"], html),
            Row("html, markup of 115 characters", [markup], html),
        ]
    return found


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--only", default="", help="rows whose title begins so")
    options = parser.parse_args()
    if not foobara_accel.backend().compiled:
        parser.error(f"no compiled backend: {foobara_accel.backend().reason}")
    warnings.simplefilter("ignore")
    print(f"CPython {sys.version.split()[0]}, {options.rounds} rounds, thread CPU time")
    for row in rows(random.Random(7)):
        if row.title.startswith(options.only):
            measure(row, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
