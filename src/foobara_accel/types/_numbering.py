"""Reading phone numbers: by the table where it is exact, by phonenumbers where it is not.

The keys of the caches here are phone numbers. Nothing shows, logs or hands out what they hold;
:func:`forget_phones` drops it.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import zlib
from array import array
from base64 import b64decode
from collections.abc import Callable
from functools import cache, lru_cache
from hashlib import blake2b
from types import ModuleType
from typing import Any, NamedTuple

from .._backend import phone
from .._pure import _phone_table as table

__all__ = [
    "RULES",
    "example",
    "forget_phones",
    "formatted",
    "kinds_as_written",
    "kinds_where",
    "phone_metadata",
    "read",
    "table_in_use",
    "types",
]

# Rule -> what a reader of the error is told; the number itself is never part of it.
RULES = {
    "empty": "is empty",
    "form": "cannot be read as a phone number",
    "region": "has no + and calling code, and no region says where it is dialled from",
    "calling_code": "begins with a calling code that does not exist",
    "too_short": "has too few digits",
    "too_long": "has too many digits",
    "unassigned": "is in no range that its numbering plan has assigned",
}

CACHED = 4096
LONGEST = 250  # phonenumbers parses nothing longer

# What a number was read as: E.164, extension, region, type. Or the rule that it breaks.
Reading = tuple[str, str, str, str]

_UNASSIGNED, _NO_CODE, _OTHER, _TOO_SHORT, _TOO_LONG = 0, 1, -1, -2, -3
_WHY = {_UNASSIGNED: "unassigned", _NO_CODE: "calling_code", _TOO_SHORT: "too_short", _TOO_LONG: "too_long"}
_DESCRIPTIONS = [
    "general_desc",
    "fixed_line",
    "mobile",
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
]
_JUDGE = 0xFFFF  # entry of the table that says nothing
_MISSING = (
    "reading this needs phonenumbers: pip install 'foobara-accel[phone]'. Without it, what is read is "
    "\"+\" and digits, such as '+12015550123', and written in that form alone"
)


class Tables(NamedTuple):
    """The unpacked table, in native byte order."""

    verdicts: array[int]
    details: array[int]
    kinds: array[int]


@cache
def tables() -> Tables:
    """Return the table as it is in the package."""
    raw = array("H", zlib.decompress(b64decode(table.DATA)))
    if sys.byteorder == "big":
        raw.byteswap()
    details = 10 * table.VERDICTS
    kinds = details + 11 * table.DETAILS
    return Tables(raw[:details], raw[details:kinds], raw[kinds:])


@cache
def _regions() -> list[str]:
    return table.REGIONS.split()


@cache
def types() -> list[str]:
    """Return the types of numbers, by libphonenumber's own numbers of them."""
    return table.TYPES.split()


def example(region: str | None) -> str:
    """Return libphonenumber's example of *region* in E.164; of the US without one."""
    # 001, the first of the regions, is no region to dial from and has none.
    places = _regions()[1:]
    return table.EXAMPLES.split()[places.index(region if region in places else "US")]


# --- Which metadata decides ---


def installed_version() -> str | None:
    """Return the version of phonenumbers that an import would give, None for none; imports nothing."""
    loaded = sys.modules.get("phonenumbers")
    if loaded is not None:
        return _version(loaded)
    try:
        spec = importlib.util.find_spec("phonenumbers")
    except ValueError:
        return None
    if spec is None:
        return None
    try:
        source = spec.loader.get_source("phonenumbers")  # type: ignore[union-attr]
    except (AttributeError, ImportError, OSError):
        source = None
    found = re.search(r'^__version__ = "([^"]+)"', source or "", re.MULTILINE)
    return found[1] if found else _version(importlib.import_module("phonenumbers"))


def _version(module: ModuleType) -> str | None:
    # A folder or another module of that name has none.
    version = getattr(module, "__version__", None)
    return str(version) if version else None


