"""The comparison report: framework cases, the payments job and a user's own commands, on every backend."""

from __future__ import annotations

__all__ = ["main"]


def main(argv: list[str]) -> int:
    """Run `foobara-accel bench` with *argv* and return its exit code.

    0: measured; 1: answers or totals differ between backends, a budget is missed with --enforce, or a
    comparison is past --fail-above or lacks a figure; 2: a flag or a file named by one cannot be used.
    """
    from .runner import main as run

    return run(argv)
