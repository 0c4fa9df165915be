"""The state of a command instance, as a pickle or a copy has it: the same from both twins."""

from __future__ import annotations

from copyreg import _slotnames  # type: ignore[attr-defined]
from typing import Any

from ._vocabulary import CommandState

# What a new instance has. The names are those of foobara_py, not where a twin keeps the values.
_NEW: dict[str, Any] = {
    "_raw_inputs": None,
    "_inputs": None,
    "_errors": None,
    "_result": None,
    "_transaction": None,
    "_parent": None,
    "_own_callbacks": None,
    "_json_error": None,
    "_state": 0,
    "_entered": 0,
    "_closed": 0,
    "_claimed": False,
}
_READ = ("_inputs", "_errors", "_result", "_transaction", "_parent", "_own_callbacks", "_json_error")
_STATES = len(CommandState)
_COMMITTED = 2


def checked_state(value: Any) -> int:
    """Return *value* if it is a state, a member of CommandState or its number.

    Raises TypeError for what is no number, ValueError for one that no state has.
    """
    if not isinstance(value, int):
        raise TypeError(f"a state is a CommandState or its number, not {type(value).__name__}")
    if not 0 <= value < _STATES:
        names = ", ".join(f"{state.name} = {state.value}" for state in CommandState)
        raise ValueError(f"{int(value)} is not a state: {names}")
    return int(value)


def state_of(
    command: Any, attributes: dict[str, Any] | None, own: frozenset[str], closed: int, claimed: bool
) -> Any:
    """Return what ``object.__getstate__`` would: the attributes, and by name what is no attribute.

    *own*: the slots that a twin keeps the values of ``_NEW`` in.
    """
    fields = {name: getattr(command, name) for name in _READ}
    # Two names for one dict would change each other.
    fields["_raw_inputs"] = dict(command._raw_inputs)
    fields["_state"], fields["_entered"] = int(command._state), int(command._entered)
    # The short ways of a run, other ones in each twin, do not write down that they have committed.
    done = fields["_state"] == CommandState.SUCCEEDED
    fields["_closed"], fields["_claimed"] = _COMMITTED if done else closed, claimed
    for name in _slotnames(type(command)):
        if name not in own:
            try:
                fields[name] = getattr(command, name)
            except AttributeError:
                continue
    return attributes or None, fields


def restored(state: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the attributes, the values of ``_NEW`` and the user's slots in *state*.

    A dict is what a ``__getstate__`` of the user's gave: attributes only. Raises TypeError for any other
    object than that or what ``state_of`` gave, ValueError for a number that no state has.
    """
    if isinstance(state, dict):
        state = (state, {})
    if not isinstance(state, tuple) or len(state) != 2:
        raise TypeError(f"the state of a command is a pair or a dict, not {type(state).__name__}")
    attributes, fields = state
    if not isinstance(attributes, (dict, type(None))) or not isinstance(fields, (dict, type(None))):
        raise TypeError("the state of a command is a pair of dicts or None")
    fields = fields or {}
    known = {name: fields.get(name, value) for name, value in _NEW.items()}
    for name, kind in (("_raw_inputs", (dict, type(None))), ("_closed", int), ("_claimed", int)):
        if not isinstance(known[name], kind):
            raise TypeError(f"{name} in the state of a command is not {type(known[name]).__name__}")
    if not 0 <= known["_closed"] <= 2:
        raise ValueError("_closed in the state of a command is 0, 1 or 2")
    known["_state"], known["_entered"] = checked_state(known["_state"]), checked_state(known["_entered"])
    return attributes or {}, known, {name: fields[name] for name in fields if name not in _NEW}
