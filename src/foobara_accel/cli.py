"""The command line of foobara-accel: what is active, whether both backends agree, how fast they are.

A first argument that is a file, or -m, runs that with foobara_py replaced in place.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ._version import __version__

__all__ = ["main"]


def _doctor(arguments: argparse.Namespace) -> int:
    from .doctor import examine, render, to_json

    report = examine()
    print(to_json(report) if arguments.json else render(report))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from .check import render, run, to_json

    report = run()
    print(to_json(report) if arguments.json else render(report))
    return 0 if report.agrees else 1


def _warmup(arguments: argparse.Namespace) -> int:
    import importlib

    from ._targets import not_a_path

    for name in arguments.modules:
        if told := not_a_path(name):
            print(f"foobara-accel warmup: {name}: {told}", file=sys.stderr)
            return 2
    sys.path.insert(0, os.getcwd())  # as python -m does: the application lies where the user stands
    for name in arguments.modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            # Whatever a module raises while it is imported, it is the module that is to be mended.
            print(f"foobara-accel warmup: cannot import {name}: {_told(error)}", file=sys.stderr)
            return 2
    from .core.warmup import warm_up

    report = warm_up(all=True)
    print(report)
    return 1 if getattr(report, "failed", None) else 0


def _told(error: Exception) -> str:
    if isinstance(error, (ImportError, SyntaxError)):
        return str(error)
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="foobara-accel", description=__doc__)
    parser.add_argument("--version", action="version", version=f"foobara-accel {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="which backend is active and why, and what it runs on")
    doctor.add_argument("--json", action="store_true", help="machine-readable")
    doctor.set_defaults(handler=_doctor)
    check = commands.add_parser("check", help="hold compiled against pure on this machine")
    check.add_argument("--json", action="store_true", help="machine-readable")
    check.set_defaults(handler=_check)
    # Only its name stands here: bench has a parser of its own, imported when it is asked for.
    commands.add_parser("bench", help="measure this package, or your own commands", add_help=False)
    # Named for --help alone: what follows belongs to the program that is run.
    commands.add_parser("run", help="run FILE or -m MODULE with foobara_py replaced in place", add_help=False)
    warmup = commands.add_parser("warmup", help="import modules and compile every command class alive then")
    warmup.add_argument("modules", nargs="+", metavar="MODULE")
    warmup.set_defaults(handler=_warmup)
    return parser


# A file that is called so is run as ./check.
_NAMES = ("bench", "check", "doctor", "warmup")


def _program(words: list[str]) -> list[str] | None:
    """Return the part of *words* that names a file or module to run and its arguments; None if none does."""
    first = words[0] if words else ""
    if first == "run":
        return words[1:]
    if first == "-m" or (first not in _NAMES and os.path.exists(first)) or first.endswith(".py"):
        return words
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* (default: ``sys.argv[1:]``) and return its exit status.

    0: done; 1: check found a difference, bench --enforce a budget missed, warmup a broken command, or the
    backend that was asked for does not load; 2: bad usage.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    program = _program(words)
    if program is not None:
        from .swap.running import run

        return run(program)
    try:
        status = _main(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as `| head` does; the interpreter would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _main(words: list[str]) -> int:
    benchmark = words[:1] == ["bench"]
    # Parsed first, so that --help is there even where no backend is.
    arguments = None if benchmark else _parser().parse_args(words)
    if benchmark and not {"-h", "--help"}.isdisjoint(words):
        return _bench(words[1:])
    try:
        from . import _backend  # noqa: F401
    except ImportError as error:
        print(f"foobara-accel {__version__} does not start: {error}", file=sys.stderr)
        return 1
    if arguments is not None:
        return int(arguments.handler(arguments))
    return _bench(words[1:])


def _bench(words: list[str]) -> int:
    from .bench import main as bench

    return int(bench(words))


if __name__ == "__main__":
    sys.exit(main())
