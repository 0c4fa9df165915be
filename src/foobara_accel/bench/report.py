"""The report in four forms: a table on screen, report.json, report.md and one self-contained report.html."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .budgets import UNITS, too_little
from .payments import writing

__all__ = ["as_html", "as_markdown", "as_text", "write"]

NAMES = {
    "c": "compiled",
    "py": "pure Python",
    "foobara_py": "foobara_py",
    "swapped": "foobara_py + install()",
}
VERDICT = "verdict"
RED, GREEN, BOLD, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"


def write(report: dict[str, Any], directory: Path) -> list[Path]:
    """Write report.json, report.md and report.html to *directory*, each complete or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.json": json.dumps(report, indent=2) + "\n",
        "report.md": as_markdown(report),
        "report.html": as_html(report),
    }
    for name, text in texts.items():
        with writing(directory / name) as file:
            file.write(text)
    return [directory / name for name in texts]


def _measured(report: dict[str, Any]) -> list[str]:
    return [name for name in NAMES if report["backends"].get(name, {}).get("available")]


def _times(value: float) -> str:
    return f"{value:.1f}x"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _nanoseconds(value: float) -> str:
    if value < 10:
        return f"{value:.2f} ns"
    return f"{value:,.0f} ns" if value < 10_000 else f"{value / 1000:,.1f} µs"


def _seconds(value: float) -> str:
    return f"{value / 1e9:.2f} s"


def _unit(floor: str) -> str:
    return UNITS.get(floor, floor)


Table = tuple[list[str], list[list[str]]]


def case_table(report: dict[str, Any]) -> Table:
    """Return the cases: cost in units of the floor, and how many times as fast as foobara_py."""
    backends = _measured(report)
    head = ["case", "unit", *(NAMES[name] for name in backends)]
    rows = []
    for case in report["cases"].values():
        floor = case["floors"][0]
        cells = [case["title"], _unit(floor)]
        for name in backends:
            figures = case["backends"].get(name)
            if not figures:
                cells.append("-")
                continue
            times = case["times_foobara_py"].get(name)
            cell = f"{_number(figures['ratios'][floor])} ({_nanoseconds(figures['ns'])})"
            cells.append(f"{cell} {_times(times)}" if times else cell)
        rows.append(cells)
    return head, rows


def verdict_table(report: dict[str, Any]) -> Table:
    """Return the budgets with their verdicts."""
    rows = []
    for verdict in report["verdicts"]:
        sign = ">=" if verdict["at_least"] else "<="
        value = "-" if verdict["value"] is None else _number(verdict["value"])
        # The verdict stands before what a narrow screen scrolls to.
        rows.append(
            [
                verdict["title"],
                NAMES[verdict["backend"]],
                verdict["status"],
                value,
                f"{sign} {_number(verdict['limit'])} {verdict['unit']}".rstrip(),
                verdict["reason"],
            ]
        )
    head = ["budget", "backend", VERDICT, "measured", "limit (10 % over is met)", "note"]
    return head, rows


def latency_table(report: dict[str, Any]) -> Table:
    """Return the latency percentiles of blocks of 20 runs, per run."""
    rows = []
    for key, backends in report["latency"].items():
        for name, figures in backends.items():
            for who, label in (
                ("case", NAMES[name]),
                ("floor", f"{NAMES[name]}: {figures['floor_name']} alone"),
            ):
                part = figures[who]
                cells = [_nanoseconds(part[share]) for share in ("p50", "p95", "p99", "p99_9")]
                rows.append([_title(report, key), label, *cells, f"{part['tail']:.2f}"])
    return ["case", "backend", "p50", "p95", "p99", "p99.9", "p99 / median"], rows


