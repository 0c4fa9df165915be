"""Instruction counts per case, as ratios to building the inputs; fails when one rises above its record.

Counts do not depend on the load of the machine: with the environment, the hash seed and the address layout
pinned they repeat exactly. The record (ratios.json) is kept per interpreter and Pydantic version, since both
change the floor.

    python tests/callgrind/gate.py            compare (exit 1: a ratio rose by more than 3 %, or no record)
    python tests/callgrind/gate.py --record   write the ratios of this interpreter into the record
    python tests/callgrind/gate.py --repeat   measure twice; exit 1 unless every count is the same
    python tests/callgrind/gate.py --backend c|py   one of the two only; not with --record
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydantic

HERE = Path(__file__).resolve().parent
RECORD = HERE / "ratios.json"
ALLOWED = 1.03
FLOOR = "floor I"
BACKENDS = ("c", "py")

Counts = dict[str, float]


def key() -> str:
    """Return what a record is valid for."""
    python = f"{platform.python_implementation()}-{sys.version_info[0]}.{sys.version_info[1]}"
    short = ".".join(pydantic.VERSION.split(".")[:2])
    return f"{python} {platform.machine()} pydantic-{short}"


def build_marks(directory: Path) -> Path:
    """Compile marks.c; SystemExit where there is no compiler or no valgrind header."""
    target = directory / "marks.so"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-shared", "-fPIC", "-O2", str(HERE / "marks.c"), "-o", str(target)]
    try:
        done = subprocess.run(command, check=False)
    except OSError as error:
        raise SystemExit(f"gate.py needs a C compiler: {error}") from error
    if done.returncode:
        raise SystemExit("gate.py needs a C compiler and valgrind's headers")
    return target


def environment(backend: str) -> dict[str, str]:
    """Return the whole environment of a measured process: its size moves the stack and so the counts."""
    import foobara_accel

    return {
        "PATH": os.defpath,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(foobara_accel.__file__).resolve().parent.parent),
        "FOOBARA_ACCEL_BACKEND": "c" if backend == "c" else "auto",
    }


def measure(backend: str) -> Counts:
    """Return instructions per round of every floor and case on *backend*."""
    for tool in ("valgrind", "setarch"):
        if not shutil.which(tool):
            raise SystemExit(f"gate.py needs {tool}")
    with tempfile.TemporaryDirectory(prefix="gate.", dir="/tmp") as name:
        directory = Path(name)
        marks = build_marks(directory)
        output = directory / "counts"
        command = ["setarch", "-R", "valgrind", "-q", "--tool=callgrind", "--instr-atstart=no"]
        command += [f"--callgrind-out-file={output}", sys.executable]
        command += [str(HERE / "cases.py"), str(marks), backend]
        done = subprocess.run(command, env=environment(backend), check=False)
        if done.returncode:
            raise SystemExit(f"the {backend} cases ended with status {done.returncode}")
        return read(directory, output.name)


def read(directory: Path, prefix: str) -> Counts:
    """Return instructions per round from the dumps of one process, in the order they were made."""
    counts: dict[str, dict[int, int]] = {}
    dumps = sorted(directory.glob(f"{prefix}.*"), key=lambda path: int(path.suffix[1:]))
    for dump in dumps:
        text = dump.read_text(encoding="utf-8", errors="replace")
        label = re.search(r"^desc: Trigger: Client Request: (.+)/(\d+)$", text, re.MULTILINE)
        total = re.search(r"^(?:summary|totals): (\d+)$", text, re.MULTILINE)
        if label and total:
            counts.setdefault(label[1], {})[int(label[2])] = int(total[1])
    per_round = {}
    for name, totals in counts.items():
        few, many = sorted(totals)
        per_round[name] = (totals[many] - totals[few]) / (many - few)
    if FLOOR not in per_round:
        raise SystemExit("callgrind left no counts")
    return per_round


def measure_all(backends: tuple[str, ...]) -> dict[str, Counts]:
    """Return the counts of each backend, measured side by side: counts do not mind company."""
    with ThreadPoolExecutor(len(backends)) as pool:
        return dict(zip(backends, pool.map(measure, backends), strict=True))


def ratios(counts: dict[str, Counts]) -> dict[str, float]:
    """Return ``backend case`` to instructions over those of the floor in the same process."""
    return {
        f"{backend} {name}": round(count / per_round[FLOOR], 4)
        for backend, per_round in counts.items()
        for name, count in per_round.items()
        if not name.startswith("floor")
    }


def repeats(first: dict[str, Counts], second: dict[str, Counts]) -> int:
    """Print every count that differs between two measurements; return the exit status."""
    differing = 0
    for backend, counts in first.items():
        for name, count in counts.items():
            again = second[backend].get(name)
            if again != count:
                differing += 1
                print(f"{backend} {name}: {count:.2f}, then {again}")
    total = sum(map(len, first.values()))
    print(f"{total} counts measured twice, {differing} differ")
    return 1 if differing else 0


def table(counts: dict[str, Counts], now: dict[str, float], before: dict[str, float]) -> list[str]:
    """Print each ratio beside its record; return the names of those that rose."""
    risen = []
    for backend, per_round in counts.items():
        print(f"{backend}: I = {per_round[FLOOR]:,.0f} instructions")
        print(f"  {'case':<14}{'instructions':>14}{'I':>10}{'recorded':>10}{'change':>9}")
        for name, count in per_round.items():
            if name.startswith("floor"):
                continue
            full = f"{backend} {name}"
            ratio, recorded = now[full], before.get(full)
            line = f"  {name:<14}{count:>14,.0f}{ratio:>10.4f}"
            if recorded is None:
                print(f"{line}{'new':>10}")
                continue
            rose = ratio > recorded * ALLOWED
            risen += [full] * rose
            print(f"{line}{recorded:>10.4f}{ratio / recorded - 1:>+9.1%}{'  ROSE' if rose else ''}")
    return risen


def main() -> int:
    """Compare, record or repeat; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--repeat", action="store_true")
    parser.add_argument("--backend", choices=BACKENDS)
    arguments = parser.parse_args()
    if arguments.record and arguments.backend:
        parser.error("--record takes both backends")
    backends = (arguments.backend,) if arguments.backend else BACKENDS
    counts = measure_all(backends)
    if arguments.repeat:
        return repeats(counts, measure_all(backends))
    records = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    now, before = ratios(counts), records.get(key(), {})
    risen = table(counts, now, before)
    if arguments.record:
        records[key()] = now
        RECORD.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"recorded for {key()}")
        return 0
    if not before:
        print(f"no record for {key()}: make one with --record and commit it")
        return 1
    gone = sorted(name for name in before.keys() - now.keys() if name.partition(" ")[0] in backends)
    if gone:
        print(f"recorded, but not measured: {', '.join(gone)}")
    print(f"{key()}: {len(now)} ratios, rose by more than {ALLOWED - 1:.0%}: {', '.join(risen) or 'none'}")
    return 1 if risen or gone else 0


if __name__ == "__main__":
    sys.exit(main())
