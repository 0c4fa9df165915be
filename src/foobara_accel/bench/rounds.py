"""Measuring one process: thread CPU time, latency of blocks, collections and memory; and the statistics.

Thread CPU time leaves out what the scheduler gives to others. Reading the clock costs about as much as one
run, so a latency is that of a block of 20 runs, with an empty block subtracted.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
import tracemalloc
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from .cases import Loop

__all__ = ["BLOCK", "blocks", "calibrate", "collections", "memory", "quantile", "spread", "timed"]

BLOCK = 20


def _empty(times: Iterable[object]) -> None:
    for _ in times:
        pass


def timed(loop: Loop, number: int) -> float:
    """Return the thread CPU nanoseconds of one iteration over *number* of them, the bare loop subtracted."""
    clock = time.thread_time_ns
    start = clock()
    _empty(repeat(None, number))
    middle = clock()
    loop(repeat(None, number))
    end = clock()
    return max(((end - middle) - (middle - start)) / number, 0.1)


def calibrate(loop: Loop, target_ns: float) -> int:
    """Return how many iterations take about *target_ns*, after a first few that warm the caches."""
    loop(repeat(None, 50))
    number = 32
    while number < 1 << 22:
        took = timed(loop, number) * number
        if took > target_ns / 8:
            return max(int(number * target_ns / took), BLOCK)
        number *= 4
    return number


def quantile(values: Sequence[float], share: float) -> float:
    """Return the *share* quantile (0 to 1) of *values*, interpolated between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(values: Sequence[float]) -> float:
    """Return the distance between the quartiles over the median: how much of a figure is noise."""
    if len(values) < 2:
        return 0.0
    middle = statistics.median(values)
    return (quantile(values, 0.75) - quantile(values, 0.25)) / middle if middle else 0.0


def blocks(loops: dict[str, Loop], count: int) -> dict[str, dict[str, float]]:
    """Return the latency percentiles (ns per run) of *count* blocks of each loop, measured in turn."""
    clock = time.thread_time_ns
    taken: dict[str, list[int]] = {name: [] for name in loops}
    empty: list[int] = []
    for loop in loops.values():
        loop(repeat(None, 10 * BLOCK))
    items = [(taken[name].append, loop) for name, loop in loops.items()]
    for _ in range(count):
        start = clock()
        _empty(repeat(None, BLOCK))
        empty.append(clock() - start)
        for append, loop in items:
            start = clock()
            loop(repeat(None, BLOCK))
            append(clock() - start)
    idle = statistics.median(empty)
    answer: dict[str, dict[str, float]] = {}
    for name, values in taken.items():
        net = [max(value - idle, 1.0) for value in values]
        p50 = quantile(net, 0.5)
        p99 = quantile(net, 0.99)
        answer[name] = {
            "p50": p50 / BLOCK,
            "p95": quantile(net, 0.95) / BLOCK,
            "p99": p99 / BLOCK,
            "p99_9": quantile(net, 0.999) / BLOCK,
            "tail": p99 / p50,
        }
    return answer


def collections(loop: Loop, runs: int) -> list[int]:
    """Return how many collections of each generation *runs* iterations cause, per 100,000 of them."""
    gc.collect()
    before = [generation["collections"] for generation in gc.get_stats()]
    loop(repeat(None, runs))
    after = [generation["collections"] for generation in gc.get_stats()]
    return [round((new - old) * 100_000 / runs) for old, new in zip(before, after, strict=True)]


def memory(loop: Loop, runs: int) -> dict[str, Any]:
    """Return the bytes *runs* iterations leave behind and the median peak of a single one (tracemalloc)."""
    loop(repeat(None, 200))
    gc.collect()
    tracemalloc.start()
    try:
        loop(repeat(None, 200))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        loop(repeat(None, runs))
        gc.collect()
        retained = tracemalloc.get_traced_memory()[0] - before
        peaks = []
        gc.disable()
        for _ in range(101):
            once = repeat(None, 1)
            tracemalloc.reset_peak()
            base = tracemalloc.get_traced_memory()[0]
            loop(once)
            peaks.append(tracemalloc.get_traced_memory()[1] - base)
    finally:
        gc.enable()
        tracemalloc.stop()
    return {"runs": runs, "retained": retained, "peak": statistics.median(peaks)}