def memory_table(report: dict[str, Any]) -> Table:
    """Return bytes kept and peak bytes per run, and collections per 100,000 runs."""
    rows = []
    for key, backends in report["memory"].items():
        for name, figures in backends.items():
            collected = report["gc"].get(key, {}).get(name, {}).get("per_100k", [])
            retained = max(0.0, round(figures["retained"] / figures["runs"], 1))
            rows.append(
                [
                    _title(report, key),
                    NAMES[name],
                    f"{retained:g} B",
                    f"{figures['peak']:,.0f} B",
                    " / ".join(str(count) for count in collected),
                ]
            )
    head = ["case", "backend", "kept per run", "peak of one run"]
    return [*head, "collections per 100,000 (young / middle / old)"], rows


def payments_table(report: dict[str, Any]) -> Table:
    """Return the payments job: totals, the commands' and the database's share."""
    rows = []
    for name, job in report["payments"].get("backends", {}).items():
        totals = job["totals"]
        own = job["cpu_ns"] - job["database_ns"]
        rows.append(
            [
                NAMES[name],
                f"{totals['accepted']:,}",
                f"{totals['rejected']:,}",
                _seconds(own),
                _seconds(job["database_ns"]),
                _seconds(job["cpu_ns"]),
                _nanoseconds(own / max(totals["rows"], 1)),
            ]
        )
    head = ["backend", "accepted", "rejected", "commands", "database", "together", "commands per payment"]
    return head, rows


def import_table(report: dict[str, Any]) -> Table:
    """Return what importing costs, in units of `import pydantic`."""
    rows = [
        [NAMES[name], f"{figures['ms']:.0f} ms", f"{figures['ratio']:.2f}"]
        for name, figures in report["import"].items()
    ]
    return ["backend", "importing Command", "x import pydantic"], rows


def _title(report: dict[str, Any], key: str) -> str:
    return str(report["cases"].get(key, {}).get("title", key))


def _sections(report: dict[str, Any]) -> Iterable[tuple[str, str, Table]]:
    yield (
        "cases",
        "What a run costs"
        + ", and how many times as fast as foobara_py (x)" * ("foobara_py" in _measured(report)),
        case_table(report),
    )
    yield "verdicts", "Budgets", verdict_table(report)
    yield "latency", "Latency of blocks of 20 runs, per run", latency_table(report)
    yield "memory", "Memory and garbage collections", memory_table(report)
    yield "payments", "The payments job", payments_table(report)
    yield "import", "Import", import_table(report)


def _extent(report: dict[str, Any]) -> str:
    """Return how much was measured, and that it is not judged where it is too little."""
    options = report["options"]
    rounds, rows, reason = options["rounds"], options["rows"], too_little(options)
    text = f"{'Quick run: ' * bool(options['quick'])}{rounds} round{'s' * (rounds != 1)} of each case"
    if options["app"]:
        return f"{text}, {options['app']}.{' The figures are rough.' * bool(reason)}"
    text += f", {rows:,} payment{'s' * (rows != 1)} (seed {options['seed']})."
    return f"{text} No budget is judged by {reason}: the figures are rough." if reason else text


def _environment(report: dict[str, Any]) -> list[list[str]]:
    lines = [[name, str(value)] for name, value in report["environment"].items()]
    lines += [[name, str(value)] for name, value in report["options"].items() if value is not None]
    for name, known in report["backends"].items():
        reason = known.get("reason", "measured")
        lines.append(
            [NAMES.get(name, name), f"{known['version']}, {reason}" if known["available"] else reason]
        )
    return lines


LEGEND = (
    "I: building Inputs(a=1, b=2), two ints; V: pydantic's bare validate_python of the case's model; awaits: "
    "awaiting a bare coroutine; J: json.dumps of the ready error dicts, or orjson.loads (json.loads without "
    "orjson) and V; calls: a bare function; two look-ups: a function that makes them; C calls: a C function "
    "that does nothing; reads: a pass over the same bytes; what takes many values is shown per value. Each "
    "floor is measured in the process and rounds of its case. Thread CPU time, medians of interleaved "
    "rounds; x: times as fast as foobara_py alone, by way of the floors. Limits of foobara_py + install() "
    "against foobara_py are reported and not enforced."
)