@cache
def library() -> ModuleType:
    """Return phonenumbers, with its compiled patterns kept; ImportError that names the extra."""
    try:
        module = importlib.import_module("phonenumbers")
    except ImportError as error:
        raise ImportError(_MISSING, name="phonenumbers") from error
    if _version(module) is None:
        told = f"what is imported as phonenumbers is something else, and {_MISSING}"
        raise ImportError(told, name="phonenumbers", path=getattr(module, "__file__", None))
    # re keeps 512 patterns, the metadata has thousands: without this, numbers of many regions compile them
    # again and again (29 times slower over all regions).
    keep = getattr(module, "enable_pattern_cache", None)
    if keep is not None:
        keep()
    if str(module.__version__) != (_assumed or table.VERSION):
        _prepare()  # another than was found before it was imported
    return module


def parser_fingerprint(module: ModuleType) -> str:
    """Return what changes when the code that reads numbers does."""
    made = blake2b(digest_size=16)
    for name in ("phonenumberutil", "phonemetadata", "re_util"):
        loader = sys.modules[f"{module.__name__}.{name}"].__spec__.loader  # type: ignore[union-attr]
        source = loader.get_source(f"{module.__name__}.{name}")  # type: ignore[union-attr]
        made.update("\n".join(source.splitlines()).encode())
    return made.hexdigest()


def code_fingerprint(module: ModuleType, code: int) -> str:
    """Return what changes when the metadata that decides about numbers of a calling code does."""
    read: list[Any] = []
    for region in module.COUNTRY_CODE_TO_REGION_CODE[code]:
        found = module.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        read += [region, found.leading_digits, found.same_mobile_and_fixed_line_pattern]
        read += [found.national_prefix_for_parsing, found.national_prefix_transform_rule]
        for name in _DESCRIPTIONS:
            each = getattr(found, name)
            if each is not None:
                read += [name, each.national_number_pattern]
                read += [tuple(each.possible_length), tuple(each.possible_length_local_only)]
    return blake2b(repr(read).encode(), digest_size=8).hexdigest()


def _without_changed(module: ModuleType) -> tuple[array[int], str]:
    """Return the verdicts without the calling codes that *module* has other metadata of, and a word on it."""
    ours = dict(zip(table.CODES.split(), table.FINGERPRINTS.split(), strict=True))
    theirs = module.COUNTRY_CODE_TO_REGION_CODE
    if parser_fingerprint(module) != table.PARSER:
        return array("H"), "its parser is another: phonenumbers decides"
    if set(map(str, theirs)) != set(ours):
        return array("H"), "it has other calling codes: phonenumbers decides"
    changed = [code for code in sorted(theirs) if code_fingerprint(module, code) != ours[str(code)]]
    rows = tables().verdicts[:]
    for code in map(str, changed):
        at = 1
        for digit in code[:-1]:
            at = rows[10 * at + int(digit)]
        rows[10 * at + int(code[-1])] = _JUDGE
    told = ", ".join(f"+{code}" for code in changed) or "none"
    return rows, f"phonenumbers decides about what it changed: {told}"


_assumed: str | None = None
_decides = ""
_in_use = (b"", 0, b"")
_codes = frozenset(table.CODES.split())


def _prepare() -> None:
    """Give the twin its table, or as much of it as holds for the phonenumbers that is installed."""
    global _assumed, _codes, _decides, _in_use
    _assumed = version = installed_version()
    if version is None or version == table.VERSION:
        rows, regions = tables().verdicts, _regions()[1:]
        _decides = f"phone table {table.VERSION}, " + ("phonenumbers too" if version else "no phonenumbers")
    else:
        module = library()
        rows, told = _without_changed(module)
        regions = sorted(module.SUPPORTED_REGIONS)
        _codes = frozenset(map(str, module.COUNTRY_CODE_TO_REGION_CODE))
        _decides = f"phone table {table.VERSION}, phonenumbers {version}: {told}"
    _in_use = rows.tobytes(), table.VALID, tables().details.tobytes()
    phone.use(regions, *_in_use)


def table_in_use() -> tuple[bytes, int, bytes]:
    """Return verdicts, the row before which numbers end, and details, as the twin has them; b"" without."""
    phone.known_region(None, "table_in_use")
    return _in_use


def phone_metadata() -> str:
    """Return in one line which metadata decides: the table's version, that of phonenumbers, what follows."""
    phone.known_region(None, "phone_metadata")
    return _decides


# --- Reading ---


