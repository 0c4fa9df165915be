"""Run foobara_py's own tests twice, plain and with the drop-in, and print every test whose verdict differs.

    python tests/downstream/run.py CHECKOUT [--backend c|py] [--fixes default|none|A,B] [-- PYTEST ARGUMENTS]

Either may be given several times: every backend is run with every choice of repairs, and all are
compared with one plain run. The interpreter needs what the checkout's tests need (pytest, pytest-
asyncio, fastapi, ...). Exit status: 0 when every test id has the same verdict each time, 1 otherwise. A
test that is known to be flaky is named and does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"

# It compares two delays that are drawn at random from ranges that overlap.
FLAKY = {"tests/test_error_enhancements.py::TestErrorRecovery::test_retry_config"}


def suite(
    checkout: Path, arguments: list[str], with_drop_in: bool, backend: str, fixes: str
) -> dict[str, Any]:
    """Run the tests of *checkout* once; return verdicts by id, and the SwapReport as a dict."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOBARA_")}
    # The checkout first: its package `tests` must not be shadowed.
    environment["PYTHONPATH"] = os.pathsep.join([str(checkout), str(SOURCE), str(HERE)])
    environment["FOOBARA_ACCEL_BACKEND"] = backend
    if fixes != "default":
        environment["FOOBARA_ACCEL_FIXES"] = "" if fixes == "none" else fixes
    pytest = [
        "-m",
        "pytest",
        "-q",
        "-o",
        "addopts=",
        "-p",
        "no:cacheprovider",
        "-p",
        "verdicts",
        "--no-header",
    ]
    command = [sys.executable, *(["-m", "foobara_accel"] if with_drop_in else []), *pytest, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "verdicts.json")
        environment["FOOBARA_VERDICTS"] = str(written)
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
        if not written.exists():
            raise SystemExit(
                f"pytest did not finish ({done.returncode}):\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        found: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
        return found


def differing(plain: dict[str, str], swapped: dict[str, str]) -> list[str]:
    """Return the ids whose verdicts differ, those that only one run has among them."""
    return sorted(each for each in {*plain, *swapped} if plain.get(each) != swapped.get(each))


def counted(verdicts: dict[str, str]) -> str:
    kinds: dict[str, int] = {}
    for verdict in verdicts.values():
        kinds[verdict] = kinds.get(verdict, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def main(argv: list[str]) -> int:
    own, _, given = (
        (argv, "", []) if "--" not in argv else (argv[: argv.index("--")], "--", argv[argv.index("--") + 1 :])
    )
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--backend", choices=["auto", "c", "py"], action="append")
    parser.add_argument("--fixes", action="append", help="default, none, or names separated by commas")
    chosen = parser.parse_args(own)
    checkout = chosen.checkout.resolve()
    if not (checkout / "foobara_py").is_dir():
        parser.error(f"there is no foobara_py in {checkout}")
    plain = suite(checkout, given, False, "auto", "default")["verdicts"]
    print(f"plain:        {counted(plain)}", flush=True)
    same = True
    for backend in chosen.backend or ["auto"]:
        for fixes in chosen.fixes or ["default"]:
            print(f"\nbackend {backend}, repairs {fixes}")
            same &= compare(plain, suite(checkout, given, True, backend, fixes))
    return 0 if same else 1


def compare(plain: dict[str, str], run: dict[str, Any]) -> bool:
    """Print what *run* says of itself and each verdict that differs; True if none does and it was swapped."""
    swapped, drop_in = run["verdicts"], run["drop_in"]
    print(f"with drop-in: {counted(swapped)}")
    replaced = sum(len(part["replaced"]) for part in drop_in["parts"])
    print(f"drop-in:      {drop_in['state']}, {replaced} functions, repairs: {drop_in['repairs']}")
    for part in drop_in["parts"]:
        if part["reason"]:
            print(f"not replaced: {part['name']}: {part['reason']}")
    others = 0
    for each in differing(plain, swapped):
        flaky = each in FLAKY
        others += not flaky
        print(f"{'flaky' if flaky else 'differs'}: {each}: {plain.get(each)} -> {swapped.get(each)}")
    print("every verdict is the same" if not others else f"{others} verdicts differ", flush=True)
    return not others and drop_in["state"] == "swapped"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
