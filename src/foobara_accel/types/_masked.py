"""What parsed numbers share: only ``canonical`` is whole, every other way to look at one is masked."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar, LiteralString, NoReturn, Self

from pydantic_core import SchemaSerializer, core_schema

__all__ = ["Masked"]


class Masked:
    """A parsed number: text and JSON show ``masked``; as a Pydantic field it takes what its parser takes.

    No dataclass: those are written field by field wherever no type is declared.
    """

    __slots__ = ("canonical",)
    __match_args__ = ("canonical",)

    # Errors hide values of such a type, and do not echo the input of a field of it.
    __foobara_sensitive__: ClassVar[bool] = True
    # Its own text and JSON may be shown.
    __foobara_masked__: ClassVar[bool] = True
    # What Pydantic writes such a value with where no type is declared: Any, a default, ``to_json``.
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(serialization=core_schema.to_string_ser_schema(when_used="json"))
    )

    _SYMBOL: ClassVar[LiteralString]
    _WHAT: ClassVar[str]
    _RULES: ClassVar[dict[str, str]]
    _LENIENCE: ClassVar[str]  # what ``lenient=True`` takes besides
    _LENIENT: ClassVar[bool] = False
    _check: ClassVar[Any]

    canonical: str

    def __init__(self, canonical: str) -> None:
        object.__setattr__(self, "canonical", self._checked(canonical, lenient=self._LENIENT))

    @property
    def masked(self) -> str:
        """What may be shown."""
        raise NotImplementedError

    @classmethod
    def _checked(cls, value: str, lenient: bool = False) -> str:
        canonical, rule = cls._check(value, lenient=lenient)
        if rule:
            told = f"{cls._WHAT} {cls._RULES[rule]} (rule: {rule})"
            if not lenient and not cls._check(value, lenient=True)[1]:
                told += f"; lenient=True takes {cls._LENIENCE}"
            raise ValueError(told)
        return str(canonical)

    @classmethod
    def _of_field(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
        from pydantic_core import PydanticCustomError

        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "Input should be a valid string")
        canonical, rule = cls._check(value)
        if rule:
            told = {"what": cls._WHAT, "told": cls._RULES[rule], "rule": rule}
            raise PydanticCustomError(cls._SYMBOL, "{what} {told}", told)
        return cls(canonical)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.no_info_plain_validator_function(
            cls._of_field, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        # Pydantic 2.10.0 has no json_schema_input_schema.
        return handler(core_schema.str_schema())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash((self.canonical,))

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.masked}')"

    def __format__(self, spec: str) -> str:
        return format(self.masked, spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Named by the public path, so that a pickle of one backend loads in the other.
        public = importlib.import_module(type(self).__module__)
        return getattr(public, type(self).__qualname__), (self.canonical,)
