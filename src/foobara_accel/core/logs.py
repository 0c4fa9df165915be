"""The record that a failed command leaves where its class asks for one: ``_log_failures = True``."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from time import perf_counter
from typing import Any

__all__ = ["current_trace_id", "log_failure", "logger", "trace_id"]

logger: logging.Logger = logging.getLogger("foobara_accel")

trace_id: ContextVar[str | None] = ContextVar("foobara_accel.trace_id", default=None)
"""The id that records carry where no OpenTelemetry span is current; set it per request or job."""


def current_trace_id() -> str | None:
    """Return the trace id of the current OpenTelemetry span, else what ``trace_id`` is set to, else None.

    OpenTelemetry is asked only when the program has imported it.
    """
    opentelemetry = sys.modules.get("opentelemetry.trace")
    if opentelemetry is not None:
        context = opentelemetry.get_current_span().get_span_context()
        if context.is_valid:
            return f"{context.trace_id:032x}"
    return trace_id.get()


def log_failure(command: Any, started: float | None) -> None:
    """Leave one WARNING: the command, the first error's symbol, the path, the duration and the trace id.

    Neither inputs nor messages nor the paths of errors: each may hold a value that was given, the
    path as the key of a dict.
    """
    taken = None if started is None else perf_counter() - started
    names = []
    each = command
    while each is not None:
        names.append(type(each).full_name())
        each = each._parent
    errors = command.errors
    symbol = next((error.symbol for error in errors), "halted")
    logger.warning(
        "%s failed: %s",
        names[0],
        symbol,
        extra={
            "foobara_command": names[0],
            "foobara_symbol": symbol,
            "foobara_path": " > ".join(reversed(names)),
            "foobara_duration": taken,
            "foobara_trace_id": current_trace_id(),
            "foobara_errors": len(errors),
        },
    )
