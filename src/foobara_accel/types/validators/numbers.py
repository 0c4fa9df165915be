"""What the validators of numbers share: a verdict that can be looked at, and none that shows the number."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, ClassVar, Generic, LiteralString, NoReturn, TypeVar

from pydantic_core import SchemaSerializer, core_schema

from .._elements import is_shown
from .._known import Known, function_of, is_plain_str
from .._masked import HIDDEN, WRITTEN, Masked, described_str, in_place_of_str, no_string, of_str, refusal
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


def unknown_names(given: Iterable[str], known: Container[str]) -> list[str]:
    """Return which names *given* for an option are not *known*, as an error may show them."""
    return sorted(name if is_shown(name) else HIDDEN for name in given if name not in known)


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

    def validate(self, value: Any) -> V:
        """Return the verdict on *value*; never raises for a value."""
        raise NotImplementedError(f"{type(self).__name__} has no validate(self, value) of its own")

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
            return value if issubclass(type(value), self._TYPE) else verdict.canonical
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

    def _as_text(self, value: Any) -> Any:
        """The text of a parsed number, which a field of str takes too."""
        return value.canonical if issubclass(type(value), self._TYPE) else value

    def _text_of_field(self, value: Any) -> Any:
        found = self._of_field(value)
        return found if self.canonical else value

    def _number_of_field(self, value: Any, handler: Any = None) -> Any:
        found = self._of_field(value)
        return found if isinstance(found, Masked) else self._TYPE._made(found)

    def _core_schema(self, source: Any, handler: Any) -> Any:
        if source is str:
            return of_str(handler(source), self._text_of_field, self._TYPE.__name__)
        if isinstance(source, TypeVar):  # of a generic model that has no type yet
            return super()._core_schema(source, handler)
        # In the place of the type's own check, so that nothing may stand between them: it would be dropped.
        if isinstance(source, type) and issubclass(source, self._TYPE):
            inner = handler(source)
            if inner.get("function", {}).get("function") == source._of_field:
                own = source is self._TYPE
                function = self._number_of_field if own else _OfDerived(self, source).validate
                return in_place_of_str(function, source.__name__, inner["serialization"])
            raise TypeError(self._misplaced(source.__name__, inner))
        raise TypeError(
            f"{type(self).__name__} stands directly at {self._TYPE.__name__} or str, as in "
            f"Annotated[{self._TYPE.__name__}, ...] | None, not at {source!r}"
        )

    def _misplaced(self, name: str, inner: Mapping[str, Any]) -> str:
        return (
            f"{type(self).__name__} stands directly at {name} or str, as in Annotated[{name}, ...] | None: "
            f"here {inner['type']} is between them. What Field(...) after the = says, such as max_length "
            f"or pattern, comes before the validator: leave such bounds out, {name} has its own"
        )

    def __foobara_guard__(self, schema: Mapping[str, Any]) -> Known | None:
        ours = function_of(schema, "function-wrap") == self._number_of_field
        return self._known(self._TYPE) if ours and is_plain_str(schema["schema"]) else None

    def _known(self, cls: type[Masked] | None) -> Known | None:
        """How the guard takes a field of *cls*, or a str; one that is derived from it may do anything."""
        return None

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        own = schema
        while own["type"].startswith("function-"):  # of a validator after this one
            function = own["function"]["function"]
            derived = getattr(function, "__self__", None)
            if function == self._number_of_field or (
                isinstance(derived, _OfDerived) and derived.validator is self
            ):
                return self._TYPE._described(self._taken(), handler)
            if "schema" not in own:
                break
            own = own["schema"]
        return {**self._taken(), **described_str(schema, handler)}

    def _taken(self) -> dict[str, Any]:
        raise NotImplementedError


class _OfDerived:
    """A validator at a class that is derived from the type it is for: it makes that class's values."""

    __slots__ = ("_source", "validator")
    __foobara_sensitive__: ClassVar[bool] = True
    __foobara_masked__: ClassVar[bool] = True

    def __init__(self, validator: NumberValidator[Any], source: type[Masked]) -> None:
        self.validator = validator
        self._source = source

    def validate(self, value: Any, handler: Any) -> Any:
        found = self.validator._of_field(value)
        if type(found) is str:
            return self._source._made(found)
        return found if issubclass(type(found), self._source) else self._source._made(found.canonical)
