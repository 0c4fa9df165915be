"""Instructions per run before and after 1,000 installs and uninstalls: speed before = speed after.

    python tests/callgrind/switching.py CHECKOUT [--switches 1000] [--backend c|py]

A checkout of foobara_py is run by itself and with the drop-in, then again in the same process after the
switches. Counts do not depend on the load of the machine. Exit status 1: a count rose by more than 3 %. Of
foobara_py's own, 1 to 2 % are what one switch costs for good on CPython 3.13, which does not specialise the
calls of a function again whose code was exchanged.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import subprocess
import sys
import tempfile
from itertools import repeat
from pathlib import Path
from typing import Any

import gate

ALLOWED = 1.03
ROUNDS = 200
CASES = ("simple", "subcommand", "callbacks", "errors", "async")


def worker(marks: str, switches: int) -> None:
    """Count both forms, switch, and count them again; what is dumped is named ``when form case/rounds``."""
    import foobara_accel

    cases = __import__("foobara_accel.bench.cases", fromlist=["build"])
    library = ctypes.CDLL(marks)
    built: dict[str, Any] = cases.build("foobara_py")
    floor = cases.floors()["I"]
    gc.disable()
    library.start()
    count(library, gate.FLOOR, floor)
    for when in ("before", "after"):
        if when == "after":
            library.stop()
            for _ in range(switches):
                foobara_accel.install()
                foobara_accel.uninstall()
            library.start()
        for form in ("own", "drop-in"):
            if form == "drop-in" and foobara_accel.install().state != "swapped":
                raise SystemExit("install() replaces nothing here")
            for case in CASES:
                count(library, f"{when} {form} {case}", built[case].loop)
        foobara_accel.uninstall()


def count(library: Any, name: str, loop: Any) -> None:
    """Dump the instructions of N and of 2 N rounds."""
    loop(repeat(None, 50))
    for rounds in (ROUNDS, 2 * ROUNDS):
        gc.collect()
        times = repeat(None, rounds)
        library.zero()
        loop(times)
        library.dump(f"{name}/{rounds}".encode())


def measure(checkout: Path, backend: str, switches: int) -> gate.Counts:
    """Return the instructions per round of all that `worker` counts."""
    with tempfile.TemporaryDirectory(prefix="switching.", dir="/tmp") as name:
        directory = Path(name)
        output = directory / "counts"
        environment = gate.environment(backend)
        environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(checkout)])
        if backend == "py":
            environment["FOOBARA_ACCEL_BACKEND"] = "py"
        command = ["setarch", "-R", "valgrind", "-q", "--tool=callgrind", "--instr-atstart=no"]
        command += [f"--callgrind-out-file={output}", sys.executable, __file__, str(checkout)]
        command += ["--worker", str(gate.build_marks(directory)), "--switches", str(switches)]
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            raise SystemExit(f"the cases ended with status {done.returncode}")
        return gate.read(directory, output.name)


def main() -> int:
    """Measure and print a table in Markdown; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--switches", type=int, default=1000)
    parser.add_argument("--backend", choices=gate.BACKENDS, default="c")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.switches)
        return 0
    found = measure(options.checkout.resolve(), options.backend, options.switches)
    print("| case | foobara_py, before | after | with the drop-in, before | after |")
    print("|---|---|---|---|---|")
    risen = []
    for case in CASES:
        row = [found[f"{when} {form} {case}"] for form in ("own", "drop-in") for when in ("before", "after")]
        risen += [case] * (row[1] > row[0] * ALLOWED or row[3] > row[2] * ALLOWED)
        print(f"| {case} | " + " | ".join(f"{each:,.0f}" for each in row) + " |")
    print(f"\n{options.switches} switches, {gate.key()}; rose by more than 3 %: {', '.join(risen) or 'none'}")
    return 1 if risen else 0


if __name__ == "__main__":
    sys.exit(main())
