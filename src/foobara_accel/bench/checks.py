"""The cases of the types: card numbers, IBANs and phones as single values and as columns, plain HTML, words.

The unit of a single value is a call of a C function that does nothing, in a loop of the same form; beside it
stand the packages that answer the same question, where they are installed. A column is held against a pass
that only reads the same bytes. The scripts under benchmarks/ take values and peers from here.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from string import ascii_uppercase, digits
from typing import Any

from .._pure import _iban_table as table
from .cases import CARD, IBAN, Case, Loop

__all__ = ["COMMON_PHONES", "PLAIN", "build", "cards", "ibans", "peers"]

Call = Callable[[str], Any]

COMMON_PHONES = (
    "+12015550123",
    "+442079460018",
    "+447400123456",
    "+4915123456789",
    "+33612345678",
    "+919876543210",
    "+8613812345678",
    "+5511961234567",
)
PLAIN = "Thank you for the parcel, it came on Tuesday at noon"
TEN = ("AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "NL", "PL")

# 64 MB of cards, more than caches hold; the pure twin, a hundred times as slow, is timed by the few.
ROWS, FEW = 4_000_000, 2_048


def cards(
    rng: random.Random,
    corrupt: float,
    lengths: Sequence[int] = (13, 15, 16, 16, 16, 16, 19),
    count: int = 200,
) -> list[str]:
    """Return card numbers of these lengths, that part of them with one digit changed."""
    found = []
    for _ in range(count):
        length = rng.choice(lengths)
        body = [int(digit) for digit in rng.choices(digits, k=length - 1)]
        doubled = sum(sum(divmod(2 * digit, 10)) for digit in body[::-2])
        value = "".join(map(str, body)) + str(-(doubled + sum(body[-2::-2])) % 10)
        if rng.random() < corrupt:
            at = rng.randrange(length)
            value = value[:at] + str((int(value[at]) + rng.randrange(1, 10)) % 10) + value[at + 1 :]
        found.append(value)
    return found


def ibans(rng: random.Random, corrupt: float, letters: bool, count: int = 200) -> list[str]:
    """Return IBANs of ten countries, or with letters wherever they may stand; that part of them corrupted."""
    fills = {"n": digits, "a": ascii_uppercase, "c": ascii_uppercase * 2 + digits if letters else digits}
    codes = sorted(code for code, row in table.COUNTRIES.items() if "c" in row[0]) if letters else TEN
    found = []
    for _ in range(count):
        code = rng.choice(codes)
        parts = re.findall(r"([0-9]+)!([nac])", table.COUNTRIES[code][0])
        bban = "".join("".join(rng.choices(fills[kind], k=int(size))) for size, kind in parts)
        number = int("".join(str(int(char, 36)) for char in f"{bban}{code}00"))
        value = f"{code}{98 - number % 97:02}{bban}"
        if rng.random() < corrupt:
            at = rng.randrange(4, len(value))
            value = value[:at] + rng.choice("0123456789X-") + value[at + 1 :]
        found.append(value)
    return found


def _rphonenumbers(module: Any) -> Call:
    def judge(value: str) -> Any:
        try:
            return module.is_valid_number(module.parse(value))
        except module.NumberParseException:
            return False

    return judge


def _phonenumbers(module: Any) -> Call:
    # Without it, numbers of many regions compile patterns again and again: up to 29 times as long.
    module.enable_pattern_cache()
    return _rphonenumbers(module)


def _nh3(module: Any) -> Call:
    from ..types.transformers import html

    cleaner = module.Cleaner(
        tags=set(html.TAGS), attributes={tag: set(names) for tag, names in html.ATTRIBUTES.items()}
    )
    return cleaner.clean  # type: ignore[no-any-return]


# Case -> package -> module, and the call of it that answers the same question; schwifty refuses by exception.
_PEERS: dict[str, dict[str, tuple[str, Callable[[Any], Call]]]] = {
    "card": {"python-stdnum": ("stdnum.luhn", lambda module: module.is_valid)},
    "iban": {
        "iban_validation_py": ("iban_validation_py", lambda module: module.validate_iban),
        "schwifty": ("schwifty", lambda module: module.IBAN),
        "python-stdnum": ("stdnum.iban", lambda module: module.is_valid),
    },
    "phone": {
        "rphonenumbers": ("rphonenumbers", _rphonenumbers),
        "phonenumbers": ("phonenumbers", _phonenumbers),
    },
    "html": {"nh3": ("nh3", _nh3)},
}


def peers(case: str) -> dict[str, Callable[[], Call]]:
    """Return the installed packages that answer what *case* asks; each is imported when it is called for."""

    def later(name: str, call: Callable[[Any], Call]) -> Callable[[], Call]:
        return lambda: call(importlib.import_module(name))

    return {
        package: later(name, call)
        for package, (name, call) in _PEERS[case].items()
        if importlib.util.find_spec(name.partition(".")[0]) is not None
    }


def _nothing() -> Call:
    return callable


def _over(load: Callable[[], Call], values: Sequence[str]) -> Loop:
    """Return a loop over *values* with the call that *load* returns; it is loaded by the first pass."""
    loaded: list[Call] = []

    def one(times: Iterable[object]) -> None:
        if not loaded:
            loaded.append(load())
        call, value = loaded[0], values[0]
        for _ in times:
            call(value)

    def each(times: Iterable[object]) -> None:
        if not loaded:
            loaded.append(load())
        call = loaded[0]
        for _ in times:
            for value in values:
                call(value)

    loop = one if len(values) == 1 else each
    # The interpreter specialises a call where it stands in the code: each call has a copy of its own.
    loop.__code__ = loop.__code__.replace()
    return loop


def _case(key: str, title: str, call: Call, values: Sequence[str], floors: Iterable[str] = ("call",)) -> Case:
    """Return the case of *call* on *values*; *floors*: call, or peers of the case of that name."""
    found = {"call": _nothing, **(peers(key) if key in _PEERS else {})}
    names = tuple(name for name in floors if name in found)
    return Case(
        key,
        title,
        _over(lambda: call, values),
        lambda: [call(value) for value in values],
        names,
        {name: _over(found[name], values) for name in names},
        values=len(values),
    )


def build(package: str) -> list[Case]:
    """Return the cases of *package*; none for one that has no such types."""
    try:
        types = importlib.import_module(f"{package}.types")
        card, iban, phone = types.is_valid_card, types.is_valid_iban, types.is_valid_phone
        capitalize = types.CapitalizeTransformer().process
    except (ImportError, AttributeError):
        return []
    rng = random.Random(7)
    made = [
        _case("card", "card number (Luhn)", card, [CARD], ("call", "python-stdnum")),
        _case("card_mixed", "200 card numbers, 22 % corrupt", card, cards(rng, 0.22)),
        _case("iban", "IBAN", iban, [IBAN], ("call", "iban_validation_py", "schwifty", "python-stdnum")),
        _case("iban_mixed", "200 IBANs, half letters, 22 % corrupt", iban, ibans(rng, 0.22, True)),
        _case(
            "phone", "phone numbers, eight in E.164", phone, COMMON_PHONES,
            ("call", "rphonenumbers", "phonenumbers"),
        ),
        _case("capitalize", "words capitalised", capitalize, ["they're HERE, and nobody else is"]),
    ]  # fmt: skip
    return [*made, *_html(types), *_columns(package, card, iban)]


def _unchanged(process: Call, text: str) -> bool:
    return process(text) is text


def _html(types: Any) -> list[Case]:
    if "nh3" not in peers("html"):
        return []
    process = types.SanitizeHTMLTransformer().process
    cases = [("html", "HTML, 52 plain characters", PLAIN), ("html_long", "HTML, 5,200 of them", PLAIN * 100)]
    return [
        Case(
            key,
            title,
            _over(lambda: process, [text]),
            partial(_unchanged, process, text),
            ("nh3",),
            {"nh3": _over(peers("html")["nh3"], [text])},
        )
        for key, title, text in cases
    ]


def _columns(package: str, card: Call, iban: Call) -> list[Case]:
    if importlib.util.find_spec("numpy") is None:
        return []
    import numpy as np

    module = importlib.import_module(f"{package}.types.columns")
    rows = ROWS if importlib.import_module(package).backend().compiled else FEW

    def column(key: str, title: str, judge: Any, some: list[str], width: int) -> Case:
        # In an order that no branch prediction learns.
        order = np.random.default_rng(7).integers(0, len(some), rows)
        data = np.array(some, f"S{width}")[order].tobytes()
        array = np.frombuffer(data, f"S{width}")
        out = np.empty(rows, np.bool_)

        def judged(times: Iterable[object]) -> None:
            for _ in times:
                judge(array, out=out)

        def read(times: Iterable[object]) -> None:
            # memchr. ORing the same bytes by 32-byte loads takes about as long, as both wait for them, so no
            # kernel of its own is needed (benchmarks/columns.py reads so too).
            find = data.find
            for _ in times:
                find(b"\xfe")

        return Case(
            key, title, judged, lambda: int(judge(array[:FEW]).sum()), ("read",), {"read": read}, values=rows
        )

    def against_values(key: str, title: str, judge: Any, valid: Call, some: list[str], width: int) -> Case:
        array = np.array(some, f"S{width}")

        def judged(times: Iterable[object]) -> None:
            for _ in times:
                judge(array)

        def loop(times: Iterable[object]) -> None:
            for _ in times:
                [valid(text) for text in some]

        def once() -> list[int]:
            return [int(judge(array).sum()), sum(map(valid, some))]

        return Case(key, title, judged, once, ("loop",), {"loop": loop}, values=len(some))

    rng = random.Random(7)
    some_cards, some_ibans = cards(rng, 0.02, (16,), FEW), ibans(rng, 0.02, False, FEW)
    corrupt = ibans(rng, 0.22, False, FEW)
    luhn, mod97 = module.luhn_valid, module.iban_valid
    return [
        column("luhn_column", "column of card numbers (S16), 2 % wrong", luhn, some_cards, 16),
        column("iban_column", "column of IBANs (S34), 22 % corrupt", mod97, corrupt, 34),
        against_values("luhn_rows", "2,048 card numbers (S16)", luhn, card, some_cards, 16),
        against_values("iban_rows", "2,048 IBANs (S34)", mod97, iban, some_ibans, 34),
    ]
