"""Card and IBAN verdicts held against other libraries on generated and mutated data.

    python tests/differential_checks.py --cases 1000000 [--seed 1]

Each value is judged by both backends (verdict and parsed form, strict and display form: they must be equal)
and by every reference that is installed. Where a reference disagrees, a rule below must explain it: most
rebuild the reference's own reading of the value and require our verdict on that. Anything left is a failure.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import random
import re
import string
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from foobara_accel._pure import _iban_table as table
from foobara_accel.testing import load_twin

Rule = Callable[[str, bool], bool]

DIGITS, UPPER = string.digits, string.ascii_uppercase
ANY = DIGITS + string.ascii_letters
# Neighbours of the accepted ranges, separators, blanks, controls, and what upper(), int(), strip() let pass.
ODD = " -./:@[`{_+\t\n\r\v\f\0\x7f\x80\xa0\xad\xb2\xe9\u0131\u017f\u0663\u06f4"
ODD += "\u2013\u2003\u200d\ufb01\uff11\U0001d7d9"
# Countries with an IBAN-like format of their own but no entry in the registry, with the digits of a BBAN.
UNREGISTERED = {"AO": 21, "DZ": 22, "MA": 24}
# The example of each country in the registry.
EXAMPLES = Path(__file__).with_name("iban_examples.txt").read_text(encoding="ascii").split()
BR_OF_RELEASE_101 = re.compile(r"BR[0-9]{2}[0-9]{23}[A-Z][A-Z0-9]").fullmatch


def structure(code: str) -> str:
    """One letter n, a or c per BBAN position, read from the table without the code under test."""
    text = table.COUNTRIES[table.TERRITORIES.get(code, code)][0]
    return "".join(kind * int(count) for count, kind in re.findall(r"(\d+)!([nac])", text))


def right_iban(code: str, bban: str) -> str:
    """Return the IBAN of *bban* with its check digits."""
    number = int("".join(str(int(char, 36)) for char in f"{bban}{code}00"))
    return f"{code}{98 - number % 97:02}{bban}"


def luhn_digit(body: str) -> str:
    """Return the digit that makes *body* right."""
    digits = [int(char) for char in reversed(body)]
    total = sum(sum(divmod(2 * digit, 10)) if index % 2 == 0 else digit for index, digit in enumerate(digits))
    return str(-total % 10)


def fill(code: str, rng: random.Random) -> str:
    """Return a random BBAN of the structure of *code*; class c in one of three mixtures."""
    loose = rng.choice((DIGITS, DIGITS + UPPER, ANY))
    alphabet = {"n": DIGITS, "a": UPPER, "c": loose}
    return "".join(rng.choice(alphabet[kind]) for kind in structure(code))


def mutated(value: str, rng: random.Random) -> str:
    """Return *value* after one random change of a character, of the length, case or form."""
    at = rng.randrange(len(value))
    kind = rng.randrange(12)
    if kind < 3:
        return value[:at] + rng.choice(ANY) + value[at + 1 :]
    if kind == 3:
        return value[:at] + rng.choice(ODD) + value[at + rng.randrange(2) :]
    if kind == 4:
        return value[:at] + rng.choice(ANY) + value[at:]
    if kind == 5:
        return value[:at] + value[at + 1 :]
    if kind == 6:
        return value[:at] + value[at : at + 2][::-1] + value[at + 2 :]
    if kind == 7:
        return value[:at]
    if kind == 8:
        return rng.choice((value.lower(), value[:at] + value[at:].lower()))
    if kind == 9:
        return rng.choice(" -.\t\xa0").join(value[start : start + 4] for start in range(0, len(value), 4))
    if kind == 10:
        return value[:2] + rng.choice(("00", "01", "99", "98", "02", "٨٢", "\uff18\uff12")) + value[4:]
    return rng.choice(" \t\n\r\xa0-") * rng.randrange(2) + value + rng.choice(" \t\n\r\xa0-")


def ibans(rng: random.Random, cases: int) -> Iterator[str]:
    """Yield *cases* values: the exhaustive sweeps first, then examples of the registry and random ones."""
    codes = [*table.COUNTRIES, *table.TERRITORIES]

    def sweep() -> Iterator[str]:
        yield from EXAMPLES
        for code in codes:
            value = right_iban(code, fill(code, rng))
            yield value
            for at in range(len(value)):
                upper = rng.choice(UPPER)
                for char in (rng.choice(DIGITS), upper, upper.lower(), "\0", rng.choice(ODD)):
                    yield value[:at] + char + value[at + 1 :]
                yield value[:at] + value[at : at + 2][::-1] + value[at + 2 :]
            for length in range(41):
                yield (value + value[4:])[:length]
            for check in range(100):
                yield f"{code}{check:02}{value[4:]}"
        for code, length in UNREGISTERED.items():
            for _ in range(200):
                yield right_iban(code, "".join(rng.choices(DIGITS, k=length)))
        for first in UPPER:
            for second in UPPER:
                bban = fill(rng.choice(codes), rng)
                for check in range(100):
                    yield f"{first}{second}{check:02}{bban}"

    count = 0
    # A sweep larger than the whole run is thinned, so that a short run sees all of its kinds.
    step = max(1, 120_000 // max(cases // 2, 1))
    for index, value in enumerate(sweep()):
        if index % step == 0 and count < cases:
            count += 1
            yield value
    while count < cases:
        code = rng.choice(codes)
        known = rng.random() < 0.5
        value = rng.choice(EXAMPLES) if known else right_iban(code, fill(code, rng))
        for _ in range(rng.randrange(known, 3)):
            value = mutated(value, rng) if value else value
        count += 1
        yield value


def cards(rng: random.Random, cases: int) -> Iterator[str]:
    """Yield *cases* values: every length, right and wrong, half of them mutated."""
    yield ""
    for index in range(1, cases):
        length = rng.choice((index % 26, 12, 13, 14, 15, 16, 16, 17, 18, 19)) or 1
        body = "".join(rng.choices(DIGITS, k=length - 1))
        value = body + (luhn_digit(body) if rng.random() < 0.8 else rng.choice(DIGITS))
        for _ in range(rng.randrange(3)):
            value = mutated(value, rng) if value else value
        yield value


def decimal(value: str) -> str:
    """Return *value* with every character Python reads as a digit turned into 0-9."""
    return "".join(str(int(char)) if char.isdecimal() else char for char in value)


class Reference:
    """One library: how to ask it, which of our forms it is held against, and why it may disagree."""

    def __init__(self, name: str, verdict: Callable[[str], Any], form: str, rules: dict[str, Rule]) -> None:
        self.name, self.verdict, self.form, self.rules = name, verdict, form, rules
        self.asked = 0
        self.explained: Counter[str] = Counter()
        self.unexplained: list[tuple[str, bool]] = []

    def hold(self, value: str, ours: bool) -> None:
        """Ask the reference (an exception is a refusal); file its answer under the first rule that fits."""
        self.asked += 1
        try:
            theirs = bool(self.verdict(value))
        except Exception:
            theirs = False
        if theirs is ours:
            return
        for name, rule in self.rules.items():
            if rule(value, ours):
                self.explained[name] += 1
                return
        self.unexplained.append((value, ours))


def optional(name: str) -> ModuleType | None:
    """Return the module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def iban_references(checks: ModuleType) -> list[Reference]:
    """Return the installed IBAN references."""

    def accepted(value: str) -> bool:
        return bool(checks.is_valid_iban(value, lenient=True))

    def alias(value: str) -> bool:
        """A right IBAN but for check digits 00, 01 or 99, which mean the same modulo 97 as 97, 98 and 02."""
        other = {"00": "97", "01": "98", "99": "02"}.get(value[2:4])
        return other is not None and accepted(value[:2] + other + value[4:])

    def lettered(value: str) -> bool:
        """A right IBAN but for check digits that are not both digits."""
        known = value[:2] in table.COUNTRIES and not value[2:4].isdigit() and value.isalnum()
        return known and accepted(right_iban(value[:2], value[4:]))

    def code(value: str) -> str:
        return value.strip(" \t").replace(" ", "").upper()[:2]

    found = []
    if (stdnum := optional("stdnum.iban")) is not None:
        # The same pattern, not compiled anew for every call.
        stdnum._struct_to_re = functools.cache(stdnum._struct_to_re)

        def reads(value: str) -> str:
            """What stdnum makes of a value: separators and look-alikes dropped, upper(), int()."""
            return decimal(stdnum.compact(value))

        rules: dict[str, Rule] = {
            "territories and AX are not in its table": lambda v, ours: ours and code(v) in table.TERRITORIES,
            "release 101: BR with digits only": lambda v, ours: (
                ours and code(v) == "BR" and not BR_OF_RELEASE_101(v.replace(" ", "").strip().upper())
            ),
            "drops separators ASCII or Unicode, folds and reads any digit": lambda v, ours: (
                not ours and reads(v) != v and accepted(reads(v))
            ),
            "check digits 00, 01, 99": lambda v, ours: not ours and alias(reads(v)),
            "a letter among the check digits": lambda v, ours: not ours and lettered(reads(v)),
        }
        found.append(
            Reference(
                "python-stdnum", functools.partial(stdnum.is_valid, check_country=False), "lenient", rules
            )
        )
    if (schwifty := optional("schwifty")) is not None:

        def cleaned(value: str) -> str:
            return decimal(re.sub(r"\s+", "", value).upper())

        def aspirational(value: str) -> bool:
            return bool(schwifty.IBAN(value, allow_invalid=True).is_aspirational)

        rules = {
            "accepts any white space and what upper() folds": lambda v, ours: (
                not ours and cleaned(v) != v and accepted(cleaned(v))
            ),
            "accepts countries outside the registry": lambda v, ours: not ours and aspirational(v),
        }
        found.append(Reference("schwifty", schwifty.IBAN, "lenient", rules))
    if (ivpy := optional("iban_validation_py")) is not None:
        found.append(Reference("iban_validation_py", ivpy.validate_iban, "strict", {}))
        rules = {
            "lower case in a": lambda v, ours: ours and v != v.upper() and accepted(v.upper()),
            "AX is not in its table": lambda v, ours: ours and code(v) == "AX",
            "tabs around it": lambda v, ours: ours and "\t" in v,
        }
        found.append(Reference("iban_validation_py print", ivpy.validate_print_iban, "lenient", rules))
    return found


