"""Write the measured tables of README.md and docs/drop-in.md from a report of `foobara-accel bench`.

python tools/readme_table.py foobara-accel-report/report.json
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
README, DROP_IN = ROOT / "README.md", ROOT / "docs" / "drop-in.md"
START, END = "<!-- measured -->", "<!-- /measured -->"
UNITS = {
    "await": "A",
    "json": "J",
    "lookups": "two look-ups",
    "V": "V",
    "I": "I",
    "call": "C",
    "read": "R",
    "loop": "L",
}
HEADS = {"c": "compiled", "py": "pure"}


def cell(verdict: dict[str, Any]) -> str:
    """Return a figure with its limit and verdict; a unit that is to be beaten stands as a fraction."""
    value, limit = verdict["value"], verdict["limit"]
    if value is None:
        return verdict["status"]
    if verdict["at_least"] and limit > 1:
        return f"1/{value:.1f} (budget 1/{limit:g}: {verdict['status']})"
    if verdict["at_least"]:
        value, limit = 1 / value, 1 / limit
    return f"{value:.2f} (budget {limit:.3g}: {verdict['status']})"


def conditions(report: dict[str, Any]) -> str:
    """Return what was measured, on what and when."""
    made, options = report["environment"], report["options"]
    cores = f"{made['cores']} cores" if made["cores"] else "cores unknown"
    cpu = re.sub(r"\s+", " ", made["cpu"])
    quick = " --quick" if options["quick"] else ""
    where = f"{made['implementation']} {made['python']}, pydantic {made['pydantic']}, {made['platform']}"
    when = f"`foobara-accel bench{quick}` of {report['created'][:10]}, {options['rounds']} rounds"
    return f"{where}, {cpu}, {cores}; {when}."


def block(report: dict[str, Any]) -> str:
    """Return the text between the two marks of the README."""
    backends = [name for name in HEADS if report["backends"].get(name, {}).get("available")]
    found = {(each["backend"], each["key"]): each for each in report["verdicts"]}
    theirs = report["backends"].get("foobara_py", {}).get("available")
    lines = [
        conditions(report),
        "Times are divided by what the unit took in the same rounds: lower is faster.",
        "10 % over a budget counts as met.",
        "",
        "| case | unit | "
        + " | ".join(HEADS[name] for name in backends)
        + (" | foobara_py |" if theirs else " |"),
        "|---" * (2 + len(backends) + bool(theirs)) + "|",
    ]
    for key, case in report["cases"].items():
        if not any((name, key) in found for name in backends):
            continue
        floor = case["floors"][0]
        cells = [
            cell(found[name, key])
            if (name, key) in found
            else f"{case['backends'][name]['ratios'][floor]:.2f}"
            if name in case["backends"]
            else "-"
            for name in backends
        ]
        if theirs:
            figures = case["backends"].get("foobara_py")
            cells.append(f"{figures['ratios'][floor]:.1f}" if figures else "-")
        lines.append(f"| {case['title']} | {UNITS.get(floor, floor)} | {' | '.join(cells)} |")
    counts = []
    for name in backends:
        judged = [
            each
            for each in report["verdicts"]
            if each["backend"] == name and each["status"] in ("met", "missed")
        ]
        met = sum(each["status"] == "met" for each in judged)
        counts.append(f"{HEADS[name]} met {met} of {len(judged)}")
    lines += ["", "Of all budgets of the report (these, depth, memory, collections, tail, import),"]
    return "\n".join([*lines, f"{' and '.join(counts)}."])


def swapped_block(report: dict[str, Any]) -> str:
    """Return the text between the two marks of the drop-in's page: foobara_py alone and after install()."""
    known = report["backends"]["swapped"]
    backend = {"c": "compiled", "py": "pure"}[known["active"]]
    limits = {
        each["key"]: each for each in report["verdicts"] if each["backend"] == "swapped" and each["at_least"]
    }
    lines = [
        conditions(report),
        f"foobara_py {known['version']}, {known['replaced']} functions replaced by the {backend} backend.",
        "",
        "| case | unit | foobara_py | after `install()` | times as fast | aim |",
        "|---|---|---|---|---|---|",
    ]
    for key, case in report["cases"].items():
        times = case["times_foobara_py"].get("swapped")
        if times is None:
            continue
        floor = case["floors"][0]
        before, after = (case["backends"][name]["ratios"][floor] for name in ("foobara_py", "swapped"))
        limit = limits.get(key)
        aim = f"{limit['limit']:g}: {limit['status']}" if limit else "-"
        unit = UNITS.get(floor, floor)
        lines.append(f"| {case['title']} | {unit} | {before:.1f} | {after:.2f} | {times:.1f} | {aim} |")

    def collected(name: str) -> int:
        return max(sum(found[name]["per_100k"]) for found in report["gc"].values())

    young = f"{collected('foobara_py'):,} before, {collected('swapped'):,} after"
    return "\n".join([*lines, "", f"Garbage collections per 100,000 runs, the most of any case: {young}."])


def rewrite(page: Path, text: str) -> int:
    """Put *text* between the marks of *page*; return the exit status."""
    head, mark, rest = page.read_text(encoding="utf-8").partition(START)
    _, end, tail = rest.partition(END)
    if not (mark and end):
        print(f"{page.name} has no {START} ... {END}", file=sys.stderr)
        return 1
    page.write_text(f"{head}{START}\n\n{text}\n\n{END}{tail}", encoding="utf-8")
    return 0


def main() -> int:
    """Rewrite the pages that the report has figures for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("report", type=Path, help="report.json")
    report = json.loads(parser.parse_args().report.read_text(encoding="utf-8"))
    known = report["backends"]
    status = (
        rewrite(README, block(report)) if any(known.get(name, {}).get("available") for name in HEADS) else 0
    )
    if all(known.get(name, {}).get("available") for name in ("foobara_py", "swapped")):
        status |= rewrite(DROP_IN, swapped_block(report))
    return status


if __name__ == "__main__":
    sys.exit(main())
