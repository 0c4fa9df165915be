"""Runs every benchmark case under callgrind, dumping the instructions of N and of 2 N rounds; see gate.py."""

from __future__ import annotations

import ctypes
import gc
import importlib
import sys
from itertools import repeat

ROUNDS = 200
# A million rows a round; what a row takes is counted by the cases of few rows.
LARGE = ("luhn_column", "iban_column")


def main(marks: str, backend: str) -> None:
    """Dump ``case/N`` and ``case/2N`` for each case of *backend* (c or py) and for the floors."""
    library = ctypes.CDLL(marks)
    if backend == "py":
        from foobara_accel.testing import load_twin

        package = load_twin("py").__name__
    else:
        package = "foobara_accel"
        assert str(importlib.import_module(package).backend()) == "c"
    cases = importlib.import_module("foobara_accel.bench.cases")
    loops = {f"floor {name}": loop for name, loop in cases.floors().items()}
    loops |= {key: case.loop for key, case in cases.build(package).items() if key not in LARGE}
    gc.disable()
    library.start()
    for name, loop in loops.items():
        loop(repeat(None, 50))
        for rounds in (ROUNDS, 2 * ROUNDS):
            gc.collect()
            times = repeat(None, rounds)
            label = f"{name}/{rounds}".encode()
            library.zero()
            loop(times)
            library.dump(label)


if __name__ == "__main__":
    main(*sys.argv[1:])