def read(text: str, region: str | None) -> Reading | str:
    """Return what *text* is, or the rule that it breaks; *region* is a known one."""
    kind = phone.examine(text)
    if kind > _NO_CODE:
        place, type_, edit = tables().kinds[3 * kind : 3 * kind + 3]
        if edit:
            before, start, stop, rest = table.EDITS[edit - 1]
            after = len(calling_code(text)) + 1
            digits = text[after:]
            text = f"{text[:after]}{before}{digits[start:stop]}{digits[rest:]}"
        return text, "", _regions()[place], types()[type_]
    if kind == _OTHER or (kind == _NO_CODE and region is not None):
        return _other(text, region)
    return _WHY[kind]


@cache
def kinds_as_written() -> bytes:
    """Return a 1 for each kind of number whose canonical form is the text itself; 0 where digits change."""
    return bytes(edit == 0 for edit in tables().kinds[2::3])


def kinds_where(allowed: Callable[[str, str], bool]) -> bytes:
    """Return the same with a 1 only where *allowed* is true of region and type."""
    kinds = tables().kinds
    pairs = zip(kinds_as_written(), kinds[::3], kinds[1::3], strict=True)
    return bytes(same and allowed(_regions()[place], types()[kind]) for same, place, kind in pairs)


def calling_code(e164: str) -> str:
    """Return the calling code that *e164* begins with."""
    return next(e164[1:end] for end in (2, 3, 4) if e164[1:end] in _codes)


def formatted(canonical: str, form: str) -> str:
    """Return *canonical* as phonenumbers writes it: international, national or rfc3966."""
    return _formatted(canonical, form.upper())


def forget_phones() -> None:
    """Drop every phone number that is cached."""
    _judged.cache_clear()
    _formatted.cache_clear()


def _judge(text: str, region: str | None) -> bool:
    return type(_other(text, region)) is tuple


def _other(text: str, region: str | None) -> Reading | str:
    if not text:
        return "empty"
    if len(text) > LONGEST:
        return "too_long"
    # The form that canonical has with an extension needs no phonenumbers either.
    number, mark, extension = text.partition(";ext=")
    if mark and len(extension) <= 20 and extension.isascii() and extension.isdigit():
        found = read(number, None) if phone.examine(number) > _NO_CODE else ""
        if type(found) is tuple:
            return found[0], extension, found[2], found[3]
    return _judged(text, region)


@lru_cache(CACHED)
def _judged(text: str, region: str | None) -> Reading | str:
    module = library()
    try:
        number = module.parse(text, region)
    except module.NumberParseException as error:
        return _parse_rule(module, error.error_type, text)
    e164: str = module.format_number(number, module.PhoneNumberFormat.E164)
    if module.is_valid_number(number):
        kind: str = module.PhoneNumberType.to_string(module.number_type(number))
        return e164, _ascii(number.extension or ""), module.region_code_for_number(number), kind.lower()
    why = phone.examine(e164)
    if why == _OTHER:
        possible = module.is_possible_number_with_reason(number)
        short = (module.ValidationResult.TOO_SHORT, module.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)
        why = _TOO_SHORT if possible in short else _UNASSIGNED
        why = _TOO_LONG if possible == module.ValidationResult.TOO_LONG else why
    return _WHY.get(why, "unassigned")


def _ascii(digits: str) -> str:
    """Return digits of any script as 0-9: libphonenumber keeps those of an extension as they were written."""
    return "".join(str(int(digit)) for digit in digits)


def _parse_rule(module: ModuleType, error_type: int, text: str) -> str:
    kinds = module.NumberParseException
    if error_type == kinds.INVALID_COUNTRY_CODE:
        return "calling_code" if "+" in text or "\uff0b" in text else "region"
    if error_type in (kinds.TOO_SHORT_AFTER_IDD, kinds.TOO_SHORT_NSN):
        return "too_short"
    return "too_long" if error_type == kinds.TOO_LONG else "form"


@lru_cache(CACHED)
def _formatted(canonical: str, form: str) -> str:
    module = library()
    written: str = module.format_number(module.parse(canonical), getattr(module.PhoneNumberFormat, form))
    return written


phone.bind(_prepare, _judge)
