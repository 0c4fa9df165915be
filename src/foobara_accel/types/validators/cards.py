"""CreditCardValidator: Luhn, length and scheme of a card number."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from ..._backend import checks
from .._known import Known
from .._masked import Masked
from ..cards import BRANDS, CardNumber, brand_of, is_valid_card, mask_card
from .numbers import NumberValidator, Verdict, unknown_names

__all__ = ["CardVerdict", "CreditCardValidator"]

_parse: Callable[..., tuple[str, str]] = checks.parse_card
_LEAST, _MOST = 8, 19  # ISO/IEC 7812-1: a number has 8 to 19 digits; 12 are the shortest that is issued


class CardVerdict(Verdict):
    """What CreditCardValidator says of one value; rules: type, empty, character, length, checksum, brand."""

    __slots__ = ()

    @staticmethod
    def _mask(canonical: str) -> str:
        return mask_card(canonical)

    @property
    def brand(self) -> str | None:
        """The scheme with the longest prefix (up to eight digits); None when unknown. Best effort."""
        return None if self.canonical is None else brand_of(self.canonical)

    @property
    def last4(self) -> str | None:
        """The last four digits."""
        return None if self.canonical is None else self.canonical[-4:]

    @property
    def number(self) -> CardNumber | None:
        """The number as a CardNumber; None when it has fewer than twelve digits."""
        if self.canonical is None or len(self.canonical) < 12:
            return None
        return CardNumber._made(self.canonical)


@dataclass(frozen=True, kw_only=True)
class CreditCardValidator(NumberValidator[CardVerdict]):
    """Checks a card number: digits 0-9, 12 to 19 of them, Luhn sum (ISO/IEC 7812-1).

    *brands* allows only these schemes (see ``types.cards.BRANDS``), *min_digits* (8 to 19) fewer or more
    digits. *lenient* takes the form in which people write one: blanks around it, spaces and hyphens between
    digits. *canonical* has ``process`` return the digits alone. Raises ValueError or TypeError for options
    that mean nothing.
    """

    brands: Collection[str] | None = None
    min_digits: int = 12
    lenient: bool = False
    canonical: bool = False

    _TYPE: ClassVar[type[Masked]] = CardNumber

    def __post_init__(self) -> None:
        if self.brands is not None:
            object.__setattr__(self, "brands", _known(self.brands))
        if type(self.min_digits) is not int:
            raise TypeError(f"min_digits is an int, not {type(self.min_digits).__name__}")
        if not _LEAST <= self.min_digits <= _MOST:
            raise ValueError(f"min_digits is {_LEAST} to {_MOST}, not {self.min_digits}")
        bare = self.brands is None and self.min_digits == 12 and not self.canonical
        object.__setattr__(self, "_bare", bare)

    def process(self, value: str) -> str:
        """Return *value*, or its digits alone where *canonical* was asked for.

        Raises ValueError that names the first rule broken and never holds the number, TypeError for what is
        neither a str nor a CardNumber.
        """
        if self._bare and type(value) is str and is_valid_card(value):  # type: ignore[attr-defined]
            return value
        return super().process(value)

    def validate(self, value: Any) -> CardVerdict:
        """Return the verdict on *value*: rule and reason, or canonical form, brand and mask."""
        if issubclass(type(value), CardNumber):
            value = value.canonical
        elif not issubclass(type(value), str):  # not isinstance: an object may claim another __class__
            return CardVerdict(*self._type_verdict(value))
        canonical, rule = _parse(value, lenient=self.lenient, min_digits=self.min_digits)
        if rule:
            return CardVerdict(None, rule, self._reason(value, rule))
        return self._allowed(canonical)

    def _allowed(self, canonical: str) -> CardVerdict:
        if self.brands is not None and brand_of(canonical) not in self.brands:
            return CardVerdict(None, "brand", f"is none of {', '.join(sorted(self.brands))}")
        return CardVerdict(canonical)

    def _reason(self, value: str, rule: str) -> str:
        reason = CardNumber._RULES[rule]
        if rule == "length" and self.min_digits != 12:
            reason = f"does not have {self.min_digits} to {_MOST} digits"
        if not self.lenient and not _parse(value, lenient=True, min_digits=self.min_digits)[1]:
            reason += f"; lenient=True takes {CardNumber._LENIENCE}"
        return reason

    def _known(self, cls: type[Masked] | None) -> Known | None:
        if type(self) is not CreditCardValidator:
            return None
        return Known(
            "card",
            cls,
            normal=bool(self.canonical),
            lenient=bool(self.lenient),
            anew=True,
            least=self.min_digits,
            call=None if self.brands is None else self._allowed,
        )

    def _taken(self) -> dict[str, Any]:
        pattern = f"^[0-9]{{{self.min_digits},{_MOST}}}$"
        if not self.lenient:
            return {**CardNumber._TAKEN, "pattern": pattern, "minLength": self.min_digits}
        pattern = rf"^[ \t]*[0-9](?:[ -]*[0-9]){{{self.min_digits - 1},{_MOST - 1}}}[ \t]*$"
        taken = {**CardNumber._TAKEN, "pattern": pattern, "minLength": self.min_digits}
        del taken["maxLength"]
        return taken


def _known(brands: Collection[str]) -> frozenset[str]:
    if isinstance(brands, str) or not isinstance(brands, Collection):
        raise TypeError(f"brands is a collection of names, as in ('visa',), not {type(brands).__name__}")
    if not all(isinstance(brand, str) for brand in brands):
        raise TypeError("brands holds something that is no str")
    unknown = unknown_names(brands, BRANDS)
    if unknown or not brands:
        what = f"knows no {', '.join(unknown)}" if unknown else "is empty"
        raise ValueError(f"brands {what}: the brands are {', '.join(BRANDS)}")
    return frozenset(brands)
