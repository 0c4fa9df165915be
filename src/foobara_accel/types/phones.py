"""Phone numbers: libphonenumber's verdict, and the parsed form, which shows no more than it must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, LiteralString

from .._backend import phone
from .._pure._texts import text_of
from . import _numbering
from ._known import Known
from ._masked import Masked
from ._numbering import forget_phones, phone_metadata

__all__ = ["PhoneNumber", "forget_phones", "is_valid_phone", "parse_phone", "phone_metadata"]

if TYPE_CHECKING:
    from .._pure.phone import is_valid_phone
else:
    is_valid_phone = phone.is_valid_phone

# What a field asks for in its JSON schema; it takes what else libphonenumber reads, too.
_EXTENSION = "(?:(?:;ext=| ext\\. ?| ?x ?)[0-9]{1,20})?$"
_INTERNATIONAL = f"^\\+[0-9 .\\(\\)\\/\\-]*[0-9]{_EXTENSION}"
ANY_FORM = f"^[\\+\\(]?[0-9 .\\(\\)\\/\\-]*[0-9]{_EXTENSION}"


def canonical_of(found: _numbering.Reading) -> str:
    """Return E.164, with the extension as RFC 3966 writes it."""
    return f"{found[0]};ext={found[1]}" if found[1] else found[0]


def _read(value: Any, *, lenient: bool = False) -> tuple[str, str]:
    found = _numbering.read(text_of(value, "PhoneNumber"), None)
    return ("", found) if isinstance(found, str) else (canonical_of(found), "")


class PhoneNumber(Masked):
    """A valid phone number; made by :func:`parse_phone`.

    ``str()``, ``repr()``, formatting and JSON show the masked form; ``canonical``, ``e164``,
    ``international``, ``national`` and ``rfc3966`` are whole. As the type of a Pydantic field it takes any
    form with "+" and a calling code; ``PhoneNumber["US"]`` also takes numbers as they are dialled there,
    and ``Annotated[PhoneNumber, PhoneNumberValidator(...)]`` what that validator does.
    """

    __slots__ = ()

    _SYMBOL: ClassVar[LiteralString] = "phone_number"
    _WHAT: ClassVar[str] = "phone number"
    _RULES: ClassVar[dict[str, str]] = _numbering.RULES
    _check: ClassVar[Any] = staticmethod(_read)
    _TAKEN: ClassVar[dict[str, Any]] = {
        "format": "phone",
        "pattern": _INTERNATIONAL,
        "maxLength": _numbering.LONGEST,
        "examples": ["+12015550123"],
    }
    _SHOWN: ClassVar[dict[str, Any]] = {
        "format": "masked-phone",
        "pattern": r"^\+[0-9]{1,3} \*{4} [0-9]{2}$",
        "examples": ["+1 **** 23"],
    }

    def __class_getitem__(cls, region: str) -> Any:
        """The type of a field that also takes numbers as they are dialled in *region*, such as "US"."""
        from .validators.phone import PhoneNumberValidator

        return Annotated[cls, PhoneNumberValidator(region=region)]

    @property
    def e164(self) -> str:
        """ "+", calling code and number (ITU-T E.164), without an extension."""
        return self.canonical.partition(";")[0]

    @property
    def extension(self) -> str:
        """The digits of the extension; empty when there is none."""
        return self.canonical.partition(";ext=")[2]

    @property
    def calling_code(self) -> str:
        """The one to three digits after the "+"."""
        return _numbering.calling_code(self.canonical)

    @property
    def region(self) -> str:
        """The region that it belongs to (ISO 3166-1 alpha-2); "001" for a number of no region."""
        return self._reading()[2]

    @property
    def type(self) -> str:
        """What kind of number it is: mobile, fixed_line, fixed_line_or_mobile, toll_free, voip, ..."""
        return self._reading()[3]

    @property
    def international(self) -> str:
        """The number as it is written for readers abroad. Needs phonenumbers."""
        return _numbering.formatted(self.canonical, "international")

    @property
    def national(self) -> str:
        """The number as it is written in its region. Needs phonenumbers."""
        return _numbering.formatted(self.canonical, "national")

    @property
    def rfc3966(self) -> str:
        """The number as a ``tel:`` URI. Needs phonenumbers."""
        return _numbering.formatted(self.canonical, "rfc3966")

    @property
    def masked(self) -> str:
        """The calling code and the last two digits."""
        return mask_phone(self.canonical)

    @classmethod
    def _told(cls, value: str, rule: str, lenient: bool) -> str:
        return told(rule)

    @classmethod
    def _known(cls) -> Known | None:
        if cls is not PhoneNumber:
            return None
        return Known("phone", cls, kinds=_numbering.kinds_as_written(), call=phone.examine)

    def _reading(self) -> _numbering.Reading:
        found = _numbering.read(self.e164, None)
        if isinstance(found, str):  # other metadata than it was read with
            raise ValueError(told(found))
        return found


PhoneNumber.__module__ = "foobara_accel.types.phones"


def parse_phone(value: str, /, region: str | None = None) -> PhoneNumber:
    """Return the parsed phone number.

    *region* (ISO 3166-1 alpha-2, such as "US") is where a number without "+" is dialled from. Raises
    ValueError that names the rule broken (empty, form, region, calling_code, too_short, too_long,
    unassigned) and never holds the number, or for an unknown region; TypeError for anything but a str;
    ImportError where phonenumbers is needed and missing.
    """
    text = text_of(value, "parse_phone")
    found = _numbering.read(text, phone.known_region(region, "parse_phone"))
    if isinstance(found, str):
        raise ValueError(told(found))
    return PhoneNumber._made(canonical_of(found))


def mask_phone(canonical: str) -> str:
    """Return the calling code and the last two digits; how many are between does not show."""
    return f"+{_numbering.calling_code(canonical)} **** {canonical.partition(';')[0][-2:]}"


def told(rule: str) -> str:
    """Return the message for *rule*."""
    more = "; region='US' reads it as dialled in the US" if rule == "region" else ""
    return f"phone number {_numbering.RULES[rule]} (rule: {rule}){more}"
