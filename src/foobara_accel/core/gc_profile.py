"""Settings of Python's garbage collector for a process that serves, all of them reversible.

``tune()`` collects, freezes what is loaded and measures every pause from then on. It shortens full
collections of a large heap; it does not make a command faster (docs/warmup.md).
"""

from __future__ import annotations

import gc
import math
import sys
import sysconfig
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

__all__ = [
    "BOUNDS",
    "PROFILES",
    "GCCapabilities",
    "GCPauses",
    "GCProfile",
    "GenerationPauses",
    "active_profile",
    "capabilities",
    "restore",
    "tune",
]

# Upper bounds in seconds, 1 us doubling to 16.8 s; one more bucket holds anything longer.
BOUNDS: tuple[float, ...] = tuple(2**power / 1_000_000 for power in range(25))
_MAX_THRESHOLD = 2**31 - 1

# A full collection of CPython 3.12 moves the immortal objects it meets to the frozen ones (update_refs in
# Modules/gcmodule.c), so the freeze count is never 0 after the first. No other version does.
_KEEPS_IMMORTALS: bool = sys.implementation.name == "cpython" and sys.version_info[:2] == (3, 12)


@dataclass(frozen=True)
class GCCapabilities:
    """What the collector of this interpreter can do, found by looking and not by version.

    ``frozen`` counts the immortal objects too where the interpreter puts them there, as CPython 3.12 does.
    """

    enabled: bool
    thresholds: tuple[int, ...]
    generations: int
    free_threaded: bool
    can_freeze: bool
    frozen: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {
            "enabled": self.enabled,
            "thresholds": list(self.thresholds),
            "generations": self.generations,
            "free_threaded": self.free_threaded,
            "can_freeze": self.can_freeze,
            "frozen": self.frozen,
        }


def capabilities() -> GCCapabilities:
    """Return the collector's state and abilities at this moment."""
    can_freeze = all(hasattr(gc, name) for name in ("freeze", "unfreeze", "get_freeze_count"))
    return GCCapabilities(
        enabled=gc.isenabled(),
        thresholds=tuple(gc.get_threshold()),
        generations=len(gc.get_stats()),
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        can_freeze=can_freeze,
        frozen=gc.get_freeze_count() if can_freeze else 0,
    )


@dataclass(frozen=True)
class GenerationPauses:
    """The pauses of one generation: how many, how long, what they found; seconds throughout.

    ``histogram[i]`` counts the pauses up to ``BOUNDS[i]``, its last place those beyond the last bound.
    """

    generation: int
    count: int
    total: float
    longest: float
    collected: int
    uncollectable: int
    histogram: tuple[int, ...]

    def percentile(self, percent: float) -> float:
        """Return an upper bound of that percentile, as exact as the buckets: a factor of two.

        Raises ValueError unless *percent* lies between 0 and 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, not at {percent}")
        rank = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for bound, count in zip(BOUNDS, self.histogram, strict=False):
            seen += count
            if self.count and seen >= rank:
                return min(bound, self.longest)
        return self.longest

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data; the histogram as {bound in us: count} without the zeros."""
        bounds = [*(str(round(bound * 1_000_000)) for bound in BOUNDS), "more"]
        return {
            "generation": self.generation,
            "count": self.count,
            "total": self.total,
            "longest": self.longest,
            "collected": self.collected,
            "uncollectable": self.uncollectable,
            "histogram": {bound: n for bound, n in zip(bounds, self.histogram, strict=True) if n},
        }


