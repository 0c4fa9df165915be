"""Run foobara_py's own stress suite plain and with the drop-in, in turn, and print a table in Markdown.

    python tests/downstream/stress.py CHECKOUT [--rounds 3] [--backend c|py] [--fixes default|none|A,B]

What the suite prints is read: the median of each of its cases (it measures most of them with tracemalloc on,
which costs both sides), and what it says of threads, memory and objects. Figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
SUITE = Path("tests", "stress", "stress_tests.py")

# The cases in the order of the suite; by case, its figures by name.
Figures = dict[str, dict[str, float]]

HEAD = re.compile(r"^(\d+\.\d+) (.*?)(?: \([\d,]+ (?:iterations|threads).*\))?$")
LINE = re.compile(r"^  (Median|Throughput|Memory growth|Objects created): (-?[\d,.]+)")

WORKER = """
import runpy, sys
if sys.argv[2] == "on":
    import foobara_accel
    from foobara_accel.swap import fixes_of_the_environment
    report = foobara_accel.install(fixes_of_the_environment())
    print("drop-in:", report.state, len(report.replaced), str(foobara_accel.backend()))
runpy.run_path(sys.argv[1])["run_all_tests"]()
"""


def suite(checkout: Path, with_drop_in: bool, backend: str, fixes: str) -> tuple[Figures, str]:
    """Run the suite once; return its figures, and what the drop-in said of itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOBARA_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(checkout), str(SOURCE)])
    environment["FOOBARA_ACCEL_BACKEND"] = backend
    if fixes != "default":
        environment["FOOBARA_ACCEL_FIXES"] = "" if fixes == "none" else fixes
    command = [sys.executable, "-c", WORKER, str(checkout / SUITE), "on" if with_drop_in else "off"]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the suite ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return read(done.stdout)


def read(text: str) -> tuple[Figures, str]:
    """Return the figures that are printed in *text*, and its line on the drop-in."""
    found: Figures = {}
    told, title = "", ""
    for line in text.splitlines():
        if line.startswith("drop-in: "):
            told = line
        head, figure = HEAD.match(line), LINE.match(line)
        if head:
            title = f"{head[1]} {head[2]}"
        elif figure and title:
            found.setdefault(title, {})[figure[1]] = float(figure[2].replace(",", ""))
    return found, told


def table(plain: list[Figures], swapped: list[Figures]) -> list[str]:
    """Return the lines of the table."""
    lines = ["| case | foobara_py | with the drop-in | times as fast |", "|---|---|---|---|"]

    def of(rounds: list[Figures], title: str, name: str) -> float:
        return statistics.median(one[title][name] for one in rounds)

    for title, figures in plain[0].items():
        if "Median" in figures:
            before, after = of(plain, title, "Median"), of(swapped, title, "Median")
            lines.append(
                f"| {title} | {before / 1000:.1f} us | {after / 1000:.1f} us | {before / after:.1f} |"
            )
        elif "Throughput" in figures:
            before, after = of(plain, title, "Throughput"), of(swapped, title, "Throughput")
            lines.append(f"| {title} | {before:,.0f}/s | {after:,.0f}/s | {after / before:.1f} |")
        elif "Memory growth" in figures:
            before, after = of(plain, title, "Memory growth"), of(swapped, title, "Memory growth")
            lines.append(f"| {title} | {before:.2f} MB | {after:.2f} MB | |")
        elif "Objects created" in figures:
            before, after = of(plain, title, "Objects created"), of(swapped, title, "Objects created")
            lines.append(f"| {title} | {before:.0f} objects | {after:.0f} objects | |")
    return lines


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", choices=["auto", "c", "py"], default="auto")
    parser.add_argument("--fixes", default="default", help="default, none, or names separated by commas")
    chosen = parser.parse_args()
    checkout = chosen.checkout.resolve()
    if not (checkout / SUITE).is_file():
        parser.error(f"there is no {SUITE} in {checkout}")
    plain: list[Figures] = []
    swapped: list[Figures] = []
    told = ""
    for _ in range(chosen.rounds):
        plain.append(suite(checkout, False, chosen.backend, chosen.fixes)[0])
        figures, told = suite(checkout, True, chosen.backend, chosen.fixes)
        swapped.append(figures)
    if not plain[0] or plain[0].keys() != swapped[0].keys():
        raise SystemExit("the suite printed no figures, or other ones with the drop-in")
    print("\n".join(table(plain, swapped)))
    print(f"\n{told}; {chosen.rounds} rounds, Python {sys.version.split()[0]}")
    return 0 if told.startswith("drop-in: swapped") else 1


if __name__ == "__main__":
    sys.exit(main())