def card_references(checks: ModuleType) -> list[Reference]:
    """Return the installed Luhn references."""

    def bare(value: str) -> str:
        return "".join(char for char in value if char in DIGITS)

    def luhn(value: str) -> bool:
        return bool(value) and value[-1] == luhn_digit(value[:-1])

    def outside(value: str) -> bool:
        return value.isascii() and value.isdigit() and not 12 <= len(value) <= 19 and luhn(value)

    length: dict[str, Rule] = {"any length": lambda v, ours: not ours and outside(v)}
    unicode_digits: dict[str, Rule] = {
        "reads any Unicode digit": lambda v, ours: (
            not ours and decimal(v) != v and luhn(decimal(v).replace("-", "").replace(" ", ""))
        )
    }
    found = []
    if (stdnum := optional("stdnum.luhn")) is not None:
        found.append(Reference("python-stdnum", stdnum.is_valid, "strict", length))
    if (luhncheck := optional("luhncheck")) is not None:
        loose = {
            "any length, hyphens at the ends": lambda v, ours: (
                not ours and outside(v.replace("-", "").replace(" ", ""))
            ),
            "drops hyphens at the ends": lambda v, ours: (
                not ours and v.strip("- ") != v and checks.is_valid_card(v.strip("- "), lenient=True)
            ),
            "tabs around it": lambda v, ours: ours and "\t" in v,
        }
        found.append(Reference("luhncheck", luhncheck.is_luhn, "lenient", {**loose, **unicode_digits}))
    if (plain := optional("luhn")) is not None:
        empty: dict[str, Rule] = {"the empty string": lambda v, ours: v == ""}
        found.append(Reference("luhn", plain.verify, "strict", {**empty, **length, **unicode_digits}))
    if (validators := optional("validators")) is not None:
        found.append(Reference("validators", validators.card_number, "strict", {**length, **unicode_digits}))
    if (cardutil := optional("cardutil.card")) is not None:
        junk: dict[str, Rule] = {
            "drops whatever is not a digit": lambda v, ours: not ours and luhn(bare(decimal(v))),
            "a blank after it is its check digit": lambda v, ours: ours and v.rstrip("\t ") != v,
        }

        def cardutil_verdict(value: str) -> bool:
            cardutil.validate_check_digit(value)
            return True

        found.append(Reference("cardutil", cardutil_verdict, "lenient", {**length, **junk}))
    if (payment := optional("pydantic_extra_types.payment")) is not None:
        from pydantic import TypeAdapter

        adapter = TypeAdapter(payment.PaymentCardNumber)
        identify = payment.PaymentCardNumber._identify_brand
        strip: dict[str, Rule] = {
            "strips white space": lambda v, ours: not ours and checks.is_valid_card(v.strip()),
            "lengths of its brands": lambda v, ours: (
                ours and len(v) not in identify(v)[1] and bool(identify(v)[1])
            ),
        }

        def adapted(value: str) -> bool:
            return adapter.validate_python(value) is not None

        found.append(Reference("pydantic-extra-types", adapted, "strict", strip))
    return found