@dataclass(frozen=True)
class GCPauses:
    """The pauses measured so far, one entry per generation that was collected."""

    generations: tuple[GenerationPauses, ...]

    @property
    def count(self) -> int:
        """How many collections there were."""
        return sum(each.count for each in self.generations)

    @property
    def total(self) -> float:
        """Seconds spent in all of them."""
        return sum((each.total for each in self.generations), 0.0)

    @property
    def longest(self) -> float:
        """Seconds of the longest, 0.0 when there was none."""
        return max((each.longest for each in self.generations), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return totals and generations as plain data."""
        return {
            "count": self.count,
            "total": self.total,
            "longest": self.longest,
            "generations": [each.to_dict() for each in self.generations],
        }

    def __str__(self) -> str:
        lines = [
            f"{'generation':>10} {'count':>8} {'total ms':>10} {'p50 ms':>9} {'p99 ms':>9} {'longest ms':>11}"
        ]
        for each in self.generations:
            p50, p99 = each.percentile(50) * 1000, each.percentile(99) * 1000
            lines.append(
                f"{each.generation:>10} {each.count:>8} {each.total * 1000:>10.3f} {p50:>9.3f} {p99:>9.3f} "
                f"{each.longest * 1000:>11.3f}"
            )
        return "\n".join(lines)


class _Meter:
    """Measures collections through gc.callbacks.

    It takes no lock: the collector does not start a second collection while one runs, its callbacks included,
    so there is one writer; and a lock could be held by the very thread the collection interrupts.
    """

    def __init__(self) -> None:
        self.started = 0
        # generation -> [count, total ns, longest ns, collected, uncollectable, histogram]
        self.rows: dict[int, list[Any]] = {}

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self.started = time.perf_counter_ns()
            return
        if not self.started:
            return
        nanoseconds = time.perf_counter_ns() - self.started
        self.started = 0
        row = self.rows.get(info["generation"])
        if row is None:
            row = self.rows[info["generation"]] = [0, 0, 0, 0, 0, [0] * (len(BOUNDS) + 1)]
        row[0] += 1
        row[1] += nanoseconds
        if nanoseconds > row[2]:
            row[2] = nanoseconds
        row[3] += info.get("collected", 0)
        row[4] += info.get("uncollectable", 0)
        # ceil(us) - 1 has as many bits as the exponent of the first bound that is not smaller.
        bucket = max(0, -(-nanoseconds // 1000) - 1).bit_length()
        row[5][min(bucket, len(BOUNDS))] += 1

    def read(self) -> GCPauses:
        rows = sorted(self.rows.copy().items())
        return GCPauses(
            tuple(
                GenerationPauses(
                    generation, row[0], row[1] / 1e9, row[2] / 1e9, row[3], row[4], tuple(row[5])
                )
                for generation, row in rows
            )
        )


@dataclass(frozen=True)
class _Settings:
    collect: bool
    freeze: bool
    scale: tuple[float, ...] | None


# serve: what shortens the pauses of a process that has loaded its application. watch: measure only.
PROFILES: dict[str, _Settings] = {
    "serve": _Settings(collect=True, freeze=True, scale=None),
    "watch": _Settings(collect=False, freeze=False, scale=None),
}

_lock = threading.RLock()
_active: GCProfile | None = None


class GCProfile:
    """One set of collector settings: ``apply`` them, read ``pauses``, ``restore`` what was before.

    *profile* names the defaults (``serve``: collect and freeze; ``watch``: measure only), *collect* and
    *freeze* override them. *scale* multiplies the interpreter's own thresholds, by one factor or one per
    generation; left out, they stay. At most one profile is applied at a time. Works as a context manager.
    """

    def __init__(
        self,
        profile: str = "serve",
        *,
        collect: bool | None = None,
        freeze: bool | None = None,
        scale: float | tuple[float, ...] | None = None,
    ) -> None:
        self.profile = profile
        self.settings: _Settings = _settings(profile, collect, freeze, scale)
        self.notes: tuple[str, ...] = ()
        self._meter = _Meter()
        self._before: tuple[int, ...] = ()
        self._set: tuple[int, ...] = ()
        self._froze = False

    @property
    def active(self) -> bool:
        """Whether this profile is the applied one."""
        return _active is self

    @property
    def pauses(self) -> GCPauses:
        """The pauses measured while this profile was applied."""
        return self._meter.read()

    def apply(self) -> GCProfile:
        """Apply the settings; applied already, nothing changes.

        Raises RuntimeError when another profile is applied.
        """
        global _active
        with _lock:
            if _active is self:
                return self
            if _active is not None:
                raise RuntimeError(
                    f"the gc profile {_active.profile!r} is applied already; restore() it before another"
                )
            before = tuple(gc.get_threshold())
            wanted = before if self.settings.scale is None else _scaled(before, self.settings.scale)
            self.notes = ()
            self._froze = False
            self._before, self._set = before, wanted
            gc.callbacks.append(self._meter)
            _active = self
            if wanted != before:
                gc.set_threshold(*wanted)
            if self.settings.collect:
                gc.collect()
            if self.settings.freeze:
                self._freeze()
            return self

    def _freeze(self) -> None:
        if not capabilities().can_freeze:
            self.notes += ("this interpreter cannot freeze: nothing was frozen",)
            return
        # gc.unfreeze() releases everything: with somebody else's objects among them it is not ours to call.
        self._froze = not _frozen_before()
        if not self._froze:
            self.notes += ("objects were frozen before: restore() leaves all of them frozen",)
        gc.freeze()

    def restore(self) -> GCProfile:
        """Undo what ``apply`` did; not applied, nothing changes.

        Thresholds that somebody else has set meanwhile stay as they are, which ``notes`` then says.
        """
        global _active
        with _lock:
            if _active is not self:
                return self
            if self._set != self._before:
                if tuple(gc.get_threshold()) == self._set:
                    gc.set_threshold(*self._before)
                else:
                    self.notes += (f"thresholds were changed meanwhile to {gc.get_threshold()}: left so",)
            if self._froze:
                gc.unfreeze()
            if self._meter in gc.callbacks:
                gc.callbacks.remove(self._meter)
            self._meter.started = 0
            _active = None
            return self

    def __enter__(self) -> GCProfile:
        return self.apply()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def to_dict(self) -> dict[str, Any]:
        """Return settings, thresholds, notes, the collector's state and the pauses as plain data."""
        return {
            "profile": self.profile,
            "active": self.active,
            "collect": self.settings.collect,
            "freeze": self.settings.freeze,
            "scale": None if self.settings.scale is None else list(self.settings.scale),
            "thresholds_before": list(self._before),
            "thresholds_set": list(self._set),
            "notes": list(self.notes),
            "collector": capabilities().to_dict(),
            "pauses": self.pauses.to_dict(),
        }

    def __repr__(self) -> str:
        return f"<GCProfile {self.profile!r} {'applied' if self.active else 'not applied'}>"


def _frozen_before() -> bool:
    """Return whether somebody has frozen objects; what CPython 3.12 itself puts with them does not count."""
    before = gc.get_freeze_count()
    if not (before and _KEEPS_IMMORTALS):
        return before > 0
    # The count says nothing of whose they are: the collection that follows puts back what the interpreter put
    # there, and what is missing then is somebody's. It may stay out: the caller freezes everything.
    gc.unfreeze()
    gc.collect()
    return gc.get_freeze_count() < before


def _settings(profile: object, collect: object, freeze: object, scale: Any) -> _Settings:
    if not isinstance(profile, str):
        raise TypeError(f"a gc profile is named by a string, not {type(profile).__name__}")
    base = PROFILES.get(profile)
    if base is None:
        raise ValueError(f"{profile[:60]!r} is no gc profile: use {' or '.join(map(repr, PROFILES))}")
    for name, value in (("collect", collect), ("freeze", freeze)):
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"{name} is True, False or None, not {type(value).__name__}")
    return _Settings(
        collect=base.collect if collect is None else bool(collect),
        freeze=base.freeze if freeze is None else bool(freeze),
        scale=base.scale if scale is None else _checked_scale(scale),
    )


