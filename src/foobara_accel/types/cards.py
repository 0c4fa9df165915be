"""Card numbers: the Luhn verdict and the parsed form, which shows no more than it must."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, LiteralString

from .._backend import checks
from ._known import Known
from ._masked import Masked

__all__ = ["BRANDS", "CardNumber", "brand_of", "is_valid_card", "mask_card", "parse_card"]

if TYPE_CHECKING:
    from .._pure.checks import is_valid_card
else:
    is_valid_card = checks.is_valid_card

# Rule -> what a reader of the error is told; the number itself is never part of it.
_RULES = {
    "empty": "is empty",
    "character": "has a character that is not a digit 0-9",
    "length": "does not have 12 to 19 digits",
    "checksum": "has a wrong check digit (Luhn)",
}

_IIN_DIGITS = 8  # ISO/IEC 7812-1:2017

_ELO = (
    "401178-401179 431274 438935 451416 457393 457631-457632 504175 506699-506778 509000-509999 627780 "
    "636297 636368 650031-650033 650035-650051 650405-650439 650485-650538 650541-650598 650700-650718 "
    "650720-650727 650901-650978 651652-651679 655000-655019 655021-655058"
)
_VERVE = (
    "506099-506127 506129 506133-506150 506158-506163 506166 506168 506170 506173 506176-506180 506184 "
    "506187-506188 506191 506195 506197 507865-507866 507868-507877 507880-507888 507900 507941 "
    "650002-650027"
)

# Brand: allowed lengths, prefixes ("a-b": a range of equal length). Allocation is not public: best effort.
# Elo, Hiper, Hipercard and Verve as in npm credit-card-type; Dankort, Troy and Verve's 65 as in
# pydantic-extra-types; 622126-622925 is UnionPay in both. Diners 3095 and RuPay are not confirmed by a
# document of the scheme.
_BRANDS: dict[str, tuple[tuple[int, ...], str]] = {
    "visa": ((13, 16, 19), "4"),
    "mastercard": ((16,), "51-55 2221-2720"),
    "amex": ((15,), "34 37"),
    "discover": ((16, 17, 18, 19), "6011 644-649 65"),
    "diners": ((14, 15, 16, 17, 18, 19), "300-305 3095 36 38-39"),
    "jcb": ((16, 17, 18, 19), "3528-3589"),
    "unionpay": ((14, 15, 16, 17, 18, 19), "62 8100-8171"),
    "maestro": ((12, 13, 14, 15, 16, 17, 18, 19), "50 56-58 6"),
    "mir": ((16, 17, 18, 19), "2200-2204"),
    "rupay": ((16,), "60 81-82 508"),
    "dankort": ((16,), "5019 4571"),
    "troy": ((16,), "9792"),
    "elo": ((16,), _ELO),
    "hiper": ((16,), "637095 637568 637599 637609 637612 63737423 63743358"),
    "hipercard": ((16,), "606282"),
    "verve": ((16, 18, 19), _VERVE),
}


@cache
def _prefixes() -> dict[str, str]:
    found: dict[str, str] = {}
    for brand, (_, ranges) in _BRANDS.items():
        for each in ranges.split():
            first, _, last = each.partition("-")
            found.update((str(prefix), brand) for prefix in range(int(first), int(last or first) + 1))
    return found


#: The schemes that are told apart; where their prefixes come from stands in docs/validators.md.
BRANDS: tuple[str, ...] = tuple(sorted(_BRANDS))


def brand_of(number: str) -> str | None:
    """Return the scheme with the longest prefix (up to eight digits) of a number in its canonical form.

    None when unknown or of a length that the scheme does not issue. Best effort: allocation is not public.
    """
    for size in range(_IIN_DIGITS, 0, -1):
        brand = _prefixes().get(number[:size])
        if brand is not None:
            return brand if len(number) in _BRANDS[brand][0] else None
    return None


def mask_card(number: str) -> str:
    """Return the first six and last four digits; of fewer than 16 fewer, so that six stay hidden.

    PCI DSS 4.0.1, requirement 3.4.1, allows no more than the issuer's prefix and the last four.
    """
    first = max(0, min(6, len(number) - 10))
    last = max(0, min(4, len(number) - 6))
    end = len(number) - last
    return f"{number[:first]}{'*' * (end - first)}{number[end:]}"


class CardNumber(Masked):
    """A card number that passed the Luhn check; made by :func:`parse_card`.

    ``str()``, ``repr()``, formatting and JSON show the masked form; only ``canonical`` holds all digits.
    As the type of a Pydantic field it takes what :func:`parse_card` takes;
    ``Annotated[CardNumber, CreditCardValidator(...)]`` takes what that validator does.
    """

    __slots__ = ()

    _SYMBOL: ClassVar[LiteralString] = "card_number"
    _WHAT: ClassVar[str] = "card number"
    _RULES: ClassVar[dict[str, str]] = _RULES
    _LENIENCE: ClassVar[str] = "spaces and hyphens"
    _check: ClassVar[Any] = staticmethod(checks.parse_card)
    _TAKEN: ClassVar[dict[str, Any]] = {
        "format": "card-number",
        "pattern": "^[0-9]{12,19}$",
        "minLength": 12,
        "maxLength": 19,
        "examples": ["5555555555554444"],
    }
    _SHOWN: ClassVar[dict[str, Any]] = {
        "format": "masked-card-number",
        "pattern": r"^[0-9]{0,6}\*{6,9}[0-9]{2,4}$",
        "examples": ["555555******4444"],
    }

    @property
    def last4(self) -> str:
        """The last four digits."""
        return self.canonical[-4:]

    @property
    def masked(self) -> str:
        """The first six and last four digits; of fewer than 16 fewer, so that six stay hidden."""
        return mask_card(self.canonical)

    @property
    def brand(self) -> str | None:
        """The scheme with the longest prefix (up to eight digits); None when unknown or of other length.

        Best effort: validity never depends on it.
        """
        return brand_of(self.canonical)

    @classmethod
    def _known(cls) -> Known | None:
        return Known("card", cls, least=12) if cls is CardNumber else None

    def __reduce__(self) -> tuple[Any, ...]:
        # Its class alone takes no such text.
        return (_short, (self.canonical,)) if len(self.canonical) < 12 else super().__reduce__()


CardNumber.__module__ = "foobara_accel.types.cards"


def parse_card(value: str, /, *, lenient: bool = False) -> CardNumber:
    """Return the parsed card number.

    Raises ValueError that names the first rule broken (empty, character, length, checksum) and never holds
    the number, TypeError for anything but a str. ``lenient=True`` takes blanks around it, spaces and hyphens
    between its digits.
    """
    return CardNumber._made(CardNumber._checked(value, lenient=lenient))


def _short(canonical: str) -> CardNumber:
    checked, rule = checks.parse_card(canonical, min_digits=8)
    if rule:
        raise ValueError(CardNumber._told(canonical, rule, False))
    return CardNumber._made(checked)
