"""Check digits that a country has inside its account numbers, by python-stdnum (extra ``national``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from ..._pure._iban_table import TERRITORIES

__all__ = ["COUNTRIES", "wrong_check_digits"]

_MOD_97_10 = "stdnum.iso7064.mod_97_10"

# Country: python-stdnum's module, and the parts of the account number (after the check digits of the IBAN)
# that it judges. Each takes the registry's example of its country.
_CHECKS: dict[str, tuple[str, Callable[[str], tuple[str, ...]]]] = {
    "BA": (_MOD_97_10, lambda bban: (bban,)),
    "BE": ("stdnum.be.iban", lambda bban: (bban,)),
    "CZ": ("stdnum.cz.bankaccount", lambda bban: (f"{bban[4:10]}-{bban[10:]}/{bban[:4]}",)),
    "ES": ("stdnum.es.ccc", lambda bban: (bban,)),
    "FI": ("stdnum.luhn", lambda bban: (bban,)),
    "HR": ("stdnum.iso7064.mod_11_10", lambda bban: (bban[:7], bban[7:])),
    "ME": (_MOD_97_10, lambda bban: (bban,)),
    "MK": (_MOD_97_10, lambda bban: (bban,)),
    "NO": ("stdnum.no.kontonr", lambda bban: (bban,)),
    "PT": (_MOD_97_10, lambda bban: (bban,)),
    "RS": (_MOD_97_10, lambda bban: (bban,)),
    "SI": (_MOD_97_10, lambda bban: (bban,)),
    "SK": ("stdnum.cz.bankaccount", lambda bban: (f"{bban[4:10]}-{bban[10:]}/{bban[:4]}",)),
    "ST": (_MOD_97_10, lambda bban: (bban,)),
    "TL": (_MOD_97_10, lambda bban: (bban,)),
    "XK": (_MOD_97_10, lambda bban: (bban,)),
}

#: Countries whose national check digits are judged; those of any other are not looked at.
COUNTRIES: frozenset[str] = frozenset(_CHECKS)

try:
    from stdnum.exceptions import InvalidChecksum, ValidationError
except ImportError as _missing:
    raise ImportError(
        "national check digits need python-stdnum: pip install 'foobara-accel[national]'"
    ) from _missing


@cache
def _judge(country: str) -> Any:
    return import_module(_CHECKS[country][0]).validate


def wrong_check_digits(iban: str) -> bool:
    """Return True when the national check digits of a valid IBAN in its canonical form are wrong.

    False for a country that is not in ``COUNTRIES``. python-stdnum also refuses numbers of banks that its
    lists lack; that is no matter of check digits, and not looked at.
    """
    country = TERRITORIES.get(iban[:2], iban[:2])  # AX has the account numbers of FI
    if country not in _CHECKS:
        return False
    for part in _CHECKS[country][1](iban[4:]):
        try:
            _judge(country)(iban if country == "BE" else part)
        except InvalidChecksum:
            return True
        except ValidationError:
            continue
    return False
