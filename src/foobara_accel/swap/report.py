"""What install() did: a value, and lines for a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["PartReport", "State", "SwapError", "SwapReport"]

State = Literal["off", "waiting", "swapped", "refused", "served", "broken", "half-imported"]

_SAID: dict[str, str] = {
    "off": "nothing is replaced",
    "waiting": "foobara_py is not imported yet; its first import switches this on",
    "swapped": "foobara_py is replaced in place",
    "refused": "foobara_py is left as it is: none of its parts is known here",
    "served": "there is no foobara_py; the name is served by foobara_accel",
    "broken": "foobara_py is left alone: it cannot be imported",
    "half-imported": "foobara_py is left alone: it is still being imported",
}


@dataclass(frozen=True, slots=True)
class PartReport:
    """One part of foobara_py: the functions replaced in it, or why none is."""

    name: str
    replaced: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def swapped(self) -> bool:
        """Whether the part is replaced."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class SwapReport:
    """What is replaced in foobara_py, what is not, and why.

    ``state`` is ``swapped``, ``served`` (no foobara_py: the name leads to foobara_accel), ``refused`` (no
    part of it is known), ``broken`` (``error`` is what its import raised), ``half-imported``, ``waiting`` or
    ``off``.
    """

    state: State = "off"
    version: str | None = None
    place: str | None = None
    parts: tuple[PartReport, ...] = ()
    repairs: tuple[str, ...] = ()
    not_repaired: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: BaseException | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is done: no part refused, no repair left out."""
        return self.state in ("swapped", "served") and not self.refused and not self.not_repaired

    @property
    def replaced(self) -> tuple[str, ...]:
        """The functions replaced, as ``Class.attribute``."""
        return tuple(key for part in self.parts for key in part.replaced)

    @property
    def refused(self) -> tuple[PartReport, ...]:
        """The parts that stay foobara_py's own, each with its reason."""
        return tuple(part for part in self.parts if not part.swapped)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "state": self.state,
            "ok": self.ok,
            "version": self.version,
            "place": self.place,
            "parts": [
                {"name": part.name, "replaced": list(part.replaced), "reason": part.reason}
                for part in self.parts
            ],
            "repairs": list(self.repairs),
            "not_repaired": list(self.not_repaired),
            "modules": list(self.modules),
            "added": list(self.added),
            "notes": list(self.notes),
            "error": None if self.error is None else f"{type(self.error).__name__}: {self.error}",
        }

    def __str__(self) -> str:
        lines = [_SAID[self.state]]
        if self.version is not None:
            lines[0] += f" ({self.version}, {self.place})"
        if self.error is not None:
            lines.append(f"error: {type(self.error).__name__}: {self.error}")
        for part in self.parts:
            if part.swapped:
                lines.append(f"replaced: {part.name} ({len(part.replaced)} functions)")
            else:
                lines.append(f"not replaced: {part.name}: {part.reason}")
        rows = [
            ("repaired", self.repairs),
            ("not repaired", self.not_repaired),
            ("modules", self.modules),
            ("added", self.added),
        ]
        lines += [f"{label}: {', '.join(names)}" for label, names in rows if names]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


class SwapError(RuntimeError):
    """Raised by ``install(strict=True)`` when anything would be left out; nothing was changed."""

    def __init__(self, report: SwapReport) -> None:
        reasons = [f"{part.name}: {part.reason}" for part in report.refused]
        reasons += [f"the repair {name} cannot be made" for name in report.not_repaired]
        if report.error is not None:
            reasons.insert(0, f"{type(report.error).__name__}: {report.error}")
        super().__init__("; ".join([_SAID[report.state], *reasons]))
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.report,)