def hold_twins(
    values: Iterator[str], kind: str, twins: tuple[ModuleType, ModuleType], found: list[Reference]
) -> int:
    """Judge every value by both twins, which must agree, and by every reference; returns how many."""
    assert twins[0] is not twins[1]
    verdicts = [(getattr(twin, f"is_valid_{kind}"), getattr(twin, f"parse_{kind}")) for twin in twins]
    count = 0
    for value in values:
        count += 1
        answers = [
            (valid(value), valid(value, lenient=True), parse(value), parse(value, lenient=True))
            for valid, parse in verdicts
        ]
        assert answers[0] == answers[1], (value, answers)
        strict, lenient, parsed, shown = answers[0]
        assert strict == (parsed[1] == "") and lenient == (strict or shown[1] == ""), (value, answers)
        if kind == "card":
            hold_short(value, [parse(value, min_digits=8) for _, parse in verdicts])
        for reference in found:
            reference.hold(value, strict if reference.form == "strict" else lenient)
    return count


def hold_short(value: str, answers: list[tuple[str, str]]) -> None:
    """Hold what both twins say of a number that may have 8 digits against a sum done here."""
    assert answers[0] == answers[1], (value, answers)
    digits = value.isascii() and value.isdigit() and 8 <= len(value) <= 19
    right = digits and luhn_digit(value[:-1]) == value[-1]
    assert (answers[0] == (value, "")) is right and bool(answers[0][1]) is not right, (value, answers)


