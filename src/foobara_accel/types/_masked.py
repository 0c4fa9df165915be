"""What parsed numbers share: only ``canonical`` is whole, every other way to look at one is masked."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar, LiteralString, Self

__all__ = ["Masked"]


class Masked:
    """A parsed number: text and JSON show ``masked``; as a Pydantic field it takes what its parser takes."""

    __slots__ = ()

    # Errors hide values of such a type, and do not echo the input of a field of it.
    __foobara_sensitive__: ClassVar[bool] = True

    _SYMBOL: ClassVar[LiteralString]
    _WHAT: ClassVar[str]
    _RULES: ClassVar[dict[str, str]]
    _check: ClassVar[Any]

    canonical: str

    @property
    def masked(self) -> str:
        """What may be shown."""
        raise NotImplementedError

    @classmethod
    def _checked(cls, value: str, lenient: bool = False) -> str:
        canonical, rule = cls._check(value, lenient=lenient)
        if rule:
            raise ValueError(f"{cls._WHAT} {cls._RULES[rule]} (rule: {rule})")
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
        return cls(canonical)  # type: ignore[call-arg]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls._of_field, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        # Pydantic 2.10.0 has no json_schema_input_schema.
        return handler(core_schema.str_schema())

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
