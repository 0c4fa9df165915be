"""What freezing, thresholds and measuring cost and buy: the figures of docs/warmup.md.

python benchmarks/collector.py [OBJECTS]
"""

from __future__ import annotations

import gc
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat

from foobara_accel import restore, tune

LAPS = 15


def milliseconds(work: Callable[[], object]) -> list[float]:
    """Return how long each of some calls took, sorted."""
    taken = []
    for _ in range(LAPS):
        start = time.thread_time()
        work()
        taken.append((time.thread_time() - start) * 1000)
    return sorted(taken)


def span(taken: list[float]) -> str:
    if not taken:
        return "none"
    return f"{taken[0]:.2f}-{taken[-1]:.2f} ms, median {taken[len(taken) // 2]:.2f}"


def objects(count: int) -> list[dict[str, list[int]]]:
    """Return two containers per item, as what an application loads at its start."""
    return [{"items": [number]} for number in range(count // 2)]


@contextmanager
def frozen() -> Iterator[None]:
    tune("serve")
    try:
        yield
    finally:
        restore()


def small_passes(threshold: int, survivors: int) -> list[float]:
    """Return the pauses of the youngest generation while *survivors* objects are made."""
    pauses, start, before = [], 0.0, gc.get_threshold()

    def watch(phase: str, info: dict[str, int]) -> None:
        nonlocal start
        if phase == "start":
            start = time.thread_time()
        elif info["generation"] == 0:
            pauses.append((time.thread_time() - start) * 1000)

    gc.collect()
    gc.callbacks.append(watch)
    gc.set_threshold(threshold, *before[1:])
    try:
        kept = objects(survivors)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(watch)
    del kept
    return sorted(pauses)


def main(count: int = 300_000) -> None:
    """Print the figures of this interpreter."""
    print(f"{platform.python_implementation()} {platform.python_version()}, {count} objects loaded")
    loaded = objects(count)
    gc.collect()
    print("full collection:", span(milliseconds(gc.collect)))
    with frozen():
        print("the same, frozen:", span(milliseconds(gc.collect)))
    kept = objects(count)
    gc.collect()
    print("full collection, as many objects of requests survive:", span(milliseconds(gc.collect)))
    del kept
    with frozen():
        kept = objects(count)
        gc.collect()
        print("the same, what was loaded frozen:", span(milliseconds(gc.collect)))
        del kept
    for threshold in (gc.get_threshold()[0], 50_000):
        pauses = small_passes(threshold, count)
        told = f"{len(pauses)} small passes, {span(pauses)}, sum {sum(pauses):.0f} ms"
        print(f"first threshold {threshold}: {told}")

    del loaded
    gc.collect()
    laps = [sorted(cost() for _ in range(LAPS))[0]]
    tune("watch")
    laps.append(sorted(cost() for _ in range(LAPS))[0])
    restore()
    print(f"measuring: {laps[1] - laps[0]:.2f} us per collection")


def cost(number: int = 2_000) -> float:
    """Return the microseconds of one collection of the youngest generation, nothing in it."""
    start = time.thread_time()
    for _ in repeat(None, number):
        gc.collect(0)
    return (time.thread_time() - start) / number * 1_000_000


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