def run(cases: int, seed: int = 1) -> tuple[int, list[Reference]]:
    """Hold *cases* values against twins and references; returns how many, and the references."""
    compiled = importlib.import_module("foobara_accel._backend").checks
    pure = importlib.import_module(f"{load_twin('py').__name__}._backend").checks
    rng = random.Random(seed)
    iban_found, card_found = iban_references(compiled), card_references(compiled)
    done = hold_twins(ibans(rng, cases // 2), "iban", (compiled, pure), iban_found)
    done += hold_twins(cards(rng, cases - cases // 2), "card", (compiled, pure), card_found)
    return done, [*iban_found, *card_found]


def main() -> int:
    """Print what was held and every explained disagreement; returns 1 when one is left over."""
    parser = argparse.ArgumentParser(description="Hold card and IBAN verdicts against other libraries.")
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    done, references = run(options.cases, options.seed)
    print(
        f"{done} values, both backends equal on each, {time.monotonic() - started:.0f} s, seed {options.seed}"
    )
    for each in references:
        print(f"{each.name} ({each.form} form): {each.asked} asked, {len(each.unexplained)} unexplained")
        for rule, count in each.explained.most_common():
            print(f"    {count:8} {rule}")
        for value, ours in each.unexplained[:10]:
            print(f"    ours {ours}: {value!r}")
    return 1 if any(each.unexplained for each in references) else 0


if __name__ == "__main__":
    sys.exit(main())
