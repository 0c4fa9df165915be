"""States and the state machine under the module path that foobara_py gives them."""

from __future__ import annotations

from .state import (
    CAN_FAIL_STATES,
    EMPTY_TRANSITION_SET,
    STATE_NAMES,
    TERMINAL_STATES,
    VALID_TRANSITIONS,
    CommandState,
    CommandStateMachine,
    Halt,
)

__all__ = [
    "CAN_FAIL_STATES",
    "EMPTY_TRANSITION_SET",
    "STATE_NAMES",
    "TERMINAL_STATES",
    "VALID_TRANSITIONS",
    "CommandState",
    "CommandStateMachine",
    "Halt",
]
