"""Combine the coverage data of all processes of a test run, in the directory where it was started.

Cython's file names are relative, and coverage takes them from where a process was started: they are brought
together here. A process in which Cython's plug-in gave up has seen the extensions as files without lines;
what it says of them is left out, as `coverage combine` refuses all of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from coverage import CoverageData

SOURCES = (".pyx", ".pxi")


def main() -> int:
    root = Path.cwd()
    total = CoverageData(basename=str(root / ".coverage"))
    total.erase()
    found = sorted(root.glob(".coverage.*"))
    for path in found:
        data = CoverageData(basename=str(path))
        data.read()
        lines: dict[str, set[int]] = {}
        tracers: dict[str, str] = {}
        for name in data.measured_files():
            tracer, at = data.file_tracer(name), name
            if name.endswith(SOURCES):
                if not tracer:
                    continue
                at = str(root / "ext" / Path(name).name)
            lines.setdefault(at, set()).update(data.lines(name) or ())
            if tracer:
                tracers[at] = tracer
        part = CoverageData(no_disk=True)
        part.add_lines(lines)
        part.add_file_tracers(tracers)
        total.update(part)
    total.write()
    for path in found:  # `coverage report` would combine them by itself
        path.unlink()
    print(f"{len(found)} processes")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
