"""Luhn, IBAN and plain text of one string, in Python. Twin of foobara_accel._ext.checks.

Strict means the electronic form, character for character. ``lenient=True`` also takes the display form:
blanks (U+0020, U+0009) around it; inside, spaces, and for a card hyphens between digits; IBAN letters in
either case. Nothing but ASCII is ever accepted. A rule is named, never the value.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from operator import index

from ._iban_table import ASPIRATIONAL, COUNTRIES, LISTED_ONLY, TERRITORIES
from ._texts import capitalized, text_of

__all__ = ["capitalized_ascii", "is_plain_html", "is_valid_card", "is_valid_iban", "parse_card", "parse_iban"]

_CARD_LEAST, _CARD_MIN, _CARD_MAX = 8, 12, 19
_BLANKS = " \t"
_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Za-z0-9]"}

# What a digit's code adds to the Luhn sum when it is doubled.
_DOUBLED = bytes((2 * (code - 48) - 9 * (code > 52)) % 256 for code in range(256))
_card_display = re.compile(r"[0-9](?:[0-9 -]*[0-9])?").fullmatch
_expand = {char: str(int(char, 36)) for char in _DIGITS + _LETTERS}.__getitem__

# Per prefix: match of the whole structure, the prefix as digits. Made at first use: all patterns take 20 ms.
_Plan = tuple[Callable[[str], object], str]
_plans: dict[str, _Plan] = {}


def is_valid_card(value: str, /, *, lenient: object = False) -> bool:
    """Return True for 12 to 19 digits with a right Luhn sum (ISO/IEC 7812-1).

    ``lenient=True`` takes the display form too. Raises TypeError for anything but a str.
    """
    if type(value) is not str:
        value = text_of(value, "is_valid_card")
    if _CARD_MIN <= len(value) <= _CARD_MAX and value.isascii() and value.isdigit() and _luhn(value):
        return True
    return bool(lenient) and not _card(value, True, _CARD_MIN)[1]


def is_valid_iban(value: str, /, *, lenient: object = False, aspirational: object = False) -> bool:
    """Return True for an IBAN of a registered country: structure, length, check digits 02-98, ISO 7064 sum.

    ``lenient=True`` takes the display form too, and AX, which the registry lists under FI;
    ``aspirational=True`` countries that use IBANs without being in the registry. Raises TypeError for
    anything but a str.
    """
    if type(value) is not str:
        value = text_of(value, "is_valid_iban")
    code = value[:2]
    plan = _plans.get(code) or _plan(code, False, bool(aspirational))
    if plan and plan[0](value) and "02" <= value[2:4] <= "98" and _mod97(value, plan[1]) == 1:
        return True
    return bool(lenient) and not _iban(value, True, bool(aspirational))[1]


def parse_card(value: str, /, *, lenient: object = False, min_digits: int = _CARD_MIN) -> tuple[str, str]:
    """Return ``(canonical, "")``, or ``("", rule)`` with the first rule broken.

    Rules: empty, character, length, checksum. Raises TypeError for anything but a str, ValueError for
    *min_digits* outside 8 to 19.
    """
    text, lenient, min_digits = text_of(value, "parse_card"), bool(lenient), index(min_digits)
    if not _CARD_LEAST <= min_digits <= _CARD_MAX:
        raise ValueError(f"min_digits is {_CARD_LEAST} to {_CARD_MAX}, not {min_digits!r}")
    return _card(text, lenient, min_digits)


def parse_iban(value: str, /, *, lenient: object = False, aspirational: object = False) -> tuple[str, str]:
    """Return ``(canonical, "")``, or ``("", rule)`` with the first rule broken; canonical is in upper case.

    ``aspirational=True`` takes countries that use IBANs without being in the registry.
    Rules: empty, character, country, length, structure, check_digits, checksum. Raises TypeError for anything
    but a str.
    """
    return _iban(text_of(value, "parse_iban"), bool(lenient), bool(aspirational))


def is_plain_html(value: str, /) -> bool:
    """Return True for text that a parser and writer of HTML gives back unchanged: it has no markup.

    False for ``& < >``, NUL, CR, U+00A0 and surrogates anywhere, and for U+FEFF at the start. Raises
    TypeError for anything but a str.
    """
    if type(value) is not str:
        value = text_of(value, "is_plain_html")
    if "<" in value or "&" in value or ">" in value or "\r" in value or "\0" in value:
        return False
    if value.isascii():
        return True
    if value[0] == "\ufeff" or "\xa0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a surrogate; looking for one by pattern takes eight times as long
        return False
    return True


def capitalized_ascii(value: object, /) -> str | None:
    """Return a str of ASCII with each word as ``str.capitalize`` writes it, None for anything else.

    A word ends at white space, which stays as it is.
    """
    if type(value) is not str or not value.isascii():
        return None
    return capitalized(value)


def _card(text: str, lenient: object, least: int) -> tuple[str, str]:
    if lenient:
        text = text.strip(_BLANKS)
        if text and not _card_display(text):
            return "", "character"
        text = text.replace(" ", "").replace("-", "")
    rule = _card_rule(text, least)
    return ("", rule) if rule else (text, "")


def _card_rule(text: str, least: int) -> str:
    if not text:
        return "empty"
    if not (text.isascii() and text.isdigit()):
        return "character"
    if not least <= len(text) <= _CARD_MAX:
        return "length"
    return "" if _luhn(text) else "checksum"


def _luhn(digits: str) -> bool:
    codes = digits.encode()
    plain = codes[-1::-2]
    # An undoubled digit counts with its code, 48 (8 modulo 10) too much.
    return (sum(plain) + 2 * len(plain) + sum(codes[-2::-2].translate(_DOUBLED))) % 10 == 0


def _iban(text: str, listed: bool, aspirational: bool) -> tuple[str, str]:
    if listed:
        text = text.strip(_BLANKS).replace(" ", "")
    rule = "empty" if not text else "character" if not (text.isascii() and text.isalnum()) else ""
    if rule:
        return "", rule
    rule = _iban_rule(text.upper() if listed else text, listed, aspirational)
    return ("", rule) if rule else (text.upper(), "")


def _iban_rule(text: str, listed: bool, aspirational: bool) -> str:
    code = text[:2]
    plan = _plan(code, listed, aspirational)
    if plan is None:
        return "country"
    if len(text) != 4 + len(_classes(code)):
        return "length"
    if not plan[0](text):
        return "structure"
    if not "02" <= text[2:4] <= "98":
        return "check_digits"
    return "" if _mod97(text, plan[1]) == 1 else "checksum"


def _mod97(text: str, prefix: str) -> int:
    bban = text[4:]
    letters = bban.rstrip(_DIGITS)
    if letters:
        bban = "".join(map(_expand, letters)) + bban[len(letters) :]
    return int(f"{bban}{prefix}{text[2:4]}") % 97


def _classes(code: str) -> str:
    structure = (COUNTRIES.get(TERRITORIES.get(code, code)) or ASPIRATIONAL[code])[0]
    return "".join(kind * int(count) for count, kind in re.findall(r"([0-9]+)!([nac])", structure))


def _plan(code: str, listed: bool, aspirational: bool) -> _Plan | None:
    """The plan of a prefix; None when it is unknown, of the display form and *listed* is false, or of no
    registered country and *aspirational* is false."""
    if code in ASPIRATIONAL:
        return _made_plan(code) if aspirational else None
    if TERRITORIES.get(code, code) not in COUNTRIES or (code in LISTED_ONLY and not listed):
        return None
    plan = _plans.get(code)
    if plan is None:
        plan = _made_plan(code)
        # The others stay out: what is in the table is accepted by the strict form.
        if code not in LISTED_ONLY:
            _plans[code] = plan
    return plan


@functools.cache
def _made_plan(code: str) -> _Plan:
    bban = "".join(map(_CLASSES.__getitem__, _classes(code)))
    return re.compile(f"{code}[0-9][0-9]{bban}").fullmatch, "".join(str(int(char, 36)) for char in code)


for _function in (is_plain_html, is_valid_card, is_valid_iban, parse_card, parse_iban):
    _function.__module__ = "foobara_accel.types"
del _function
