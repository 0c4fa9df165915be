"""Phone verdicts held against phonenumbers on generated and mutated data.

    python tests/differential_phones.py --cases 1000000 [--seed 1]

Each value is judged by both backends, which must agree, and by ``is_valid_number(parse(value, region))``: the
verdict, and of a valid number E.164, extension, region and type. No disagreement is explained away;
the digits of an extension, which phonenumbers keeps in the script in which they came, are compared as ASCII.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType

from foobara_accel.testing import load_twin

DIGITS = "0123456789"
# Zeros of other scripts, each followed by its digits: full-width, Arabic-Indic (two), Devanagari, bold.
ZEROS = "\uff10\u0660\u06f0\u0966\U0001d7ce"
ODD = " -./()x#~,;*:_\t\n\0\xa0\xad\xb2\u2010\u2013\u200b\u2060\u30fc\uff0b\uff0d\uff0e\uff58"
ODD += "\ufb01\ud800\u0434ABCxyz"
SEPARATORS = (" ", "-", ".", " (", ") ", "/", "  ", "\xa0", "\u2011", "")
EXTENSIONS = (
    ";ext=",
    " ext. ",
    " x",
    "x",
    " extn ",
    "#",
    ",,",
    " anexo ",
    ";",
    "\u0434\u043e\u0431",
    " int ",
)
PREFIXES = ("0", "1", "8", "00", "011", "80", "15", "90", "003768", "0549", "06", "9", "0015", "+", "\uff0b")
TYPES = range(11)


class Numbers:
    """What is generated: each kind of value by its share of the cases."""

    def __init__(self, phonenumbers: ModuleType, rng: random.Random) -> None:
        self.pn, self.rng = phonenumbers, rng
        self.regions = sorted(phonenumbers.SUPPORTED_REGIONS)
        self.codes = sorted(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
        formats = phonenumbers.PhoneNumberFormat
        self.formats = (formats.NATIONAL, formats.INTERNATIONAL, formats.RFC3966)
        self.examples = []
        for region in self.regions:
            for kind in TYPES:
                number = phonenumbers.example_number_for_type(region, kind)
                if number is not None:
                    self.examples.append((region, number))
        for code in self.codes:
            number = phonenumbers.example_number_for_non_geo_entity(int(code))
            if number is not None:
                self.examples.append((None, number))

    def sweep(self) -> Iterator[tuple[str, str | None]]:
        """Yield every example in every format, as is and with each digit changed, dropped, added."""
        for region, number in self.examples:
            e164 = self.e164(number)
            for each in self.formats:
                text = self.pn.format_number(number, each)
                yield text, region
                yield text, None
            yield e164, None
            for at in range(1, len(e164)):
                yield e164[:at] + e164[at + 1 :], None
                for digit in DIGITS:
                    yield e164[:at] + digit + e164[at + 1 :], None
                    yield e164[:at] + digit + e164[at:], region
        for code in range(1000):
            for length in range(18):
                yield f"+{code}{''.join(self.rng.choices(DIGITS, k=length))}", None

    def e164(self, number: object) -> str:
        return str(self.pn.format_number(number, self.pn.PhoneNumberFormat.E164))

    def one(self) -> tuple[str, str | None]:
        """Return one random value and where it is dialled."""
        rng = self.rng
        region, number = rng.choice(self.examples)
        if rng.random() < 0.3:
            region = rng.choice((None, rng.choice(self.regions)))
        kind = rng.randrange(12)
        if kind < 3:
            return f"+{rng.choice(self.codes)}{''.join(rng.choices(DIGITS, k=rng.randrange(1, 21)))}", region
        if kind < 7:
            text = self.e164(number)
            for _ in range(rng.randrange(1, 7)):
                at = rng.randrange(1, len(text) + 1)
                text = text[:at] + rng.choice(DIGITS) + text[at + 1 :]
            return self.mutated(text) if kind == 6 else text, None if kind < 6 else region
        if kind == 7:
            text = self.e164(number)
            at = rng.randrange(1, 5)
            return text[:at] + rng.choice(PREFIXES) + text[at:], region
        if kind == 8:
            return "".join(rng.choices(DIGITS, k=rng.randrange(1, 21))), region
        text = self.pn.format_number(number, rng.choice(self.formats))
        if kind == 9:
            text += rng.choice(EXTENSIONS) + "".join(rng.choices(DIGITS, k=rng.randrange(1, 22)))
        if kind == 10:
            separator = rng.choice(SEPARATORS)
            text = separator.join(char for char in text if char in "+" + DIGITS)
        for _ in range(rng.randrange(3)):
            text = self.mutated(text)
        return text, region

    def mutated(self, text: str) -> str:
        """Return *text* after one random change."""
        rng = self.rng
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(9)
        if kind == 0:
            return text[:at] + text[at + 1 :]
        if kind == 1:
            return text[:at] + rng.choice(ODD) + text[at:]
        if kind == 2:
            return text[:at] + rng.choice(ODD) + text[at + 1 :]
        if kind == 3:
            zero = ord(rng.choice(ZEROS))
            part = slice(at, at + rng.choice((1, 30)))
            other = "".join(chr(zero + int(char)) if char in DIGITS else char for char in text[part])
            return text[:at] + other + text[part.stop :]
        if kind == 4:
            letters = "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabc") for _ in range(rng.randrange(1, 8)))
            return text[:at] + letters + text[at + len(letters) :]
        if kind == 5:
            return rng.choice(PREFIXES) + text
        if kind == 6:
            return text * rng.choice((2, 20))
        if kind == 7:
            return text.lstrip("+")
        return (
            rng.choice(("Tel: ", " ", "(", "\t", "")) + text + rng.choice((" ", ".", "\n", "/x2", " 55", ""))
        )


def values(phonenumbers: ModuleType, cases: int, seed: int) -> Iterator[tuple[str, str | None]]:
    """Yield *cases* values: the sweep first, thinned to half of a short run, then random ones."""
    numbers = Numbers(phonenumbers, random.Random(seed))
    count = 0
    step = max(1, 300_000 // max(cases // 2, 1))
    for index, value in enumerate(numbers.sweep()):
        if index % step == 0 and count < cases:
            count += 1
            yield value
    while count < cases:
        count += 1
        yield numbers.one()


Parsed = tuple[str, str, str, str] | None


def reference(pn: ModuleType, text: str, region: str | None) -> Parsed:
    """Return what phonenumbers says: E.164, extension, region and type of a valid number."""
    try:
        number = pn.parse(text, region)
    except pn.NumberParseException:
        return None
    if not pn.is_valid_number(number):
        return None
    kind = pn.PhoneNumberType.to_string(pn.number_type(number)).lower()
    e164 = pn.format_number(number, pn.PhoneNumberFormat.E164)
    extension = "".join(str(int(digit)) for digit in number.extension or "")
    return e164, extension, pn.region_code_for_number(number), kind


def asked(package: str) -> Callable[[str, str | None], tuple[bool, Parsed, str]]:
    """Return what one backend says of a value: the verdict, the parsed form, the rule broken."""
    phones = importlib.import_module(f"{package}.types.phones")
    numbering = importlib.import_module(f"{package}.types._numbering")

    def ask(text: str, region: str | None) -> tuple[bool, Parsed, str]:
        found = numbering.read(text, region)
        parsed, rule = (None, found) if isinstance(found, str) else (found, "")
        return phones.is_valid_phone(text, region), parsed, rule

    return ask


def run(cases: int, seed: int = 1) -> tuple[Counter[str], list[tuple[str, str | None, object, object]]]:
    """Hold *cases* values against phonenumbers; returns what was held, and every disagreement."""
    import phonenumbers

    phonenumbers.enable_pattern_cache()
    compiled, pure = asked("foobara_accel"), asked(load_twin("py").__name__)
    examine = importlib.import_module("foobara_accel._backend").phone.examine
    held: Counter[str] = Counter()
    wrong: list[tuple[str, str | None, object, object]] = []
    for text, region in values(phonenumbers, cases, seed):
        theirs = reference(phonenumbers, text, region)
        ours, other = compiled(text, region), pure(text, region)
        held["values"] += 1
        held["valid"] += theirs is not None
        held["decided by the table"] += examine(text) not in (-1, 1) or (
            examine(text) == 1 and region is None
        )
        held["not ASCII"] += not text.isascii()
        if ours != other or ours[0] != (theirs is not None) or ours[1] != theirs or bool(ours[2]) == ours[0]:
            wrong.append((text, region, theirs, (ours, other)))
    return held, wrong


def main() -> int:
    """Print what was held and every disagreement; returns 1 when there is one."""
    parser = argparse.ArgumentParser(description="Hold phone verdicts against phonenumbers.")
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    held, wrong = run(options.cases, options.seed)
    for what, count in held.items():
        print(f"{count:9} {what}")
    print(f"{len(wrong):9} disagreements, {time.monotonic() - started:.0f} s, seed {options.seed}")
    for each in wrong[:20]:
        print("    ", *map(ascii, each))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
