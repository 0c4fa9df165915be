"""The vector extensions of this processor, asked of the operating system once."""

from __future__ import annotations

import functools
import platform
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["cpu_features"]

_KNOWN = (
    "sse2", "ssse3", "sse4_1", "sse4_2", "popcnt", "avx", "avx2", "bmi2",
    "avx512f", "avx512bw", "avx512vbmi", "neon", "sve", "sve2", "rvv", "vsx",
)  # fmt: skip
_ALIASES = {"asimd": "neon", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "avx1.0": "avx"}
# IsProcessorFeaturePresent numbers of winnt.h.
_WINDOWS = {
    10: "sse2", 19: "neon", 36: "ssse3", 37: "sse4_1", 38: "sse4_2", 39: "avx", 40: "avx2",
    41: "avx512f",
}  # fmt: skip


@functools.cache
def cpu_features(cpuinfo: str = "/proc/cpuinfo") -> tuple[str, ...]:
    """Return the vector extensions found, in a fixed order; empty where the system does not tell."""
    words = {_ALIASES.get(word, word) for word in _words(cpuinfo)}
    return tuple(name for name in _KNOWN if name in words)


def _words(cpuinfo: str) -> set[str]:
    try:
        if sys.platform == "win32":
            return _windows()
        if sys.platform == "darwin":
            return _darwin()
        text = Path(cpuinfo).read_text(encoding="ascii", errors="replace")
    # A sandbox may hide any of these; without an answer no vector kernel is claimed.
    except (OSError, AttributeError, subprocess.SubprocessError):
        return set()
    lines = re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(lines[0].lower().split()) if lines else set()


def _darwin() -> set[str]:
    if platform.machine() == "arm64":
        return {"neon"}
    keys = ["machdep.cpu.features", "machdep.cpu.leaf7_features"]
    done = subprocess.run(
        ["/usr/sbin/sysctl", "-n", *keys], capture_output=True, text=True, timeout=5, check=False
    )
    return set(done.stdout.lower().split())


def _windows() -> set[str]:
    import ctypes

    probe = ctypes.windll.kernel32.IsProcessorFeaturePresent  # type: ignore[attr-defined,unused-ignore]
    return {name for number, name in _WINDOWS.items() if probe(number)}
