"""What the validators of numbers share: a verdict that can be looked at, and none that shows the number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, LiteralString, NoReturn, TypeVar

from pydantic_core import SchemaSerializer, core_schema

from .._known import Known, function_of
from .._masked import WRITTEN, Masked, described_str, no_string, of_str, refusal
from ..processors import Validator

__all__ = ["NumberValidator", "Verdict"]

V = TypeVar("V", bound="Verdict")


class Verdict:
    """What a validator says of one value; true where it is valid.

    ``rule`` and ``reason`` are empty where it is; else ``canonical`` is None. Text and JSON show ``masked``.
    """

    __slots__ = ("canonical", "reason", "rule")
    __foobara_sensitive__: ClassVar[bool] = True
    __foobara_masked__: ClassVar[bool] = True
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(serialization=WRITTEN)
    )

    canonical: str | None
    reason: str
    rule: str

    def __init__(self, canonical: str | None, rule: str = "", reason: str = "") -> None:
        for name, value in (("canonical", canonical), ("rule", rule), ("reason", reason)):
            object.__setattr__(self, name, value)

    @property
    def valid(self) -> bool:
        """True when no rule is broken."""
        return not self.rule

    @property
    def masked(self) -> str | None:
        """What may be shown of a valid number."""
        return None if self.canonical is None else self._mask(self.canonical)

    @staticmethod
    def _mask(canonical: str) -> str:
        raise NotImplementedError

    def __bool__(self) -> bool:
        return not self.rule

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.canonical, self.rule) == (other.canonical, other.rule)

    def __hash__(self) -> int:
        return hash((self.canonical, self.rule))

    def __repr__(self) -> str:
        told = f"valid=True, masked={self.masked!r}" if self.valid else f"valid=False, rule={self.rule!r}"
        return f"{type(self).__name__}({told})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")

    def __copy__(self) -> Verdict:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Verdict:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.canonical, self.rule, self.reason)


class NumberValidator(Validator[str], Generic[V]):
    """A validator of a number that is to be kept from sight.

    ``process`` returns the value, ``validate`` a verdict. In ``Annotated[CardNumber, CreditCardValidator()]``
    or ``Annotated[str, CreditCardValidator()]`` it says what a field of a Pydantic model takes.
    """

    # A str that is checked by it is hidden wherever errors or outcomes are shown; a masked type stays masked.
    __foobara_sensitive__: ClassVar[bool] = True
    __foobara_masked__: ClassVar[bool] = True

    _TYPE: ClassVar[type[Masked]]
    canonical: bool

    @abstractmethod
    def validate(self, value: Any) -> V:
        """Return the verdict on *value*; never raises for a value."""

    def process(self, value: str) -> str:
        """Return *value*, or its canonical form where that was asked for.

        Raises ValueError that names the first rule broken and never holds the number, TypeError for what is
        neither a str nor already parsed.
        """
        verdict = self.validate(value)
        if verdict.valid:
            return verdict.canonical if self.canonical else value  # type: ignore[return-value]
        raise (TypeError if verdict.rule == "type" else ValueError)(self.told(verdict))

    def told(self, verdict: Verdict) -> str:
        """Return what ``process`` says in its error."""
        rule = "" if verdict.rule == "type" else f" (rule: {verdict.rule})"
        return f"{self._TYPE._WHAT} {verdict.reason}{rule}"

    def _type_verdict(self, value: Any) -> tuple[None, str, str]:
        return None, "type", f"is a str, not {type(value).__name__}"

    def _of_field(self, value: Any) -> Any:
        verdict = self.validate(value)
        if verdict.valid:
            return value if isinstance(value, self._TYPE) else verdict.canonical
        if verdict.rule == "type":
            raise no_string(self._TYPE.__name__)
        symbol: LiteralString = self._TYPE._SYMBOL
        raise refusal(
            self._TYPE.__name__,
            symbol,
            "{what} {told}",
            what=self._TYPE._WHAT,
            told=verdict.reason,
            rule=verdict.rule,
        )

    def _text_of_field(self, value: Any) -> Any:
        found = self._of_field(value)
        if isinstance(found, Masked):
            found = found.canonical
        return found if self.canonical or not isinstance(value, str) else value

    def _number_of_field(self, value: Any) -> Any:
        found = self._of_field(value)
        return found if isinstance(found, Masked) else self._TYPE._made(found)

    def _core_schema(self, source: Any, handler: Any) -> Any:
        name = self._TYPE.__name__
        if source is str:
            return of_str(handler(source), self._text_of_field, name)
        # In the place of the type's own check, so that nothing may stand between them: it would be dropped.
        if source is self._TYPE and handler(source).get("function", {}).get("function") == source._of_field:
            return core_schema.no_info_plain_validator_function(self._number_of_field, serialization=WRITTEN)
        raise TypeError(
            f"{type(self).__name__} stands directly at {name} or str, as in Annotated[{name}, ...] | None"
        )

    def __foobara_guard__(self, schema: Mapping[str, Any]) -> Known | None:
        function = function_of(schema, "function-plain")
        if function == self._number_of_field:
            return self._known(self._TYPE)
        return self._known(None) if function == self._text_of_field else None

    def _known(self, cls: type[Masked] | None) -> Known | None:
        """How the guard takes a field of *cls*, or a str; one that is derived from it may do anything."""
        return None

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        own = schema
        while own["type"].startswith("function-") and "schema" in own:  # of a validator after this one
            own = own["schema"]
        if own.get("function", {}).get("function") == self._number_of_field:
            return self._TYPE._described(self._taken(), handler)
        return {**self._taken(), **described_str(schema, handler)}

    def _taken(self) -> dict[str, Any]:
        raise NotImplementedError