def as_text(report: dict[str, Any], colour: bool = False) -> str:
    """Return the report for a terminal; *colour* adds ANSI colours."""
    red, green, bold, plain = (RED, GREEN, BOLD, PLAIN) if colour else ("", "", "", "")
    lines = [_extent(report), *report.get("notes", ())]
    for name, title, (head, rows) in _sections(report):
        if not rows:
            continue
        widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
        lines += ["", f"{bold}{title}{plain}"]
        for row in [head, *rows]:
            text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            if name == "verdicts" and row is not head:
                verdict = row[head.index(VERDICT)]
                mark = red if verdict == "missed" else green if verdict == "met" else ""
                text = f"{mark}{text}{plain if mark else ''}"
            lines.append(text)
    lines += ["", LEGEND, ""]
    for name, known in report["backends"].items():
        if not known["available"]:
            lines.append(f"{NAMES.get(name, name)} was not measured: {known['reason']}")
    for text in report["disagreements"]:
        lines.append(f"{red}DISAGREEMENT: {text}{plain}")
    if not report["disagreements"] and len(_measured(report)) > 1:
        lines.append(f"{green}All backends gave the same answers and totals.{plain}")
    return "\n".join(lines).lstrip("\n")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = ["# foobara-accel bench", "", _cell(_extent(report)), ""]
    lines += [line for text in report.get("notes", ()) for line in (_cell(text), "")]
    lines += [LEGEND, ""]
    for text in report["disagreements"]:
        lines += [f'**<span style="color:red">Disagreement: {_cell(text)}</span>**', ""]
    tables = [(title, table) for _, title, table in _sections(report)]
    for title, (head, rows) in [*tables, ("Environment", (["what", "value"], _environment(report)))]:
        if not rows:
            continue
        lines += [f"## {title}", "", f"| {' | '.join(map(_cell, head))} |", "|" + "---|" * len(head)]
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
        lines.append("")
    return "\n".join(lines)


STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #5d6670;
  --line: #d9dee3;
  --c: #1769aa; --py: #2e8b57; --foobara_py: #a0522d;
  --swapped: #7d4fb3; --floor: #8a94a0; --bad: #c21f1f; --good: #1d7a3d; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --ink: #e6e9ec; --soft: #9aa5b1;
  --line: #333a41;
  --c: #5aa9e6; --py: #5fc58c; --foobara_py: #e0955f;
  --swapped: #b794f6; --floor: #77828e; --bad: #ff6b6b; --good: #5fd38a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p, .soft { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); }
.scroll { overflow-x: auto; background:
  linear-gradient(to right, var(--page) 30%, transparent) 0 0 / 2rem 100% no-repeat local,
  linear-gradient(to left, var(--page) 30%, transparent) 100% 0 / 2rem 100% no-repeat local,
  linear-gradient(to right, var(--line), transparent) 0 0 / .5rem 100% no-repeat scroll,
  linear-gradient(to left, var(--line), transparent) 100% 0 / .5rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; } td.none { color: var(--soft); }
