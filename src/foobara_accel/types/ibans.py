"""IBANs: the verdict of the SWIFT registry's structures and the parsed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, LiteralString

from .._backend import checks
from .._pure import _iban_table as table
from ._known import Known
from ._masked import Masked

__all__ = ["ASPIRATIONAL", "COUNTRIES", "IBAN", "REGISTRY_RELEASE", "is_valid_iban", "parse_iban"]

#: Release of the SWIFT IBAN registry the structures come from, and what was laid over it.
REGISTRY_RELEASE: str = table.RELEASE

#: The prefixes that are accepted, those of territories among them.
COUNTRIES: frozenset[str] = frozenset({*table.COUNTRIES, *table.TERRITORIES})

#: Prefixes of countries that use IBANs without being in the registry: for ``aspirational=True`` alone.
ASPIRATIONAL: frozenset[str] = frozenset(table.ASPIRATIONAL)

if TYPE_CHECKING:
    from .._pure.checks import is_valid_iban
else:
    is_valid_iban = checks.is_valid_iban

# Rule -> what a reader of the error is told; the IBAN itself is never part of it.
_RULES = {
    "empty": "is empty",
    "character": "has a character that is neither a letter A-Z nor a digit",
    "country": "does not begin with a registered country code",
    "length": "does not have the length of its country",
    "structure": "does not have the structure of its country",
    "check_digits": "has check digits outside 02-98",
    "checksum": "has a wrong checksum (ISO 7064 MOD 97-10)",
}


class IBAN(Masked):
    """An IBAN that passed every check, in upper case without spaces; made by :func:`parse_iban`.

    ``IBAN(text)`` itself is lenient, as ``parse_iban(text, lenient=True)``.

    ``str()``, ``repr()``, formatting and JSON show the masked form; ``canonical`` and ``print_format()`` are
    whole. As the type of a Pydantic field it takes what :func:`parse_iban` takes;
    ``Annotated[IBAN, IBANValidator(...)]`` takes what that validator does.
    """

    __slots__ = ()

    _SYMBOL: ClassVar[LiteralString] = "iban"
    _WHAT: ClassVar[str] = "IBAN"
    _RULES: ClassVar[dict[str, str]] = _RULES
    _LENIENCE: ClassVar[str] = "spaces, lower case and AX"
    _LENIENT: ClassVar[bool] = True
    _check: ClassVar[Any] = staticmethod(checks.parse_iban)
    _TAKEN: ClassVar[dict[str, Any]] = {
        "format": "iban",
        "pattern": "^[A-Z]{2}[0-9]{2}[A-Za-z0-9]{11,30}$",
        "minLength": 15,
        "maxLength": 34,
        "examples": ["DE89370400440532013000"],
    }
    _SHOWN: ClassVar[dict[str, Any]] = {
        "format": "masked-iban",
        "pattern": r"^[A-Z]{2}[0-9]{2} \*{4} [A-Z0-9]{4}$",
        "examples": ["DE89 **** 3000"],
    }

    @property
    def country(self) -> str:
        """The two letters it begins with."""
        return self.canonical[:2]

    @property
    def listed_under(self) -> str | None:
        """The country whose structure this prefix shares (GG: GB, AX: FI); None for one of its own."""
        return table.TERRITORIES.get(self.country)

    @property
    def check_digits(self) -> str:
        """The two digits after the country."""
        return self.canonical[2:4]

    @property
    def bban(self) -> str:
        """What follows the check digits: the account number as its country writes it."""
        return self.canonical[4:]

    @property
    def bank_code(self) -> str:
        """The bank identifier at the registry's position."""
        return self._part(1) or ""

    @property
    def branch_code(self) -> str | None:
        """The branch identifier at the registry's position; None for a country without one."""
        return self._part(2)

    @property
    def masked(self) -> str:
        """Country, check digits and the last four characters."""
        return f"{self.canonical[:4]} **** {self.canonical[-4:]}"

    def print_format(self) -> str:
        """Return the complete IBAN in groups of four."""
        return " ".join(self.canonical[start : start + 4] for start in range(0, len(self.canonical), 4))

    @classmethod
    def _known(cls) -> Known | None:
        return Known("iban", cls) if cls is IBAN else None

    def __reduce__(self) -> tuple[Any, ...]:
        # Its class alone takes no such text.
        return (_aspirational, (self.canonical,)) if self.country in ASPIRATIONAL else super().__reduce__()

    def _part(self, index: int) -> str | None:
        code = self.listed_under or self.country
        row = table.COUNTRIES.get(code) or table.ASPIRATIONAL[code]
        start, stop = row[1] if index == 1 else row[2]
        return self.bban[start:stop] or None


IBAN.__module__ = "foobara_accel.types.ibans"


def parse_iban(value: str, /, *, lenient: bool = False, aspirational: bool = False) -> IBAN:
    """Return the parsed IBAN.

    Raises ValueError that names the first rule broken (empty, character, country, length, structure,
    check_digits, checksum) and never holds the IBAN, TypeError for anything but a str. ``lenient=True`` takes
    blanks around it, spaces in it, either case, and AX; ``aspirational=True`` the countries of
    :data:`ASPIRATIONAL`, which use IBANs without being in the registry.
    """
    if not aspirational:
        return IBAN._made(IBAN._checked(value, lenient=lenient))
    canonical, rule = checks.parse_iban(value, lenient=lenient, aspirational=True)
    if rule:
        told = f"{IBAN._WHAT} {_RULES[rule]} (rule: {rule})"
        if not lenient and not checks.parse_iban(value, lenient=True, aspirational=True)[1]:
            told += f"; lenient=True takes {IBAN._LENIENCE}"
        raise ValueError(told)
    return IBAN._made(canonical)


def _aspirational(canonical: str) -> IBAN:
    return parse_iban(canonical, aspirational=True)
