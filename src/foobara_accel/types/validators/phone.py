"""PhoneNumberValidator: libphonenumber's verdict on a phone number, in any form."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, cast

from ..._backend import phone
from .. import _numbering
from .._known import Known
from .._masked import Masked
from ..phones import ANY_FORM, PhoneNumber, canonical_of, is_valid_phone, mask_phone
from .numbers import NumberValidator, Verdict

__all__ = ["PhoneNumberValidator", "PhoneVerdict"]

Output = Literal["e164", "international", "national", "rfc3966"]

_OUTPUTS = ("e164", "international", "national", "rfc3966")
_BOTH = "fixed_line_or_mobile"


class PhoneVerdict(Verdict):
    """What PhoneNumberValidator says of one value.

    Rules: type, empty, form, region, calling_code, too_short, too_long, unassigned, region_not_allowed,
    type_not_allowed. Of a valid number there are ``e164``, ``region``, ``type``, ... as a PhoneNumber has
    them.
    """

    __slots__ = ()

    @staticmethod
    def _mask(canonical: str) -> str:
        return mask_phone(canonical)

    @property
    def number(self) -> PhoneNumber | None:
        """The number as a PhoneNumber."""
        return None if self.canonical is None else PhoneNumber._made(self.canonical)

    @property
    def e164(self) -> str | None:
        """ "+", calling code and number, without an extension."""
        return self._of("e164")

    @property
    def extension(self) -> str | None:
        """The digits of the extension; empty when there is none."""
        return self._of("extension")

    @property
    def calling_code(self) -> str | None:
        """The one to three digits after the "+"."""
        return self._of("calling_code")

    @property
    def region(self) -> str | None:
        """The region that it belongs to; "001" for a number of no region."""
        return self._of("region")

    @property
    def type(self) -> str | None:
        """What kind of number it is: mobile, fixed_line, toll_free, ..."""
        return self._of("type")

    @property
    def international(self) -> str | None:
        """The number as it is written for readers abroad. Needs phonenumbers."""
        return self._of("international")

    @property
    def national(self) -> str | None:
        """The number as it is written in its region. Needs phonenumbers."""
        return self._of("national")

    def _of(self, name: str) -> str | None:
        number = self.number
        return None if number is None else getattr(number, name)


@dataclass(frozen=True)
class PhoneNumberValidator(NumberValidator[PhoneVerdict]):
    """Checks a phone number: exactly what libphonenumber calls valid.

    *region* (ISO 3166-1 alpha-2) is where a number without "+" is dialled from; None takes none such. It
    does not limit what is valid: *regions* does, to numbers of these regions, and *types* to these kinds of
    number (where a plan cannot tell fixed lines from mobiles, either name takes both). *output* has
    ``process`` return e164, international, national or rfc3966 instead of the value; a number of another
    calling code than that of *region* is written internationally where national is asked for, as it would
    be another number there. Raises ValueError or TypeError for options that mean nothing.
    """

    region: str | None = "US"
    _: KW_ONLY
    regions: Collection[str] | None = None
    types: Collection[str] | None = None
    output: Output | None = None

    _TYPE: ClassVar[type[Masked]] = PhoneNumber

    def __post_init__(self) -> None:
        object.__setattr__(self, "canonical", False)  # what ``process`` returns is up to *output*
        name = type(self).__name__
        object.__setattr__(self, "region", phone.known_region(self.region, name))
        if self.regions is not None:
            regions = _collection(self.regions, "regions")
            for each in regions - {"001"}:
                phone.known_region(each, name)
            object.__setattr__(self, "regions", regions)
        if self.types is not None:
            types = _collection(self.types, "types")
            if types - set(_numbering.types()):
                raise ValueError(f"types are some of {', '.join(_numbering.types())}")
            object.__setattr__(self, "types", types)
        if self.output is not None and self.output not in _OUTPUTS:
            raise ValueError(f"output is one of {', '.join(_OUTPUTS)}, or None for the value as it is")
        bare = self.regions is None and self.types is None and self.output is None
        object.__setattr__(self, "_bare", bare)

    def process(self, value: str) -> str:
        """Return *value*, or the number in the form that *output* asks for.

        Raises ValueError that names the rule broken and never holds the number, TypeError for what is neither
        a str nor a PhoneNumber, ImportError where phonenumbers is needed and missing.
        """
        bare: bool = self._bare  # type: ignore[attr-defined]
        if bare and type(value) is str and is_valid_phone(value, self.region):
            return value
        found = super().process(value)
        if self.output is None:
            return found
        number = found if isinstance(found, PhoneNumber) else self.validate(found).number
        return self._written(number)

    def validate(self, value: Any) -> PhoneVerdict:
        """Return the verdict on *value*: rule and reason, or canonical form, region and type."""
        if issubclass(type(value), PhoneNumber):  # not isinstance: an object may claim another __class__
            return self._allowed(value.canonical, value.region, value.type)
        if not issubclass(type(value), str):
            return PhoneVerdict(*self._type_verdict(value))
        found = _numbering.read(str.__str__(value), self.region)
        if isinstance(found, str):
            return PhoneVerdict(None, found, _numbering.RULES[found])
        return self._allowed(canonical_of(found), found[2], found[3])

    def _allowed(self, canonical: str, region: str, kind: str) -> PhoneVerdict:
        if self.regions is not None and region not in self.regions:
            told = f"is of none of the regions {', '.join(sorted(self.regions))}"
            return PhoneVerdict(None, "region_not_allowed", told)
        kinds = {kind, "fixed_line", "mobile"} if kind == _BOTH else {kind}
        if self.types is not None and kinds.isdisjoint(self.types):
            told = f"is of none of the types {', '.join(sorted(self.types))}"
            return PhoneVerdict(None, "type_not_allowed", told)
        return PhoneVerdict(canonical)

    def _known(self, cls: type[Masked] | None) -> Known | None:
        if type(self) is not PhoneNumberValidator or (cls is None and self.output not in (None, "e164")):
            return None
        kinds = _numbering.kinds_as_written()
        if self.regions is not None or self.types is not None:
            kinds = _numbering.kinds_where(lambda region, kind: bool(self._allowed("", region, kind)))
        return Known("phone", cls, anew=True, kinds=kinds, call=phone.examine)

    def _text_of_field(self, value: Any) -> Any:
        found = self._of_field(value)
        return value if self.output is None else self._written(PhoneNumber._made(found))

    def _written(self, number: Any) -> str:
        output = self.output
        if output == "national" and self.region is not None:
            home = _numbering.library().country_code_for_region(self.region)
            if number.calling_code != str(home):
                output = "international"
        return str(getattr(number, cast(str, output)))

    def _taken(self) -> dict[str, Any]:
        region = self.region
        if self.regions is not None and region not in self.regions:
            region = min(self.regions)
        example = _numbering.example(region)
        taken = {**PhoneNumber._TAKEN, "examples": [example]}
        if self.region is not None:
            taken["pattern"] = ANY_FORM
        if not self.validate(example):  # of another type than is allowed
            del taken["examples"]
        return taken


def _collection(given: Any, name: str) -> frozenset[str]:
    if isinstance(given, str) or not isinstance(given, Collection):
        raise TypeError(f"{name} is a collection of names, not {type(given).__name__}")
    if not given:
        raise ValueError(f"{name} is empty, so that no number could be valid: None takes all")
    if not all(isinstance(each, Hashable) for each in given):
        raise TypeError(f"{name} holds something that is no str")
    return frozenset(given)