td.good, td.bad, td.none { white-space: nowrap; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td { font-variant-numeric: tabular-nums; } figure { margin: .75rem 0; } figcaption { font-size: .85rem; }
svg { display: block; width: 100%; overflow: visible; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.key span { white-space: nowrap; margin-right: 1rem; }
.key i { display: inline-block; width: .8em; height: .8em; }
.c { fill: var(--c); background: var(--c); } .py { fill: var(--py); background: var(--py); }
.foobara_py { fill: var(--foobara_py); background: var(--foobara_py); }
.swapped { fill: var(--swapped); background: var(--swapped); }
.floor { fill: var(--floor); background: var(--floor); }
.halo { stroke: var(--page); stroke-width: 6; } .limit { stroke: var(--bad); stroke-width: 2; }
details { margin: .5rem 0; } summary { cursor: pointer; }
"""

Bar = tuple[str, float, str, float | None]


def _chart(groups: Sequence[tuple[str, Sequence[Bar]]], logarithmic: bool = False) -> str:
    """Return one figure of horizontal bars per group: (class, value, text, limit mark).

    Widths are percentages, so that bars follow the screen while the text keeps its size.
    """
    values = [value for _, bars in groups for _, value, _, _ in bars if value > 0]
    limits = [limit for _, bars in groups for *_, limit in bars if limit]
    if not values:
        return ""
    top = max([*values, *limits])
    low = min([*values, *limits]) / 2

    def width(value: float) -> float:
        if value <= 0:
            return 0.3
        share = math.log(value / low) / math.log(top / low) if logarithmic and top > low else value / top
        return max(round(share * 64, 2), 0.3)

    parts = []
    for label, bars in groups:
        height = 20 * len(bars)
        read = ", ".join(f"{NAMES.get(name, name)} {text}" for name, _, text, _ in bars)
        spoken = html.escape(f"{label}: {read}")
        parts.append(f"<figure><figcaption>{html.escape(label)}</figcaption>")
        parts.append(f'<svg height="{height}" role="img" aria-label="{spoken}">')
        for place, (name, value, text, limit) in enumerate(bars):
            y = 20 * place
            size = width(value)
            parts.append(f'<rect class="{name}" x="0" y="{y + 3}" width="{size}%" height="14" rx="2"></rect>')
            if limit:
                mark = width(limit)
                ends = f'x1="{mark}%" x2="{mark}%" y1="{y + 1}" y2="{y + 19}"'
                parts.append(f'<line class="halo" {ends}></line><line class="limit" {ends}></line>')
            shift = max(size, width(limit) if limit else 0) + 1
            parts.append(f'<text x="{shift}%" y="{y + 14}">{html.escape(text)}</text>')
        parts.append("</svg></figure>")
    return "\n".join(parts)


def _key(names: Iterable[str], extra: str = "") -> str:
    spans = [f'<span><i class="{name}"></i> {html.escape(NAMES.get(name, name))}</span>' for name in names]
    return f'<p class="key">{"".join(spans)}{extra}</p>'


def _ratio_chart(report: dict[str, Any]) -> str:
    limits = {
        (verdict["key"], verdict["backend"]): 1 / verdict["limit"]
        if verdict["at_least"]
        else verdict["limit"]
        for verdict in report["verdicts"]
        if verdict["limit"]
    }
    for key, case in report["cases"].items():
        theirs = case["backends"].get("foobara_py")
        if ("swapped" in case["backends"] and theirs) and (key, "swapped") in limits:
            limits[key, "swapped"] *= theirs["ratios"][case["floors"][0]]
    groups = []
    for key, case in report["cases"].items():
        floor = case["floors"][0]
        bars: list[Bar] = []
        for name, figures in case["backends"].items():
            value, limit = figures["ratios"][floor], limits.get((key, name))
            # Beside a mark that is far from its bar the figure alone would be taken for the limit.
            text = f"{_number(value)} (limit {_number(limit)})" if limit else _number(value)
            if name == "swapped" and name in case["times_foobara_py"]:
                text += f", {_times(case['times_foobara_py'][name])}"
            bars.append((name, value, text, limit))
        groups.append((f"{case['title']}, in {_unit(floor).removeprefix('x ')}", bars))
    return _chart(groups, logarithmic=True)


def _latency_chart(report: dict[str, Any]) -> str:
    groups = []
    for key, backends in report["latency"].items():
        for share, label in (("p50", "p50"), ("p95", "p95"), ("p99", "p99"), ("p99_9", "p99.9")):
            bars: list[Bar] = [
                (name, figures["case"][share], _nanoseconds(figures["case"][share]), None)
                for name, figures in backends.items()
            ]
            first = next(iter(backends.values()), None)
            if first:
                bars.append(("floor", first["floor"][share], _nanoseconds(first["floor"][share]), None))
            groups.append((f"{_title(report, key)}, {label}", bars))
    return _chart(groups, logarithmic=True)


def _memory_charts(report: dict[str, Any]) -> str:
    peaks: list[tuple[str, list[Bar]]] = []
    for key, backends in report["memory"].items():
        high = {name: figures["peak"] for name, figures in backends.items()}
        peaks.append(
            (
                f"{_title(report, key)}: peak bytes of one run",
                [(name, value, f"{value:,.0f} B", None) for name, value in high.items()],
            )
        )
    collected = []
    for key, found in report["gc"].items():
        sums = {name: sum(figures["per_100k"]) for name, figures in found.items()}
        bars: list[Bar] = [(name, count, f"{count:,}", None) for name, count in sums.items()]
        collected.append((f"{_title(report, key)}: collections per 100,000 runs", bars))
    return _chart(peaks) + _chart(collected)


def _payments_chart(report: dict[str, Any]) -> str:
    groups = []
    for name, job in report["payments"].get("backends", {}).items():
        own = job["cpu_ns"] - job["database_ns"]
        groups.append(
            (
                NAMES[name],
                [
                    (name, own, f"commands {_seconds(own)}", None),
                    ("floor", job["database_ns"], f"database {_seconds(job['database_ns'])}", None),
                ],
            )
        )
    return _chart(groups)


def _unbroken(text: str) -> str:
    """Return *text* with a number kept on the line of its unit, and the name of a backend on one."""
    unit, limit = r"(?<=\d) (?=(ns|µs|ms|s|B)\b)", r"(?<=[<>]=) "
    name = r"(?<=pure) (?=Python)|(?<=foobara_py) (?=\+)|(?<=\+) (?=install)"
    return re.sub(f"{unit}|{name}|{limit}", "\u00a0", text)


def _table(table: Table) -> str:
    head, rows = table
    # Reachable by keyboard, as it may be wider than the screen.
    out = ['<div class="scroll" tabindex="0"><table><thead><tr>']
    out += [f"<th>{html.escape(_unbroken(cell))}</th>" for cell in head]
    out.append("</tr></thead><tbody>")
    kinds = {"met": "good", "missed": "bad", "not judged": "none"}
    for row in rows:
        out.append("<tr>")
        for name, cell in zip(head, row, strict=True):
            kind = f' class="{kinds[cell]}"' if name == VERDICT else ""
            out.append(f"<td{kind}>{html.escape(_unbroken(cell))}</td>")
        out.append("</tr>")
    out.append("</tbody></table></div>")
    return "".join(out)


def as_html(report: dict[str, Any]) -> str:
    """Return one self-contained page: inline styles and SVG, no script, nothing fetched."""
    names = _measured(report)
    limit = '<span class="bad">| limit</span>' if report["verdicts"] else ""
    charts = {
        "cases": (_ratio_chart(report), _key(names, f"{limit} (logarithmic; shorter is faster)")),
        "latency": (_latency_chart(report), _key([*names, "floor"])),
        "memory": (_memory_charts(report), _key(names)),
        "payments": (_payments_chart(report), ""),
    }
    made = report["environment"]
    made_with = f"{report['created']}, Python {made.get('python')}, pydantic {made.get('pydantic')}"
    body = [
        "<h1>foobara-accel bench</h1>",
        f"<p>{html.escape(made_with)}<br/>{html.escape(_extent(report))}</p>",
    ]
    body += [f"<p>{html.escape(text)}</p>" for text in report.get("notes", ())]
    for text in report["disagreements"]:
        body.append(f'<p class="bad">Disagreement: {html.escape(text)}</p>')
    if not report["disagreements"] and len(names) > 1:
        body.append('<p class="good">All backends gave the same answers and totals.</p>')
    for name, title, table in _sections(report):
        if not table[1]:
            continue
        chart, note = charts.get(name, ("", ""))
        body.append(f"<h2>{html.escape(title)}</h2>")
        if chart:
            opened = ' open="open"' if name == "cases" else ""
            body += [note, chart, f"<details{opened}><summary>As a table</summary>{_table(table)}</details>"]
        else:
            body.append(_table(table))
    body += [
        f"<h2>How it was measured</h2><p>{html.escape(LEGEND)}</p>",
        _table((["what", "value"], _environment(report))),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>foobara-accel bench</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )
