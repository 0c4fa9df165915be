"""What the guard of the command core is told about a field of one of our own types.

A core schema holds the functions that decide about a field. The owner of such a method may have
``__foobara_guard__(schema)``: a `Known` where nothing in *schema* decides but what the owner put there, else
None. The guard then knows what Pydantic makes of a text that passes the check; any other value it leaves to
Pydantic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Known", "function_of", "is_plain_str"]

# Serialisation and JSON schema read these; validation does not.
_PASSIVE = {"type", "metadata", "serialization", "ref"}


@dataclass(frozen=True, slots=True)
class Known:
    """How a field takes a text, and which instances.

    *kind* names the check: card, iban, phone, html; call: *call* makes the value of the text.
    Of a number, *cls* is made, holding the canonical form; without it the field stays a str, the text as it
    came unless *normal*. An instance of exactly *cls* is taken, after the same check where it is to be judged
    *anew*. *call* also judges the canonical form of a card or an IBAN by the truth of its answer. Of a phone
    it gives the kind of number; *kinds* has a 1 for each that is allowed and canonical as it is written.
    """

    kind: str
    cls: type[Any] | None = None
    normal: bool = False
    lenient: bool = False
    anew: bool = False
    least: int = 0
    kinds: bytes = b""
    call: Callable[[str], Any] | None = None


def function_of(schema: Mapping[str, Any], kind: str) -> Any:
    """Return the function of a schema of that *kind* with a value alone; None for any other."""
    function = schema.get("function")
    if schema.get("type") != kind or not schema.keys() <= _PASSIVE | {"function", "schema"}:
        return None
    if type(function) is not dict or function.keys() != {"type", "function"} or function["type"] != "no-info":
        return None
    return function["function"]


def is_plain_str(schema: Any) -> bool:
    """Return True for the schema of any str; strictness means nothing to a value that is one."""
    return type(schema) is dict and schema.get("type") == "str" and schema.keys() <= _PASSIVE | {"strict"}