def _checked_scale(scale: Any) -> tuple[float, ...]:
    factors = tuple(scale) if isinstance(scale, (tuple, list)) else (scale,)
    if not factors:
        raise ValueError("scale is a factor or one per generation, not an empty sequence")
    for factor in factors:
        if not isinstance(factor, (int, float)) or isinstance(factor, bool):
            raise TypeError(f"scale is a number or a tuple of numbers, not {type(factor).__name__}")
        # A float cannot hold every int; a factor beyond the largest threshold means nothing anyway.
        if not 0 < factor <= _MAX_THRESHOLD:
            raise ValueError(f"a scale factor is above 0 and at most {_MAX_THRESHOLD}")
    return tuple(float(factor) for factor in factors)


def _scaled(thresholds: tuple[int, ...], scale: tuple[float, ...]) -> tuple[int, ...]:
    """Multiply; a threshold of 0 switches its generation off and stays, and none becomes 0."""
    if len(scale) == 1:
        scale = scale * len(thresholds)
    if len(scale) != len(thresholds):
        raise ValueError(f"scale has {len(scale)} factors, this interpreter {len(thresholds)} thresholds")
    return tuple(
        min(_MAX_THRESHOLD, max(1, round(threshold * factor))) if threshold > 0 else threshold
        for threshold, factor in zip(thresholds, scale, strict=True)
    )


def tune(
    profile: str = "serve",
    *,
    collect: bool | None = None,
    freeze: bool | None = None,
    scale: float | tuple[float, ...] | None = None,
) -> GCProfile:
    """Apply a profile (arguments as in GCProfile) and return it; asked for twice it is applied once.

    Raises RuntimeError when a profile with other settings is applied.
    """
    wanted = GCProfile(profile, collect=collect, freeze=freeze, scale=scale)
    with _lock:
        if _active is not None and (_active.profile, _active.settings) == (wanted.profile, wanted.settings):
            return _active
        return wanted.apply()


def restore() -> GCProfile | None:
    """Undo the applied profile and return it, or None when there is none."""
    with _lock:
        return None if _active is None else _active.restore()


def active_profile() -> GCProfile | None:
    """Return the applied profile, or None."""
    return _active
