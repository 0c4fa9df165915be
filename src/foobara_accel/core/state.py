"""The states of a command and the moves between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._vocabulary import STATE_NAMES, CommandState, Halt

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

TERMINAL_STATES: frozenset[CommandState] = frozenset(
    {CommandState.SUCCEEDED, CommandState.FAILED, CommandState.ERRORED}
)
CAN_FAIL_STATES: frozenset[CommandState] = frozenset(CommandState) - TERMINAL_STATES
EMPTY_TRANSITION_SET: frozenset[CommandState] = frozenset()
VALID_TRANSITIONS: dict[CommandState, frozenset[CommandState]] = {
    state: frozenset({CommandState(state + 1), CommandState.FAILED, CommandState.ERRORED})
    if state in CAN_FAIL_STATES
    else EMPTY_TRANSITION_SET
    for state in CommandState
}


def checked_state(value: object, argument: str) -> CommandState:
    """Return *value*, a CommandState or its int, as a CommandState.

    Raises TypeError or ValueError that names *argument*.
    """
    if type(value) is CommandState:
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"{argument} must be a CommandState such as CommandState.EXECUTING, not {type(value).__name__}"
        )
    try:
        return CommandState(value)
    except ValueError:
        raise ValueError(
            f"{argument}={value} is no state: use a CommandState, 0 (INITIALIZED) to 10 (ERRORED)"
        ) from None


class CommandStateMachine:
    """A state with the moves that led to it: to look at a command's run, or to be used alone.

    Raises TypeError or ValueError for a *state* or a *history* that holds anything but states.
    """

    __slots__ = ("_state", "_transition_history")

    def __init__(
        self,
        state: CommandState = CommandState.INITIALIZED,
        history: Iterable[tuple[CommandState, CommandState]] = (),
    ) -> None:
        self._state = checked_state(state, "state")
        self._transition_history: list[tuple[CommandState, CommandState]] = [
            (checked_state(before, "history"), checked_state(after, "history")) for before, after in history
        ]

    @classmethod
    def of(cls, command: Any) -> CommandStateMachine:
        """Return the machine of a command's run, made from its state and the last phase that it entered."""
        machine = cls(command._state)
        last = checked_state(command._entered, "_entered")
        moves = [(CommandState(number), CommandState(number + 1)) for number in range(last)]
        if machine._state is not last:
            moves.append((last, machine._state))
        machine._transition_history = moves
        return machine

    @property
    def state(self) -> CommandState:
        """The current state."""
        return self._state

    @property
    def state_name(self) -> str:
        """The name of the current state, such as ``execute``."""
        return STATE_NAMES[self._state]

    @property
    def history(self) -> list[tuple[CommandState, CommandState]]:
        """The moves made so far as (from, to) pairs, oldest first; a new list."""
        return list(self._transition_history)

    @property
    def is_terminal(self) -> bool:
        """Whether no move is possible any more."""
        return self._state in TERMINAL_STATES

    @property
    def can_fail(self) -> bool:
        """Whether ``fail`` and ``error`` are possible moves."""
        return self._state in CAN_FAIL_STATES

    def can_transition_to(self, new_state: CommandState) -> bool:
        """Return whether ``transition_to(new_state)`` would move."""
        return checked_state(new_state, "new_state") in VALID_TRANSITIONS[self._state]

    def transition_to(self, new_state: CommandState) -> bool:
        """Move to *new_state* and return True; a move that is not allowed changes nothing and returns False.

        Raises TypeError or ValueError when *new_state* is no state at all.
        """
        wanted = checked_state(new_state, "new_state")
        if wanted not in VALID_TRANSITIONS[self._state]:
            return False
        self._transition_history.append((self._state, wanted))
        self._state = wanted
        return True

    def fail(self) -> bool:
        """Move to FAILED; False when the state is terminal."""
        return self.transition_to(CommandState.FAILED)

    def error(self) -> bool:
        """Move to ERRORED; False when the state is terminal."""
        return self.transition_to(CommandState.ERRORED)

    def succeed(self) -> bool:
        """Move to SUCCEEDED; False unless the state is COMMITTING_TRANSACTION."""
        return self.transition_to(CommandState.SUCCEEDED)

    def reset(self) -> None:
        """Go back to INITIALIZED with an empty history."""
        self._state = CommandState.INITIALIZED
        self._transition_history = []

    def __repr__(self) -> str:
        return f"CommandStateMachine(state={self._state!r}, history={self._transition_history!r})"
