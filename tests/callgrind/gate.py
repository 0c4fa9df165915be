"""Instruction counts per case, as ratios to building the inputs; fails when one rises above its record.

Counts do not depend on the load of the machine: with the hash seed and the address layout pinned they repeat
exactly. The record (ratios.json) is kept per interpreter and Pydantic version, since both change the floor.

    python tests/callgrind/gate.py            compare (exit 1: a ratio rose by more than 3 %)
    python tests/callgrind/gate.py --record   write the ratios of this interpreter into the record
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
import sysconfig
import tempfile
from pathlib import Path

import pydantic

HERE = Path(__file__).resolve().parent
RECORD = HERE / "ratios.json"
ALLOWED = 1.03
FLOOR = "floor I"


def key() -> str:
    """Return what a record is valid for."""
    tag = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    short = ".".join(pydantic.VERSION.split(".")[:2])
    return f"{tag.split('-')[0]}-{tag.split('-')[1]} {platform.machine()} pydantic-{short}"


def build_marks(directory: Path) -> Path:
    """Compile marks.c; SystemExit where there is no compiler or no valgrind header."""
    target = directory / "marks.so"
    compiler = os.environ.get("CC", "cc")
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", str(HERE / "marks.c"), "-o", str(target)], check=False
    )
    if done.returncode:
        raise SystemExit("gate.py needs a C compiler and valgrind's headers")
    return target


def measure(backend: str, directory: Path) -> dict[str, float]:
    """Return instructions per round of every floor and case on *backend*."""
    if not shutil.which("valgrind"):
        raise SystemExit("gate.py needs valgrind")
    marks = build_marks(directory)
    output = directory / f"{backend}.out"
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["FOOBARA_ACCEL_BACKEND"] = "c" if backend == "c" else "auto"
    pinned = ["setarch", "-R"] if shutil.which("setarch") else []
    command = [*pinned, "valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={output}"]
    command += [sys.executable, str(HERE / "cases.py"), str(marks), backend]
    subprocess.run(command, env=environment, check=True)
    counts: dict[str, dict[int, int]] = {}
    for dump in directory.glob(f"{output.name}.*"):
        text = dump.read_text(encoding="utf-8", errors="replace")
        label = re.search(r"^desc: Trigger: Client Request: (.+)/(\d+)$", text, re.MULTILINE)
        total = re.search(r"^(?:summary|totals): (\d+)$", text, re.MULTILINE)
        if label and total:
            counts.setdefault(label[1], {})[int(label[2])] = int(total[1])
    per_round = {}
    for name, dumps in counts.items():
        few, many = sorted(dumps)
        per_round[name] = (dumps[many] - dumps[few]) / (many - few)
    return per_round


def ratios() -> dict[str, float]:
    """Return ``backend case`` to instructions over those of the floor, measured now."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        for backend in ("c", "py"):
            per_round = measure(backend, Path(directory))
            floor = per_round[FLOOR]
            print(f"{backend}: {FLOOR} = {floor:.0f} instructions")
            found |= {
                f"{backend} {name}": round(count / floor, 4)
                for name, count in per_round.items()
                if not name.startswith("floor")
            }
    return found


def main() -> int:
    """Compare or record; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    records = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    now, before = ratios(), records.get(key(), {})
    risen = []
    for name, ratio in now.items():
        recorded = before.get(name)
        verdict = "new" if recorded is None else f"{ratio / recorded:6.3f} of {recorded}"
        if recorded is not None and ratio > recorded * ALLOWED:
            risen.append(name)
            verdict += "  ROSE"
        print(f"{name:<28} {ratio:8.4f} I   {verdict}")
    if arguments.record:
        records[key()] = now
        RECORD.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"recorded for {key()}")
        return 0
    if not before:
        print(f"no record for {key()}: nothing to compare with (see --record)")
        return 0
    gone = sorted(before.keys() - now.keys())
    if gone:
        print(f"recorded, but not measured: {', '.join(gone)}")
    print(f"{len(now)} ratios, rose by more than {ALLOWED - 1:.0%}: {', '.join(risen) or 'none'}")
    return 1 if risen or gone else 0


if __name__ == "__main__":
    sys.exit(main())
