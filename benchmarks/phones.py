"""What one phone verdict costs: ``python -m benchmarks.phones`` prints each beside a floor and its peers.

The values are numbers in E.164: eight common ones, one of each region, the same with a digit changed,
random ones of one country. The peers are rphonenumbers, which is Rust, and phonenumbers, its patterns
compiled and kept before anything is measured: without that it compiles them again and again and takes up to
29 times as long. How it is measured: benchmarks.scalars.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
from collections.abc import Callable
from typing import Any

import foobara_accel
from foobara_accel._pure import _phone_table as table
from foobara_accel.bench.checks import COMMON_PHONES, peers
from foobara_accel.testing import load_twin
from foobara_accel.types import PhoneNumberValidator, is_valid_phone, parse_phone

from .scalars import Row, measure, refusing

NATIONAL = ["(201) 555-0123", "201-555-0124", "1 201 555 0125", "+44 20 7946 0018"]


def changed(number: str, rng: random.Random) -> str:
    """Return *number* with one digit replaced."""
    at = rng.randrange(1, len(number))
    return number[:at] + rng.choice("0123456789") + number[at + 1 :]


def others() -> dict[str, Callable[[str], Any]]:
    """Return the installed peers, each as a verdict on one value, its patterns compiled."""
    found = {name: load() for name, load in peers("phone").items()}
    for judge in found.values():
        for example in table.EXAMPLES.split():
            judge(example)
    return found


def rows(rng: random.Random) -> list[Row]:
    """Return the rows, with the peers that are installed."""
    pure = importlib.import_module(f"{load_twin('py').__name__}.types")
    calls: dict[str, Callable[[str], Any]] = {
        "no-op": len,
        "compiled is_valid_phone": is_valid_phone,
        "pure is_valid_phone": pure.is_valid_phone,
        "PhoneNumberValidator().process": refusing(PhoneNumberValidator().process),
        "parse_phone": refusing(parse_phone),
        **others(),
    }

    def in_us(value: str) -> bool:
        return bool(is_valid_phone(value, "US"))

    def pure_in_us(value: str) -> bool:
        return bool(pure.is_valid_phone(value, "US"))

    all_regions = sorted(set(table.EXAMPLES.split()))
    rng.shuffle(all_regions)
    wrong = [changed(number, rng) for number in all_regions]
    drawn = [f"+44{rng.randrange(7_100_000_000, 7_999_999_999)}" for _ in range(2_000)]
    repeated = {"no-op": len, "compiled is_valid_phone, US": in_us, "pure is_valid_phone, US": pure_in_us}
    return [
        Row("+E.164, eight common numbers", COMMON_PHONES, calls),
        Row("+E.164, one of each region", all_regions, calls),
        Row("+E.164, one digit changed", wrong, calls),
        Row("+E.164, 2000 mobile numbers of one country", drawn, calls),
        Row("national form, four numbers again and again (cached)", NATIONAL, repeated),
    ]


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    if not foobara_accel.backend().compiled:
        parser.error(f"no compiled backend: {foobara_accel.backend().reason}")
    print(
        f"CPython {sys.version.split()[0]}, metadata {table.VERSION}, "
        f"{options.rounds} rounds, thread CPU time"
    )
    for row in rows(random.Random(7)):
        measure(row, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
