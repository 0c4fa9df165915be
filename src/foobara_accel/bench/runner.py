"""`foobara-accel bench`: starts the workers, asks them round by round and writes the report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from .._version import __version__
from . import budgets, report
from .app import UsageError, check_target, read_inputs
from .payments import generate
from .rounds import spread
from .worker import FOOBARA_PY_PATH, OWN

__all__ = ["BACKENDS", "Process", "WorkerError", "main"]

BACKENDS = ("c", "py", "foobara_py", "swapped")
ROUNDS, QUICK_ROUNDS = 31, 5
ROWS, QUICK_ROWS = 100_000, 2_000
LACKING = "No module named 'foobara_py'"
# An answer longer than this is cut in a sentence.
LONGEST = 160
# Cases whose latency, memory and collections are shown beside their cost.
DEEP = ("simple", "subcommand", "invalid")
ROOT = Path(__file__).resolve().parent.parent


class WorkerError(RuntimeError):
    """A worker answered with an error, or ended without an answer."""


class Process:
    """A worker process for one backend; use as a context manager."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{ROOT.name}.bench.worker", backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_environment_of(backend),
            encoding="utf-8",
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *details: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def ask(self, op: str, **request: Any) -> dict[str, Any]:
        """Return the worker's answer to one operation. Raises WorkerError when it fails or has died."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"op": op, **request}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise WorkerError(f"the {self.backend} worker ended during {op!r}: {self._tail()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _tail(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "nothing on stderr"


def _environment_of(backend: str) -> dict[str, str]:
    """Return the environment of a worker: the backend pinned, this package importable, hashing fixed.

    What replaces foobara_py is what the user has: FOOBARA_ACCEL_BACKEND, or else compiled where that loads.
    """
    chosen = {"c": "c", "swapped": os.environ.get("FOOBARA_ACCEL_BACKEND") or "auto"}.get(backend, "py")
    paths = [str(ROOT.parent), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "FOOBARA_ACCEL_BACKEND": chosen,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


class Progress:
    """A bar on stderr when that is a terminal; else one line per stage; silent when *quiet*."""

    def __init__(self, total: int, stream: IO[str], quiet: bool = False) -> None:
        self.total: int = max(total, 1)
        self.done: int = 0
        self.label: str = ""
        self.stream = stream
        self.quiet = quiet
        self.terminal: bool = not quiet and stream.isatty()

    def step(self, label: str, detail: str = "") -> None:
        """Count one step of the stage called *label*; only a terminal shows the *detail*."""
        self.done += 1
        if self.quiet:
            return
        if self.terminal:
            filled = min(30, 30 * self.done // self.total)
            bar = "#" * filled + "." * (30 - filled)
            share = min(100, 100 * self.done // self.total)
            self.stream.write(f"\r\x1b[K[{bar}] {share:3d} % {label}{detail}")
            self.stream.flush()
        elif label != self.label:
            self.stream.write(f"{label}\n")
        self.label = label

    def close(self) -> None:
        """Remove the bar."""
        if self.terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def _percent(text: str) -> float:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage such as 5")
    return number


def _backends(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in BACKENDS]
    if unknown or not names:
        what = f"unknown backend {unknown[0]!r}" if unknown else "no backend"
        raise argparse.ArgumentTypeError(f"{what}; use some of {','.join(BACKENDS)}")
    return list(dict.fromkeys(names))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="foobara-accel bench",
        description="Measure compiled, pure and, where it can be imported, foobara_py alone and after "
        "install() side by side. "
        f"foobara_py is found where it is installed or through {FOOBARA_PY_PATH}.",
        epilog="foobara-accel bench compare OLD NEW [--fail-above PERCENT] compares two reports.",
        allow_abbrev=False,
    )
    parser.add_argument("--rows", type=_positive, help=f"payments in the generated file (default {ROWS})")
    parser.add_argument("--rounds", type=_positive, help=f"interleaved rounds per case (default {ROUNDS})")
    parser.add_argument(
        "--quick", action="store_true", help="few rounds and rows: a smoke test, judged by no budget"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the payments file (default 1)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("foobara-accel-report"),
        metavar="DIR",
        help="where the report goes (default ./foobara-accel-report)",
    )
    parser.add_argument(
        "--backends",
        type=_backends,
        help=f"some of {','.join(BACKENDS)} (default: all found); swapped is foobara_py after install()",
    )
    parser.add_argument("--json", action="store_true", help="print report.json instead of the table")
    parser.add_argument("--enforce", action="store_true", help="exit 1 when a budget that binds is missed")
    parser.add_argument(
        "--app",
        metavar="MODULE:REGISTRY",
        help="measure your own commands instead; those of foobara_py before and after install()",
    )
    parser.add_argument(
        "--inputs", type=Path, metavar="FILE.jsonl", help="with --app: a command and inputs per line"
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `bench` or `bench compare` and return the exit code."""
    try:
        if argv and argv[0] == "compare":
            return _compare(argv[1:])
        return _bench(_parser().parse_args(argv))
    except UsageError as error:
        print(f"foobara-accel bench: error: {error}", file=sys.stderr)
        return 2
    except WorkerError as error:
        print(f"foobara-accel bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("foobara-accel bench: interrupted, no report written", file=sys.stderr)
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2


def _compare(argv: Sequence[str]) -> int:
    from . import compare

    parser = argparse.ArgumentParser(prog="foobara-accel bench compare", allow_abbrev=False)
    parser.add_argument("old", type=Path, help="report.json or its directory")
    parser.add_argument("new", type=Path, help="report.json or its directory")
    parser.add_argument(
        "--fail-above", type=_percent, metavar="PERCENT", help="exit 1 when slower by more, or missing"
    )
    arguments = parser.parse_args(argv)
    old, new = compare.load(arguments.old), compare.load(arguments.new)
    changes = compare.compare(old, new)
    if not changes:
        raise UsageError("the two reports have no case in common")
    print(compare.render(changes, old, new))
    if arguments.fail_above is None:
        return 0
    if compare.missing(old, changes, new):
        return 1
    if all(change.noise is None for change in changes):
        raise UsageError("--fail-above: the reports hold too little to judge by")
    past = [
        change
        for change in changes
        if change.verdict == "slower" and change.change * 100 > arguments.fail_above
    ]
    return 1 if past else 0


def _bench(arguments: argparse.Namespace) -> int:
    if (arguments.app is None) != (arguments.inputs is None):
        raise UsageError("--app and --inputs belong together")
    if arguments.app is not None:
        check_target(arguments.app)
        if arguments.rows is not None:
            raise UsageError("--rows has no meaning with --app")
        if arguments.enforce:
            raise UsageError("--enforce has no meaning with --app: its figures have no budgets")
    reason = budgets.too_little({"quick": arguments.quick, "rounds": arguments.rounds or ROUNDS})
    if arguments.enforce and reason:
        raise UsageError(f"--enforce: no budget is judged by {reason}")
    lines = read_inputs(arguments.inputs) if arguments.inputs else None
    existed = arguments.output.exists()
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
        probe = tempfile.NamedTemporaryFile(dir=arguments.output)  # noqa: SIM115
        probe.close()
    except OSError as error:
        raise UsageError(f"--output {arguments.output}: {error}") from error
    try:
        made = _measure(arguments, lines)
    except BaseException:
        if not existed and not any(arguments.output.iterdir()):
            arguments.output.rmdir()
        raise
    files = report.write(made, arguments.output)
    if arguments.json:
        print(json.dumps(made, indent=2))
    else:
        print(report.as_text(made, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
        print("Written: " + ", ".join(str(file) for file in files))
    if made["disagreements"]:
        return 1
    missed = any(verdict["status"] == "missed" and verdict["binds"] for verdict in made["verdicts"])
    return 1 if missed and arguments.enforce else 0


def _start(stack: ExitStack, wanted: list[str] | None) -> tuple[dict[str, Process], dict[str, Any]]:
    """Start a worker per backend; return those that answered and what is known of all."""
    workers: dict[str, Process] = {}
    known: dict[str, Any] = {}
    for name in wanted or BACKENDS:
        process = stack.enter_context(Process(name))
        try:
            known[name] = {"available": True, **process.ask("hello")}
            workers[name] = process
        except WorkerError as error:
            reason = str(error)
            if LACKING in reason:
                reason = f"not installed (set {FOOBARA_PY_PATH} to a source tree to include it)"
            if wanted:
                raise UsageError(f"--backends {name}: {reason}") from error
            known[name] = {"available": False, "reason": reason}
    if not workers:
        reasons = "; ".join(entry["reason"] for entry in known.values())
        raise WorkerError(f"no backend could be started: {reasons}")
    return workers, known


def _measure(arguments: argparse.Namespace, lines: list[dict[str, Any]] | None) -> dict[str, Any]:
    quick = arguments.quick
    rounds = arguments.rounds or (QUICK_ROUNDS if quick else ROUNDS)
    rows = arguments.rows or (QUICK_ROWS if quick else ROWS)
    with ExitStack() as stack:
        workers, known = _start(stack, arguments.backends)
        made: dict[str, Any] = {
            "format": 1,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": _environment(known),
            "options": {
                "rounds": rounds,
                "rows": rows,
                "quick": quick,
                "seed": arguments.seed,
                "app": arguments.app,
            },
            "backends": known,
            "cases": {},
            "latency": {},
            "memory": {},
            "gc": {},
            "payments": {},
            "import": {},
            "verdicts": [],
            "disagreements": [],
            "notes": [],
        }
        if lines is None:
            described = {name: worker.ask("cases")["cases"] for name, worker in workers.items()}
        else:
            described, differing = _describe(workers, known, arguments.app, lines)
            made["disagreements"] += differing
        made["notes"] += _conditions(known)
        keys = list(dict.fromkeys(key for cases in described.values() for key in cases))
        deep = [key for key in keys if lines or key in DEEP]
        steps = len(keys) * (rounds + 1) + 3 * len(deep) + (0 if lines else len(workers) + rounds // 4 + 2)
        progress = Progress(steps, sys.stderr, quiet=arguments.json and not sys.stderr.isatty())
        try:
            _rounds(made, workers, described, keys, rounds, 1e6 if quick else 6e6, progress)
            _deeper(made, workers, described, deep, quick, progress)
            if lines is None:
                _payments(made, workers, rows, arguments.seed, arguments.output, progress)
                _imports(made, workers, 2 if quick else max(3, rounds // 4), progress)
        finally:
            progress.close()
    if lines is None:
        made["verdicts"] = [verdict.as_dict() for verdict in budgets.judge_all(made)]
    return made


def _conditions(known: dict[str, Any]) -> list[str]:
    """Return a sentence on what install() did to the foobara_py that was measured, as far as it was."""
    swapped = known.get("swapped", {})
    if not swapped.get("available"):
        return []
    backend = report.NAMES[swapped["active"]]
    repairs = ", ".join(swapped["repairs"]) or "none"
    text = f"{swapped['replaced']} functions replaced by the {backend} backend; repairs: {repairs}."
    notes = [f"{report.NAMES['swapped']}: {text}"]
    notes += [f"Not replaced: {name}: {reason}." for name, reason in swapped["refused"].items()]
    return notes


def _environment(known: dict[str, Any]) -> dict[str, Any]:
    """Return what the figures depend on; no path and no host name."""
    first = next(entry for entry in known.values() if entry["available"])
    return {
        "version": __version__,
        "python": first["python"],
        "implementation": first["implementation"],
        "compiler": first["compiler"],
        "gil": first["gil"],
        "pydantic": first["pydantic"],
        "pydantic_core": first["pydantic_core"],
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "clock": "thread CPU time",
    }


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or "unknown"
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _describe(
    workers: dict[str, Process], known: dict[str, Any], target: str, lines: list[dict[str, Any]]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Let each worker load the application; leave out those whose package it is not written for.

    Returns the cases, and a sentence for each worker that fails where another of its package does not.
    """
    described: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for name, worker in list(workers.items()):
        try:
            described[name] = worker.ask("app", target=target, lines=lines)["cases"]
        except WorkerError as error:
            text = str(error)
            if text.startswith("UsageError: "):
                raise UsageError(text.removeprefix("UsageError: ")) from error
            failed[name] = text
            del workers[name]
    if not described:
        raise UsageError(f"--app {target}: {_why_none(failed, known)}")
    for name, text in failed.items():
        known[name] = {"available": False, "reason": f"--app {target}: {text}"}
    own = any(name in OWN for name in described)
    theirs = any(name not in OWN for name in described)
    differing = []
    for name, text in failed.items():
        if own and theirs:
            continue
        if (name in OWN) != own:
            whose = ROOT.name if own else "foobara_py"
            known[name]["reason"] = f"--app {target}: its commands are {whose}'s"
            continue
        others = " and ".join(report.NAMES[each] for each in described)
        differing.append(f"{report.NAMES[name]}: {text.removeprefix('CommandRaised: ')}; {others} did not")
    return described, differing


def _why_none(failed: dict[str, str], known: dict[str, Any]) -> str:
    """Return why no worker can measure the application; the same sentence of several is said once."""
    expected = ("OtherPackage: ", f"ModuleNotFoundError: {LACKING}")
    wrong = [text for text in failed.values() if not text.startswith(expected)]
    if wrong:
        return "; ".join(dict.fromkeys(wrong))
    asked = {name in OWN for name in failed}
    if len(asked) == 2:
        return f"the inputs name commands of {ROOT.name} and of foobara_py; measure those of each alone"
    if asked == {False}:
        return f"its commands are {ROOT.name}'s; measure them with --backends c,py"
    there = known.get("foobara_py", known.get("swapped", {"available": True}))
    if there["available"]:
        return "it is written for foobara_py; measure it with --backends foobara_py,swapped"
    return f"it needs foobara_py, which cannot be measured: {there['reason']}"


def _holders(described: dict[str, dict[str, Any]], key: str) -> list[str]:
    return [name for name, cases in described.items() if key in cases]


def _rounds(
    made: dict[str, Any],
    workers: dict[str, Process],
    described: dict[str, dict[str, Any]],
    keys: list[str],
    rounds: int,
    target_ns: float,
    progress: Progress,
) -> None:
    """Measure every case on every backend, a round at a time, and compare the answers."""
    taken: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key in keys:
        for name in _holders(described, key):
            workers[name].ask("calibrate", case=key, target_ns=target_ns)
        progress.step("calibrating")
    for turn in range(rounds):
        for key in keys:
            names = _holders(described, key)
            for name in reversed(names) if turn % 2 else names:
                taken.setdefault((key, name), []).append(workers[name].ask("round", case=key, turn=turn))
            progress.step("measuring", f", round {turn + 1} of {rounds}")
    for key in keys:
        names = _holders(described, key)
        figures = {name: _figures(taken[key, name]) for name in names}
        first = described[names[0]][key]
        floor = first["floors"][0]
        theirs = figures.get("foobara_py")
        made["cases"][key] = {
            "title": first["title"],
            "floors": first["floors"],
            "backends": figures,
            "times_foobara_py": {
                name: theirs["ratios"][floor] / mine["ratios"][floor]
                for name, mine in figures.items()
                if theirs and name != "foobara_py"
            },
        }
        for name in names[1:]:
            told, unsure = _compared(key, names[0], first, name, described[name][key])
            made["disagreements"] += told
            made["notes"] += unsure


def _compared(
    key: str, name: str, one: dict[str, Any], other_name: str, other: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Return a sentence for each answer that differs, and for each that cannot be compared.

    Such a one is another at each run in the same process: it holds the time, or a random number.
    """

    def said(place: str, mine: Any, theirs: Any) -> str:
        first, second = (
            text if len(text) <= LONGEST else f"{text[:LONGEST]}..." for text in (str(mine), str(theirs))
        )
        if first == second:
            second = "another one of the same beginning"
        return f"{place}: {report.NAMES[name]} answers {first}, {report.NAMES[other_name]} {second}"

    if "lines" not in one:
        same = one["answer"] == other["answer"]
        return ([] if same else [said(f"case {key!r}", one["answer"], other["answer"])]), []
    told, unsure = [], []
    for place, line in enumerate(one["lines"]):
        mine, theirs = one["answer"][place], other["answer"][place]
        if mine == theirs:
            continue
        where = f"{key}, --inputs line {line}"
        if one["varies"][place] and other["varies"][place]:
            unsure.append(f"{where}: not compared, as each run answers differently")
        else:
            told.append(said(where, mine, theirs))
    return told, unsure


def _figures(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians over the rounds; ratios are formed within each round first."""
    names = list(rounds[0]["floors"])
    ratios = {name: [one["ns"] / one["floors"][name] for one in rounds] for name in names}
    return {
        "ns": statistics.median(one["ns"] for one in rounds),
        "floors": {name: statistics.median(one["floors"][name] for one in rounds) for name in names},
        "ratios": {name: statistics.median(values) for name, values in ratios.items()},
        "spread": spread(ratios[names[0]]),
        "rounds": len(rounds),
    }


def _deeper(
    made: dict[str, Any],
    workers: dict[str, Process],
    described: dict[str, dict[str, Any]],
    keys: list[str],
    quick: bool,
    progress: Progress,
) -> None:
    """Measure latency, collections and memory of *keys*."""
    passes: tuple[tuple[str, str, str, dict[str, int]], ...] = (
        ("latency", "latency", "blocks", {"count": 200 if quick else 3_000}),
        ("collections", "gc", "collections", {"runs": 2_000 if quick else 100_000}),
        ("memory", "memory", "memory", {"runs": 1_000 if quick else 20_000}),
    )
    for label, field, op, options in passes:
        for key in keys:
            found = made[field].setdefault(key, {})
            for name in _holders(described, key):
                wanted = dict(options)
                if name == "foobara_py" and op != "blocks":
                    wanted["runs"] = max(1_000, wanted["runs"] // 5)
                found[name] = workers[name].ask(op, case=key, **wanted)
            progress.step(label)


def _payments(
    made: dict[str, Any],
    workers: dict[str, Process],
    rows: int,
    seed: int,
    output: Path,
    progress: Progress,
) -> None:
    """Import the same generated file with each backend and hold the totals against each other."""
    with tempfile.TemporaryDirectory(prefix="foobara-accel-") as name:
        directory = Path(name)
        source = directory / "payments.csv"
        progress.step("writing the payments file")
        planted = generate(source, rows, seed)
        jobs: dict[str, Any] = {}
        for backend, worker in workers.items():
            progress.step(f"payments, {report.NAMES[backend]}")
            jobs[backend] = worker.ask(
                "payments",
                source=str(source),
                database=str(directory / f"{backend}.sqlite3"),
                rejects=str(output.resolve() / f"rejects-{backend}.jsonl"),
            )
    made["payments"] = {"file": planted, "backends": jobs}
    made["disagreements"] += list(disagreements(planted, jobs))


def disagreements(planted: dict[str, Any], jobs: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each total that differs between backends, or from what was planted in the file."""
    names = list(jobs)
    for name in names:
        totals = jobs[name]["totals"]
        if (totals["rows"], totals["accepted"]) != (planted["rows"], planted["usable"]):
            yield (
                f"payments: the file has {planted['rows']} rows, {planted['usable']} of them usable; "
                f"{report.NAMES[name]} read {totals['rows']} and accepted {totals['accepted']}"
            )
    for name in names[1:]:
        first, other = jobs[names[0]]["totals"], jobs[name]["totals"]
        for field in first:
            if first[field] != other[field]:
                yield (
                    f"payments, {field}: {report.NAMES[names[0]]} {first[field]}, "
                    f"{report.NAMES[name]} {other[field]}"
                )
    for first, second in (("c", "py"), ("foobara_py", "swapped")):
        hashes = {jobs[name]["rejects_sha256"] for name in (first, second) if name in jobs}
        if len(hashes) > 1:
            yield f"payments: the reject files of {report.NAMES[first]} and {report.NAMES[second]} differ"


def _imports(made: dict[str, Any], workers: dict[str, Process], rounds: int, progress: Progress) -> None:
    """Measure importing Command in fresh processes, in turn with importing pydantic."""
    statements = {"floor": "import pydantic"}
    for name in workers:
        package = ROOT.name if name in OWN else "foobara_py"
        statements[name] = f"from {package} import Command"
        if name == "swapped":
            statements[name] = f"import {ROOT.name}.auto; {statements[name]}"
    taken: dict[str, list[float]] = {name: [] for name in statements}
    # Bytecode of all of them is written in a first pass and read in the others, wherever they are installed.
    with tempfile.TemporaryDirectory(prefix="foobara-accel-") as bytecode:
        for name, statement in statements.items():
            _import_ms(name, statement, bytecode)
        for _ in range(rounds):
            for name, statement in statements.items():
                taken[name].append(_import_ms(name, statement, bytecode))
            progress.step("import")
    for name in workers:
        ratios = [mine / floor for mine, floor in zip(taken[name], taken["floor"], strict=True)]
        made["import"][name] = {"ms": statistics.median(taken[name]), "ratio": statistics.median(ratios)}


def _import_ms(backend: str, statement: str, bytecode: str) -> float:
    """Return the CPU milliseconds of one statement in a fresh process."""
    code = (
        "import sys, time\n"
        "sys.path[:0] = sys.argv[1:]\n"
        f"start = time.process_time()\n{statement}\nprint((time.process_time() - start) * 1000)\n"
    )
    place = os.environ.get(FOOBARA_PY_PATH)
    paths = [place] if place and backend not in (*OWN, "floor") else []
    environment = {**_environment_of(backend), "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code, *paths],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WorkerError(f"{statement} failed: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stdout.split()[-1])
