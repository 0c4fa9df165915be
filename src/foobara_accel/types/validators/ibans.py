"""IBANValidator: structure and checksum of an IBAN, its country, and the check digits of its nation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from ..._backend import checks
from .._known import Known
from .._masked import Masked
from ..ibans import ASPIRATIONAL, COUNTRIES, IBAN, REGISTRY_RELEASE, is_valid_iban
from .numbers import NumberValidator, Verdict, unknown_names

__all__ = ["IBANValidator", "IBANVerdict"]

_parse: Callable[..., tuple[str, str]] = checks.parse_iban


class IBANVerdict(Verdict):
    """What IBANValidator says of one value.

    Rules: type, empty, character, country, length, structure, check_digits, checksum, country_not_allowed,
    national_check_digits.
    """

    __slots__ = ()

    @staticmethod
    def _mask(canonical: str) -> str:
        return IBAN._made(canonical).masked

    @property
    def iban(self) -> IBAN | None:
        """The number as an IBAN."""
        return None if self.canonical is None else IBAN._made(self.canonical)

    @property
    def country(self) -> str | None:
        """The two letters it begins with."""
        return None if self.canonical is None else self.canonical[:2]

    @property
    def listed_under(self) -> str | None:
        """The country whose structure this prefix shares (GG: GB, AX: FI); None for one of its own."""
        return None if self.iban is None else self.iban.listed_under

    @property
    def bank_code(self) -> str | None:
        """The bank identifier at the registry's position."""
        return None if self.iban is None else self.iban.bank_code

    @property
    def branch_code(self) -> str | None:
        """The branch identifier at the registry's position; None for a country without one."""
        return None if self.iban is None else self.iban.branch_code


@dataclass(frozen=True, kw_only=True)
class IBANValidator(NumberValidator[IBANVerdict]):
    """Checks an IBAN: registered country, its length and structure, check digits 02-98, ISO 7064 MOD 97-10.

    *aspirational* takes countries too that use IBANs without being in the registry (``ibans.ASPIRATIONAL``).
    *countries* allows only these prefixes. *lenient* takes the printed form: blanks around it, spaces, lower
    case, and AX. *national* also judges the check digits inside the account number where python-stdnum knows
    how (extra ``national``; see ``national.COUNTRIES``). *canonical* has ``process`` return it in upper case
    without spaces. Raises ValueError or TypeError for options that mean nothing.
    """

    countries: Collection[str] | None = None
    lenient: bool = False
    national: bool = False
    canonical: bool = False
    aspirational: bool = False

    #: Release of the SWIFT IBAN registry that decides.
    registry_release: ClassVar[str] = REGISTRY_RELEASE
    _TYPE: ClassVar[type[Masked]] = IBAN

    def __post_init__(self) -> None:
        if self.countries is not None:
            object.__setattr__(self, "countries", _known(self.countries, self.aspirational))
        object.__setattr__(self, "_wrong", _national() if self.national else None)
        bare = self.countries is None and not self.national and not self.canonical
        object.__setattr__(self, "_bare", bare)

    def process(self, value: str) -> str:
        """Return *value*, or the IBAN in upper case without spaces where *canonical* was asked for.

        Raises ValueError that names the first rule broken and never holds the IBAN, TypeError for what is
        neither a str nor an IBAN.
        """
        if self._bare and type(value) is str and is_valid_iban(value):  # type: ignore[attr-defined]
            return value
        return super().process(value)

    def validate(self, value: Any) -> IBANVerdict:
        """Return the verdict on *value*: rule and reason, or canonical form, country, bank and branch."""
        if issubclass(type(value), IBAN):
            value = value.canonical  # judged anew: other options may have taken it
        elif not issubclass(type(value), str):  # not isinstance: an object may claim another __class__
            return IBANVerdict(*self._type_verdict(value))
        aspirational = self.aspirational
        canonical, rule = _parse(value, lenient=self.lenient, aspirational=aspirational)
        if not rule:
            return self._allowed(canonical)
        reason = IBAN._RULES[rule]
        if not self.lenient and not _parse(value, lenient=True, aspirational=aspirational)[1]:
            reason += f"; lenient=True takes {IBAN._LENIENCE}"
        elif rule == "country" and not aspirational and str.__str__(value)[:2] in ASPIRATIONAL:
            reason += "; aspirational=True takes it, which uses IBANs without being in the registry"
        return IBANVerdict(None, rule, reason)

    def _allowed(self, canonical: str) -> IBANVerdict:
        if self.countries is not None and canonical[:2] not in self.countries:
            told = f"is of none of {', '.join(sorted(self.countries))}"
            return IBANVerdict(None, "country_not_allowed", told)
        if self._wrong is not None and self._wrong(canonical):  # type: ignore[attr-defined]
            told = f"has wrong national check digits ({canonical[:2]})"
            return IBANVerdict(None, "national_check_digits", told)
        return IBANVerdict(canonical)

    def _known(self, cls: type[Masked] | None) -> Known | None:
        if type(self) is not IBANValidator or self.aspirational:  # which the guard's own check does not take
            return None
        judged = self.countries is not None or self.national
        call = self._allowed if judged else None
        return Known("iban", cls, bool(self.canonical), bool(self.lenient), anew=True, call=call)

    def _taken(self) -> dict[str, Any]:
        first = "[A-Z]{2}" if self.countries is None else f"(?:{'|'.join(sorted(self.countries))})"
        if not self.lenient:
            return {**IBAN._TAKEN, "pattern": f"^{first}[0-9]{{2}}[A-Za-z0-9]{{11,30}}$"}
        taken = {**IBAN._TAKEN, "pattern": r"^[ \t]*[A-Za-z](?: *[A-Za-z0-9]){14,33}[ \t]*$"}
        del taken["maxLength"]
        return taken


def _national() -> Callable[[str], bool]:
    from .national import wrong_check_digits

    return wrong_check_digits


def _known(countries: Collection[str], aspirational: bool) -> frozenset[str]:
    if isinstance(countries, str) or not isinstance(countries, Collection):
        raise TypeError(
            f"countries is a collection of prefixes, as in ('DE',), not {type(countries).__name__}"
        )
    taken = COUNTRIES | ASPIRATIONAL if aspirational else COUNTRIES
    if not all(isinstance(code, str) for code in countries):
        raise TypeError("countries holds something that is no str")
    unknown = unknown_names(countries, taken)
    if unknown or not countries:
        what = f"has {', '.join(unknown)}, not in the registry" if unknown else "is empty"
        fix = "prefixes are as in DE, GB, FR"
        if unknown and ASPIRATIONAL.issuperset(unknown):
            fix = "aspirational=True takes such countries"
        raise ValueError(f"countries {what} (release {REGISTRY_RELEASE}): {fix}")
    return frozenset(countries)
