"""Builds the inputs of a command from its arguments (pure twin of ``ext/guards.pyx``).

Only the model's own validator is used: for two ints the guard took 1.3 times as long in Python, and an
instance assembled from the inner validator 1.4 times. The levels say what the compiled twin would do; the
answers are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any
from weakref import ReferenceType

__all__ = ["FIELD_LIMIT", "ClassEntry", "Finder", "FixedEntry", "InputsBuilder"]

FIELD_LIMIT = 64


class InputsBuilder:
    """Builds instances of one model, from an ``InputsSpec`` of ``core.inputs``.

    *renew* gives the builder of a model whose validator was replaced (``model_rebuild``).
    """

    __slots__ = (
        "__weakref__",
        "_call",
        "_call_json",
        "_next",
        "_renew",
        "_vars",
        "guarded",
        "level",
        "model",
        "names",
        "reason",
        "spec",
        "validator",
    )

    def __init__(self, spec: Any, renew: Callable[[Any], InputsBuilder] | None = None) -> None:
        self.spec: Any = spec
        self.model: Any = spec.model
        self.validator: Any = spec.validator
        self.level: int = spec.level
        self.reason: str = spec.reason
        self.guarded: bool = spec.level == 1
        self.names: tuple[str, ...] = tuple(item.name for item in spec.fields)
        self._renew = renew
        self._next: InputsBuilder | None = None
        self._vars = vars(self.model)  # live; an attribute of a pydantic class costs five times as much
        self._call, self._call_json = spec.whole()

    def __reduce__(self) -> Any:
        raise TypeError("an InputsBuilder belongs to its model and is not pickled")

    def __repr__(self) -> str:
        return f"InputsBuilder({self.model.__name__}, level={self.level})"

    def build(self, /, **raw: Any) -> Any:
        """Return a valid instance of the model, or raise what building it in Python raises."""
        if self._vars["__pydantic_validator__"] is self.validator:
            return self._call(raw)
        return _successor(self)._call(raw)

    def build_dict(self, raw: dict[str, Any]) -> Any:
        """``build(**raw)``; *raw* is not changed, and only an error about a missing field refers to it."""
        if type(raw) is not dict:
            shown = type(raw).__name__
            raise TypeError(f"Argument 'raw' has incorrect type (expected dict, got {shown})")
        if self._vars["__pydantic_validator__"] is not self.validator:
            return _successor(self).build_dict(raw)
        # a validator around the model may change the dict it gets
        return self._call(raw) if self.level < 3 else self._call(raw.copy())

    def build_args(self, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
        """``build(**dict(zip(names, values)))`` without making that dict where the guard applies."""
        if len(names) != len(values):
            raise ValueError(f"{len(names)} names for {len(values)} values")
        return self.build(**dict(zip(names, values, strict=True)))

    def judge_args(self, names: tuple[str, ...], values: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return (what ``build_args`` makes, None), or (None, rows) where a verdict on them is known.

        A row is (path, symbol, message, context) of one error, as in ``errors_from_validation``.
        """
        return self.build_args(names, values), None  # without the guard pydantic decides each time

    def build_json(self, data: str | bytes | bytearray) -> Any:
        """``build_dict`` of a JSON object in bytes, bytearray or str, read by pydantic-core."""
        if self._vars["__pydantic_validator__"] is not self.validator:
            return _successor(self).build_json(data)
        return self._call_json(data)

    def current(self) -> InputsBuilder:
        """Return the builder of the model's present validator: this one unless the model was rebuilt."""
        if self._vars["__pydantic_validator__"] is self.validator:
            return self
        return _successor(self)


def _successor(builder: InputsBuilder) -> InputsBuilder:
    """The builder of the model's present validator, kept because a plan may hold the old one."""
    found = builder._next
    if found is None or found._vars["__pydantic_validator__"] is not found.validator:
        if builder._renew is None:
            raise RuntimeError(f"the validator of {builder.model.__name__} was replaced")
        found = builder._next = builder._renew(builder.model)
    return found


class ClassEntry:
    """A class in the table of ``types.cache``: weakly; does it carry its validator; when it was used."""

    __slots__ = ("carries", "ref", "used")

    def __init__(self, ref: Any, carries: bool) -> None:
        if not isinstance(ref, ReferenceType):
            raise TypeError(f"ref is a weak reference, not {type(ref).__name__}")
        self.ref = ref
        self.carries = carries
        self.used = 0


class FixedEntry:
    """An expression or class that the table keeps, and its validator; None if models in it may be rebuilt."""

    __slots__ = ("target", "used", "validator")

    def __init__(self, target: Any, validator: Any) -> None:
        self.target = target
        self.validator = validator
        self.used = 0


_vars = type.__dict__["__dict__"].__get__  # past the metaclass, whose __getattr__ makes cls.__dict__ slow


class Finder:
    """The usual hits of one table of ``types.cache``, and its clock; *miss* answers everything else.

    Bench case "get_validator, a hit".
    """

    __slots__ = ("_built", "_entries", "_miss", "draw")

    draw: Callable[[], int]

    def __init__(self, entries: dict[Any, Any], miss: Callable[[Any], Any]) -> None:
        from pydantic_core import SchemaValidator

        self._entries = entries
        self._miss = miss
        self._built = SchemaValidator
        self.restart()

    def restart(self) -> None:
        """Draw 0 next."""
        self.draw = count().__next__

    def forget(self) -> None:
        """Answer from the table alone, after an entry has left it: as this twin always does."""

    def get_validator(self, type_name: Any) -> Any:
        """Return the built validator of a class, a registered name or a type expression.

        Raises TypeExpressionError for text that is no known type, TypeError for what is no type and
        ValidatorBuildError when pydantic cannot build it; a failure is not remembered.
        """
        entry = self._entries.get(id(type_name))
        if isinstance(entry, ClassEntry):
            # an id is given again once its class has gone
            if entry.carries and entry.ref() is type_name:
                validator = _vars(type_name).get("__pydantic_validator__")
                if type(validator) is self._built:
                    entry.used = self.draw()
                    return validator
        elif isinstance(entry, FixedEntry) and entry.target is type_name and entry.validator is not None:
            entry.used = self.draw()
            return entry.validator
        return self._miss(type_name)
