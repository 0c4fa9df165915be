"""A worker process: one backend, asked over JSON lines on stdin and answering on stdout.

Requests are `{"op": name, ...}`; an answer is the operation's result, or `{"error": text}` when it raised.
The parent asks one worker at a time, so that the backends are measured in turn on the same core.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["FOOBARA_PY_PATH", "OWN", "Worker", "main"]

FOOBARA_PY_PATH = "FOOBARA_PY_PATH"
# The backends that are this package; the others are foobara_py, alone and replaced in place.
OWN = ("c", "py")


class Worker:
    """The operations of one worker; `handle` answers one request."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.own: str = (__package__ or "").rpartition(".")[0]
        self.package: str = self.own if backend in OWN else "foobara_py"
        self._cases: dict[str, Any] = {}
        self._floors: dict[str, Any] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to *request*; an exception of the operation becomes `{"error": ...}`."""
        name = str(request.pop("op", ""))
        operation: Callable[..., dict[str, Any]] | None = getattr(self, f"do_{name}", None)
        if operation is None:
            return {"error": f"unknown operation {name!r}"}
        try:
            return operation(**request)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}

    def do_hello(self) -> dict[str, Any]:
        """Load the package, and describe it and the interpreter."""
        import pydantic
        import pydantic_core

        module = importlib.import_module(self.package)
        answer = {
            "backend": self.backend,
            "version": _version(self.package, module),
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "compiler": platform.python_compiler(),
            "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
            "pydantic": pydantic.VERSION,
            "pydantic_core": pydantic_core.__version__,
            "orjson": importlib.util.find_spec("orjson") is not None,
        }
        if self.backend in OWN:
            active = module.backend()
            answer["active"] = str(active)
            answer["reason"] = active.reason
        if self.backend == "swapped":
            answer.update(self._install())
        return answer

    def _install(self) -> dict[str, Any]:
        """Replace the loaded foobara_py in place, with the repairs FOOBARA_ACCEL_FIXES names, and say how."""
        package = importlib.import_module(self.own)
        swap = importlib.import_module(f"{self.own}.swap")
        made = package.install(swap.fixes_of_the_environment())
        if made.state != "swapped":
            left = [f"{part.name}: {part.reason}" for part in made.refused]
            told = f"{type(made.error).__name__}: {made.error}" if made.error else "; ".join(left)
            raise RuntimeError(f"install() replaces nothing ({made.state}): {told}")
        active = package.backend()
        return {
            "active": str(active),
            "reason": active.reason,
            "replaced": len(made.replaced),
            "refused": {part.name: part.reason for part in made.refused},
            "repairs": list(made.repairs),
        }

    def do_cases(self) -> dict[str, Any]:
        """Write the framework cases and return their titles, floors and the answers they give."""
        from . import cases

        self._cases = cases.build(self.package)
        self._floors = cases.floors()
        return {"cases": self._described()}

    def do_app(self, target: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """Load a user's registry and make a case of each command in *lines*.

        An answer that is another one the second time is marked: it cannot be held against that of a process.
        """
        from . import app, cases

        self._cases = app.build(target, lines, self.package)
        self._floors = cases.floors()
        described = self._described()
        for key, case in self._cases.items():
            again = _plain(case.once())
            first = described[key]["answer"]
            described[key]["lines"] = case.lines
            described[key]["varies"] = [one != other for one, other in zip(first, again, strict=True)]
        return {"cases": described}

    def _described(self) -> dict[str, Any]:
        return {
            key: {"title": case.title, "floors": list(case.floors), "answer": _plain(case.once())}
            for key, case in self._cases.items()
        }

    def _loop(self, case: str, floor: str | None = None) -> Any:
        if floor is None:
            return self._cases[case].loop
        return self._cases[case].own_floors.get(floor) or self._floors[floor]

    def do_calibrate(self, case: str, target_ns: float) -> dict[str, Any]:
        """Decide how often the case and its floors run in a round."""
        from .rounds import calibrate

        self._numbers[case, ""] = calibrate(self._loop(case), target_ns)
        for floor in self._cases[case].floors:
            self._numbers[case, floor] = calibrate(self._loop(case, floor), target_ns / 2)
        return {"number": self._numbers[case, ""]}

    def do_round(self, case: str, turn: int) -> dict[str, Any]:
        """Time the case once between its floors; on odd turns in the opposite order."""
        from .rounds import timed

        names = ["", *self._cases[case].floors]
        values = self._cases[case].values
        taken = {
            name: timed(self._loop(case, name or None), self._numbers[case, name]) / values
            for name in (reversed(names) if turn % 2 else names)
        }
        return {"ns": taken.pop(""), "floors": taken}

    def do_blocks(self, case: str, count: int) -> dict[str, Any]:
        """Measure the latency of blocks of 20 runs of the case and of its first floor, in turn."""
        from .rounds import blocks

        floor = self._cases[case].floors[0]
        taken = blocks({"case": self._loop(case), "floor": self._loop(case, floor)}, count)
        return {"floor_name": floor, **taken}

    def do_collections(self, case: str, runs: int) -> dict[str, Any]:
        """Count the collections that *runs* of the case cause."""
        from .rounds import collections

        return {"per_100k": collections(self._loop(case), runs)}

    def do_memory(self, case: str, runs: int) -> dict[str, Any]:
        """Measure what *runs* of the case retain and the peak of one, in a pass of its own (tracing)."""
        from .rounds import memory

        return memory(self._loop(case), runs)

    def do_payments(self, source: str, database: str, rejects: str) -> dict[str, Any]:
        """Import the payments file with this backend's commands."""
        from .payments import run_import

        return run_import(self.package, Path(source), Path(database), Path(rejects))


def _version(package: str, module: Any) -> str:
    if package != "foobara_py":
        return str(module.__version__)
    from importlib import metadata

    try:
        return metadata.version("foobara-py")
    except metadata.PackageNotFoundError:
        return f"{getattr(module, '__version__', 'unknown')} (from a source tree)"


def _plain(value: Any) -> Any:
    """Return *value* as JSON can hold it, for comparing the answers of two processes."""
    from .cases import shown

    try:
        return json.loads(json.dumps(value, default=shown, sort_keys=True))
    except (TypeError, ValueError):  # keys that JSON has not, or that have no order; a value within itself
        return [_plain(each) for each in value] if isinstance(value, list) else shown(value)


def main(argv: list[str]) -> int:
    """Serve requests for the backend named by the only argument until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What a measured application prints must not end up between the answers.
    os.dup2(2, 1)
    place = os.environ.get(FOOBARA_PY_PATH)
    if place and argv[0] not in OWN:
        sys.path.insert(0, place)
    worker = Worker(argv[0])
    for line in sys.stdin:
        answers.write(json.dumps(worker.handle(json.loads(line)), default=repr) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
