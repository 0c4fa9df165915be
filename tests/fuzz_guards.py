"""Random models and values: what a builder makes of them must be what pydantic makes of them.

    python tests/fuzz_guards.py [cases] [seed]

Runs on the active backend, FOOBARA_ACCEL_CASES cases unless told, 10,000 without either.
"""

from __future__ import annotations

import enum
import importlib
import json
import math
import os
import pickle
import struct
import sys
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import SchemaError

NAMES = ("a", "b", "name", "x_1", "größe", "class_", "self_", "zz")


class Whole(int):
    """An int that pydantic turns into an int."""


class Text(str):
    """A str that pydantic turns into a str."""


class Real(float):
    """A float that pydantic turns into a float."""


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


class Nested(BaseModel):
    n: int = 0


def _double(value: Any) -> Any:
    return value + value if isinstance(value, str) else value


def _grumble(value: Any) -> Any:
    if value == 3:
        raise ValueError("three")
    return value


def scalar(rng: Random) -> Any:
    """An annotation that the guard may know, constraints included."""
    kind = rng.choice(("int", "int", "float", "str", "str", "bool", "none", "any", "object"))
    made: Any
    if kind == "int":
        made = int
        for key in ("ge", "gt", "le", "lt"):
            if rng.random() < 0.15:
                made = Annotated[
                    made, Field(**{key: rng.choice((0, -5, 7, 2**31, -(2**63), 2**63 - 1, 2**70))})
                ]
        if rng.random() < 0.05:
            made = Annotated[made, Field(multiple_of=2)]
    elif kind == "float":
        made = float
        for key in ("ge", "gt", "le", "lt"):
            if rng.random() < 0.15:
                made = Annotated[made, Field(**{key: rng.choice((0, -0.0, 1.5, 5e-324, -1e300, 10))})]
        if rng.random() < 0.15:
            made = Annotated[made, Field(allow_inf_nan=rng.random() < 0.5)]
    elif kind == "str":
        made = str
        if rng.random() < 0.3:
            made = Annotated[made, Field(min_length=rng.choice((0, 1, 2)))]
        if rng.random() < 0.3:
            made = Annotated[made, Field(max_length=rng.choice((0, 2, 5)))]
        if rng.random() < 0.05:
            made = Annotated[made, Field(pattern="^[a-c]*$")]
    else:
        made = {"bool": bool, "none": type(None), "any": Any, "object": object}[kind]
    if kind in ("int", "float", "str", "bool") and rng.random() < 0.1:
        made = Annotated[made, Field(strict=rng.random() < 0.5)]
    if rng.random() < 0.25:
        made = made if made in (type(None), Any) else made | None
    return made


def annotation(rng: Random) -> Any:
    """Any annotation: mostly scalars, sometimes what the guard has to refuse."""
    if rng.random() < 0.85:
        return scalar(rng)
    return rng.choice(
        (
            list[int],
            dict[str, int],
            int | str,
            Literal[1, "a", None],
            Number,
            Nested,
            bytes,
            Annotated[int, AfterValidator(_grumble)],
            Annotated[str, BeforeValidator(_double)],
        )
    )


IBANS = (Path(__file__).parent / "iban_examples.txt").read_text(encoding="ascii").split()
PHONES = (
    *("+12015550123", "+442079460018", "+4930123456", "+4915112345678", "+390612345678", "+5491123456789"),
    *("+5215512345678", "+33123456789", "+81312345678", "+80012345678", "+9", "+999123456", "+120155501234"),
    *("+1201555012", "+441 79460018", "(201) 555-0123", "201-555-0123", "+1 201 555 0123", "02079460018"),
    *("+12015550123;ext=12", "+12015550123 x5", "tel:+12015550123", "+44(0)2079460018", "+4402079460018"),
)
MARKUP = (
    *(
        "",
        "plain",
        "a\nb",
        "<b>hi</b>",
        "a < b",
        "a&amp;b",
        "x > y",
        "\r\n",
        "\xa0",
        "\ufeff",
        "\ufeffa",
        "a\ufeff",
    ),
    *(
        "\x00",
        "<script>x</script>",
        "\ud800",
        "é",
        "中",
        "\U0001f600",
        "é<b>",
        "中&",
        "\U0001f600\xa0",
        "t" * 300,
    ),
)
ADDRESSES = (
    *("a@b.co", " A@B.Co ", "ann@example.com\n", "@", "a@b", "ann_1", " Ann_1\t", "an", "x" * 31, "ann 1"),
    *(
        "+1 (201) 555-0123",
        "12015550123",
        "123",
        "  ",
        "\u3000",
        "\u3000a\u3000",
        "éa@b.co",
        "hello wOrld",
        "ǆ ŉ",
    ),
)
PREFIXES = ("4", "55", "2221", "34", "6011", "36", "3528", "62", "50", "2200", "5019", "63737423", "0", "9")


def card(rng: Random) -> str:
    """A number with a right check digit, of 7 to 20 digits, mostly 16."""
    size = rng.choice((16, 16, 16, 16, 15, 14, 13, 12, 19, 11, 8, 7, 20))
    digits = rng.choice(PREFIXES)
    digits = (digits + "".join(rng.choice("0123456789") for _ in range(size)))[: size - 1]
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::-2])
    return digits + str(-(doubled + sum(map(int, digits[-2::-2]))) % 10)


def bent(rng: Random, text: str) -> Any:
    """*text*, often in another spelling or with a fault in it."""
    roll = rng.random()
    at = rng.randint(0, len(text))
    if roll < 0.5:
        return text
    if roll < 0.6:
        return " ".join(text[start : start + 4] for start in range(0, len(text), 4))
    if roll < 0.65:
        return rng.choice((text.lower(), text.upper(), text.swapcase()))
    if roll < 0.7:
        return rng.choice((" ", "\t", "-", "\n", "\xa0")) + text
    if roll < 0.75:
        return text + rng.choice((" ", "\t", "-", "\n", "\x00", "é", "\ud800", "\u0663"))
    if roll < 0.8:
        return text[:at] + rng.choice(" -aZ09\x00é") + text[at:]
    if roll < 0.9:
        return text[:at] + rng.choice("aZ0123456789") + text[at + 1 :]
    return rng.choice((Text(text), text.encode("utf-8", "replace"), [text], {"canonical": text}, text[:at]))


class Own:
    """Fields of the types of a package, and values for them."""

    def __init__(self, package: str) -> None:
        self.types: Any = importlib.import_module(f"{package}.types")
        self.base: ModuleType = importlib.import_module(f"{package}.types.base")
        self.html = importlib.util.find_spec("nh3") is not None
        derived = type("Derived", (self.types.CardNumber,), {"__slots__": ()})
        self.refused: tuple[Any, ...] = (
            derived,
            self.types.CardNumber | int,
            list[self.types.IBAN],
            Annotated[self.types.CardNumber, AfterValidator(lambda number: number)],
            Annotated[self.types.CardNumber, BeforeValidator(_double)],
            Annotated[str, self.types.PhoneNumberValidator(output="national")],
            Annotated[self.base.EmailAddress, AfterValidator(str.upper)],
        )
        self.derived = derived

    def annotation(self, rng: Random) -> Any:
        """A field of one of the types, or a str checked as one of them, sometimes what is refused."""
        types, flag = self.types, lambda: rng.random() < 0.3
        kind = rng.choice(
            ("card", "card", "iban", "iban", "phone", "phone", "html", "base", "base", "refused")
        )
        made: Any
        if kind == "refused":
            made = rng.choice(self.refused)
        elif kind == "base":
            made = getattr(self.base, rng.choice(self.base.__all__[:-1]))
        elif kind == "html":
            if not self.html:
                made = str
            elif flag():
                made = Annotated[str, types.SanitizeHTMLTransformer(tags=rng.choice(([], ["b"])))]
            else:
                made = types.SanitizedHTML
        else:
            made, check = self._checked(rng, kind, flag)
            if check is not None:
                made = Annotated[rng.choice((made, made, str)), check]
        if rng.random() < 0.1:
            made = Annotated[made, Field(**rng.choice(({"strict": True}, {"title": "T"}, {"repr": False})))]
        return made | None if rng.random() < 0.25 else made

    def _checked(self, rng: Random, kind: str, flag: Callable[[], bool]) -> tuple[Any, Any]:
        types = self.types
        plain = rng.random() < 0.4
        options: dict[str, Any] = {"lenient": flag(), "canonical": flag()}
        if kind == "card":
            if flag():
                options["brands"] = rng.choice((["visa"], ["mastercard", "amex"]))
            if flag():
                options["min_digits"] = rng.choice((8, 13, 16, 19))
            return types.CardNumber, None if plain else types.CreditCardValidator(**options)
        if kind == "iban":
            if flag():
                options["countries"] = rng.choice((["DE"], ["GB", "FR", "GG"]))
            return types.IBAN, None if plain else types.IBANValidator(**options)
        if plain:
            return rng.choice((types.PhoneNumber, types.PhoneNumber["US"], types.PhoneNumber["GB"])), None
        options = {"region": rng.choice(("US", "GB", None)), "output": rng.choice((None, None, "e164"))}
        if flag():
            options["regions"] = rng.choice((["US"], ["GB", "DE"], ["001"]))
        if flag():
            options["types"] = rng.choice((["mobile"], ["fixed_line", "toll_free"]))
        return types.PhoneNumber, types.PhoneNumberValidator(**options)

    def text(self, rng: Random) -> Any:
        """A text for one of the fields, right or wrong."""
        source = rng.choice(
            (lambda: card(rng), lambda: card(rng), None, IBANS, IBANS, PHONES, MARKUP, ADDRESSES)
        )
        if source is None:
            return rng.choice(PHONES[:8]) if rng.random() < 0.7 else value(rng)
        return bent(rng, source() if callable(source) else rng.choice(source))

    def value(self, rng: Random) -> Any:
        """A text or an instance."""
        if rng.random() < 0.85:
            return self.text(rng)
        types = self.types
        return rng.choice(
            (
                lambda: types.CardNumber("4111111111111111"),
                lambda: types.CardNumber("378282246310005"),
                lambda: types.CardNumber._made("12345678"),
                lambda: types.CardNumber._made(Text("4111111111111111")),
                lambda: self.derived("4111111111111111"),
                lambda: types.IBAN(rng.choice(IBANS)),
                lambda: types.IBAN._made("XX"),
                lambda: types.parse_phone(rng.choice(PHONES[:4])),
                lambda: types.PhoneNumber._made("+12015550123;ext=7"),
                lambda: types.SanitizedHTML("<b>x</b>") if self.html else "x",
            )
        )()

    def model(self, rng: Random) -> type[BaseModel]:
        """A model of up to five fields, most of them of these types."""
        fields: dict[str, Any] = {}
        for name in rng.sample(NAMES, rng.randint(1, 5)):
            kind = self.annotation(rng) if rng.random() < 0.75 else scalar(rng)
            default = (
                ...
                if rng.random() < 0.7
                else rng.choice((None, None, "x", self.types.CardNumber("4" * 15 + "8")))
            )
            fields[name] = (kind, default)
        settings = rng.choice(
            ({}, {}, {}, {"strict": True}, {"frozen": True}, {"hide_input_in_errors": True})
        )
        return create_model("Owned", __config__=ConfigDict(**settings), **fields)

    def token(self, rng: Random) -> str:
        """A text as JSON."""
        text = self.text(rng)
        return json.dumps(
            text if isinstance(text, str) else "4111111111111111", ensure_ascii=rng.random() < 0.5
        )


def value(rng: Random) -> Any:
    """A value near the edges of what a field accepts."""
    return rng.choice(
        (
            lambda: rng.randint(-10, 10),
            lambda: rng.randint(-10, 10),
            lambda: rng.choice((2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**70, -(2**70))),
            lambda: rng.uniform(-5, 5),
            lambda: rng.choice((0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1e308, 3.0)),
            lambda: "".join(rng.choice("abcxé中😀") for _ in range(rng.randint(0, 6))),
            lambda: rng.choice(
                ("", "a", "\ud800", "a\udfff中", "\U0001f600", "12", " 1 ", "true", "e\u0301")
            ),
            lambda: rng.random() < 0.5,
            lambda: None,
            lambda: rng.choice(
                (Whole(3), Text("ab"), Real(1.5), Number.ONE, b"ab", [1], {"n": 1}, Nested(n=2))
            ),
        )
    )()


WORDS = (
    *("x", "one", "e5", "E5", "d1", "x10", "a_1", "NULL", "Zebra", "truex", "Z" * 64, "Z" * 65, "z" * 5000),
    *("nan", "NaN", "inf", "Inf", "infinity", "INFINITY", "nanx", "i", "N", "in"),
    *(
        "t",
        "T",
        "true",
        "TRUE",
        "y",
        "yes",
        "Yes",
        "on",
        "On",
        "f",
        "false",
        "n",
        "no",
        "NO",
        "off",
        "O",
        "p",
    ),
    *("", " ", "0x1", "1_0", "_1", "+1", "-1", "1.", "1.0", "1e3", " a", "9" * 4301, "a\x00", "a\n"),
    *("é", "aé", "a中", "٣", "中", "a\ud800", "\ud800a", "a\U0001f600"),
)


def wrong(rng: Random) -> Any:
    """A value that some field refuses, near what it takes."""
    return rng.choice(
        (
            lambda: None,
            lambda: rng.choice(WORDS),
            lambda: rng.choice(WORDS),
            lambda: chr(rng.randint(0, 300)) + rng.choice(WORDS),
            lambda: rng.choice(([], [1], {}, {"a": 1}, (), (1,), set(), b"", b"a", b"1", bytearray(b"x"))),
            lambda: rng.randint(-12, 12),
            lambda: rng.choice(
                (999_999, 10**6, 2**31, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, -(10**400))
            ),
            lambda: rng.choice(
                (0.5, -0.5, 1.0, 0.0, 2.0, 5e-324, 2**52 + 0.5, 1e16, 1e300, math.nan, -math.inf)
            ),
            lambda: rng.uniform(-12, 12),
            lambda: rng.random() < 0.5,
            lambda: rng.choice((Whole(30), Text("w"), Real(0.5), Number.TWO, Decimal("0.5"), 1j, object())),
        )
    )()


def _default(rng: Random) -> Any:
    roll = rng.random()
    if roll < 0.5:
        return ...
    if roll < 0.9:
        return rng.choice((0, 1, -7, "d", "", 1.5, True, None, 2**70))
    if roll < 0.95:
        return Field(default_factory=lambda: 5)
    return rng.choice(([], {}, (1,), Nested()))


def model(rng: Random, plain: bool = False) -> type[BaseModel]:
    """A model with up to eight fields and, sometimes, a setting that changes how it is built.

    *plain* ones have at most four fields and no setting but strictness, so that most are guarded.
    """
    fields: dict[str, Any] = {}
    if plain:
        for name in rng.sample(NAMES, rng.randint(1, 4)):
            fields[name] = (scalar(rng), ... if rng.random() < 0.7 else None)
        return create_model("Plain", __config__=ConfigDict(strict=rng.random() < 0.2), **fields)
    for name in rng.sample(NAMES, rng.randint(0, len(NAMES))):
        default = _default(rng)
        kind = annotation(rng)
        if rng.random() < 0.03:
            kind = Annotated[kind, Field(alias="other")]
        fields[name] = (kind, default)
    settings: dict[str, Any] = {}
    for key, choices in (
        ("strict", (True, False)),
        ("frozen", (True,)),
        ("extra", ("ignore", "ignore", "forbid", "allow")),
        ("title", ("Other",)),
        ("str_strip_whitespace", (True,)),
        ("str_max_length", (3,)),
        ("validate_default", (True,)),
        ("allow_inf_nan", (False,)),
        ("coerce_numbers_to_str", (True,)),
        ("hide_input_in_errors", (True,)),
        ("from_attributes", (True,)),
        ("populate_by_name", (True,)),
    ):
        if rng.random() < 0.06:
            settings[key] = rng.choice(choices)
    base: Any = type("Base", (BaseModel,), {"__module__": __name__, "model_config": ConfigDict(**settings)})
    roll = rng.random()
    if roll < 0.03:
        base = type("Private", (base,), {"__module__": __name__, "_p": PrivateAttr(1)})
    elif roll < 0.06:
        checked = model_validator(mode="before")(classmethod(lambda cls, data: data))
        base = type("Checked", (base,), {"__module__": __name__, "checked": checked})
    return create_model("Fuzzed", __base__=base, **fields)


def pools(
    rng: Random, cls: type[BaseModel], own: Own | None = None
) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return for each field of *cls* values that it takes and any values."""
    found = {}
    blank = cls.model_construct()
    for name in cls.model_fields:
        anything = [value(rng) for _ in range(40)] + [wrong(rng) for _ in range(40)]
        if own is not None:
            anything = anything[::5] + [own.value(rng) for _ in range(100)]
        good = []
        for candidate in anything:
            try:
                cls.__pydantic_validator__.validate_assignment(blank, name, candidate)
            except ValidationError:
                continue
            except Exception:  # frozen models do not take assignments
                break
            good.append(candidate)
        found[name] = (good or anything, anything)
    return found


def arguments(rng: Random, values: dict[str, tuple[list[Any], list[Any]]]) -> dict[str, Any]:
    """Arguments drawn from *values*: some missing, some extra, in any order."""
    names = [name for name in values if rng.random() < 0.96]
    if rng.random() < 0.3:
        rng.shuffle(names)
    if rng.random() < 0.06:
        names.append(rng.choice(("extra", "other")))
    good, rate = rng.random() < 0.5, rng.random()
    made = {}
    for name in names:
        if name in values:
            made[name] = rng.choice(values[name][0 if good or rng.random() < rate else 1])
        else:
            made[name] = value(rng)
    return made


TOKENS = (
    *(
        "0",
        "1",
        "-1",
        "5",
        "7",
        "-0",
        "00",
        "01",
        "-",
        "-01",
        "+1",
        "1_0",
        "9" * 18,
        "9" * 19,
        "-" + "9" * 18,
    ),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "9007199254740993", "9" * 70),
    *(
        "0.5",
        "-0.0",
        "0.0",
        "1.0",
        "1.",
        ".5",
        "1e3",
        "1E-3",
        "1e+2",
        "1e",
        "1e400",
        "-1e400",
        "5e-324",
        "2e-324",
    ),
    *(
        "0.1",
        "1.7976931348623157e308",
        "123456789.123456789",
        "0." + "3" * 70,
        "1.5e",
        "1.5.5",
        "0e0",
        "-0e1",
    ),
    *("true", "false", "null", "True", "tru", "nul", "truefalse", "NaN", "Infinity", "-Infinity", "nan"),
    *(
        '""',
        '"a"',
        '"ab"',
        '"abcdef"',
        '"1"',
        '" 1 "',
        '"true"',
        '"\\n"',
        '"\\u0041"',
        '"a\\"b"',
        '"\\ud800"',
    ),
    *('"é"', '"中"', '"😀"', '"\x7f"', '"\x01"', '"a\nb"', '"', "'a'", '"x' + "y" * 300 + '"'),
    *("[]", "[1]", "{}", '{"n": 1}', "", "1 1", "/**/1"),
)


def document(rng: Random, names: list[str], own: Own | None = None) -> bytes | str | bytearray:
    """A JSON object for fields *names*, or what nearly is one."""

    def gap() -> str:
        return rng.choice(("", "", "", "", " ", "\n", "\t\r\n ", "\f", "\u00a0"[: rng.random() < 0.05]))

    def token() -> str:
        if own is not None and rng.random() < 0.8:
            return own.token(rng)
        roll = rng.random()
        if roll < 0.15:
            return repr(rng.uniform(-12, 12) * 10 ** rng.randint(-5, 5))
        if roll < 0.25:
            return repr(struct.unpack("<d", rng.randbytes(8))[0])
        return str(rng.randint(-12, 12)) if roll < 0.5 else rng.choice(TOKENS)

    chosen = [name for name in names if rng.random() < 0.95]
    if rng.random() < 0.2:
        rng.shuffle(chosen)
    if chosen and rng.random() < 0.05:
        chosen.append(rng.choice((chosen[0], "other", "", 'a"', "a\\u0062", "größ")))
    pairs = [f'{gap()}"{name}"{gap()}:{gap()}{token()}{gap()}' for name in chosen]
    text = f"{gap()}{{{','.join(pairs) or gap()}}}{gap()}"
    if rng.random() < 0.1:
        at = rng.randint(0, len(text))
        text = (
            text[:at] + rng.choice(("", ",", "}", "x", "\0", '"', " ", "\\")) + text[at + rng.randint(0, 1) :]
        )
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.03:
        at = rng.randint(0, len(data))
        data = data[:at] + rng.choice((b"\x80", b"\xff", b"\xed\xa0\x80", b"\xc3")) + data[at:]
        return data
    return rng.choice((data, data, data, text, bytearray(data)))


def json_differences(builder: Any, data: bytes | str | bytearray) -> list[tuple[object, object]]:
    """As ``differences``, for a JSON document."""
    ours = seen(lambda: builder.build_json(data), {})
    theirs = seen(lambda: builder.model.__pydantic_validator__.validate_json(data), {})
    return [(ours, theirs)] if ours != theirs else []


def seen(build: Callable[[], Any], raw: dict[str, Any]) -> object:
    """Everything that tells two results apart; values by identity where they are the caller's own."""
    try:
        made = build()
    except ValidationError as error:
        return (
            "error",
            error.title,
            [
                (e["type"], e["loc"], e["msg"], repr(e.get("ctx")), repr(e["input"]), _whose(e["input"], raw))
                for e in error.errors()
            ],
            str(error),
        )
    if made is None:
        return None
    held = made.__dict__
    return (
        type(made),
        [(key, type(item), repr(item), _whole(item), _whose(item, raw)) for key, item in held.items()],
        made.__pydantic_fields_set__,
        made.__pydantic_extra__,
        made.__pydantic_private__,
        repr(made),
        _json(made),
    )


def _whole(item: Any) -> object:
    """What the repr of a number hides, and its pickle."""
    if not hasattr(item, "masked"):
        return None
    pickled = b"" if type(item).__name__ == "Derived" else pickle.dumps(item)  # whose module has no such name
    return type(item.canonical), repr(item.canonical), pickled


def _whose(item: Any, raw: dict[str, Any]) -> str:
    return next((key for key, given in raw.items() if given is item), "-")


def _json(made: BaseModel) -> object:
    try:
        return made.model_dump_json(warnings=False)
    except Exception as error:  # a lone surrogate has no JSON
        return type(error), str(error)


def differences(
    builder: Any, raw: dict[str, Any], tally: dict[Any, int] | None = None
) -> list[tuple[object, object]]:
    """Return (ours, pydantic's) for each door of *builder* that answers otherwise than pydantic."""
    validator = builder.model.__pydantic_validator__
    theirs = seen(lambda: validator.validate_python(dict(raw)), raw)
    names, values = tuple(raw), tuple(raw.values())
    doors = (
        seen(lambda: builder.build(**raw), raw),
        seen(lambda: builder.build_dict(raw), raw),
        seen(lambda: builder.build_args(names, values), raw),
    )
    found: list[tuple[object, object]] = [(ours, theirs) for ours in doors if ours != theirs]
    for again in (False, True):  # a verdict is learnt from the first answer
        kept: list[Any] = []
        answer = seen(lambda kept=kept: _judge(builder, names, values, kept), raw)  # type: ignore[misc]
        if kept:
            if again and tally is not None:
                tally["verdicts"] += 1
            answer, wanted = kept, error_rows(builder.model, raw)
        else:
            wanted = theirs
        if answer != wanted:
            found.append((answer, wanted))
    return found


def _judge(builder: Any, names: tuple[str, ...], values: tuple[Any, ...], kept: list[Any]) -> Any:
    made, rows = builder.judge_args(names, values)
    kept += rows or ()
    return made


def error_rows(cls: type[BaseModel], raw: dict[str, Any]) -> list[Any] | None:
    """Return what a verdict on *raw* has to be: the rows of pydantic's own errors."""
    errors = importlib.import_module("foobara_accel.core.errors")
    try:
        cls.__pydantic_validator__.validate_python(dict(raw))
    except ValidationError as error:
        made = errors.errors_from_validation(error, (), False, cls)
        return [(e.path, e.symbol, e.message, e.context or None) for e in made]
    return None


def run(
    inputs: Any, rng: Random, cases: int, per_model: int = 100, plain: float = 0.5, own: float = 0.4
) -> dict[int | str, int]:
    """Hold *cases* random calls against pydantic; return how many each level answered, and of them verdicts.

    Of *own* of the models fields have types of the package; "taken" counts calls on these that level 1 took.
    Raises AssertionError with the model and the arguments of the first difference.
    """
    levels: dict[int | str, int] = {1: 0, 2: 0, 3: 0, "verdicts": 0, "taken": 0}
    types = Own(inputs.__name__.partition(".")[0])
    while cases > 0:
        try:
            owned = types if rng.random() < own else None
            cls = owned.model(rng) if owned else model(rng, rng.random() < plain)
        except (SchemaError, RuntimeError):  # bounds that exclude each other; strictness where there is none
            continue
        builder = inputs.builder_for(cls)
        alone = guard_alone(inputs, cls) if owned and builder.level == 1 else None
        values = pools(rng, cls, owned)
        for _ in range(min(per_model, cases)):
            raw = arguments(rng, values)
            found = differences(builder, raw, levels)
            data = document(rng, list(cls.model_fields), owned)
            found += json_differences(builder, data)
            assert not found, (
                f"{cls.model_fields} {cls.model_config} {raw!r} {data!r} level {builder.level}\n{found}"
            )
            levels[builder.level] += 1
            levels["taken"] += alone is not None and takes(alone, raw)
        cases -= per_model
    return levels


class Asked(Exception):
    """The guard has asked pydantic."""


def guard_alone(inputs: Any, cls: type[BaseModel]) -> Any:
    """Return a builder of *cls* that raises Asked where its guard does not take what is given."""
    spec = inputs.analyze(cls)

    def refuse(*_: Any) -> Any:
        raise Asked

    class Alone:
        def __getattr__(self, name: str) -> Any:
            return getattr(spec, name)

        def validation(self) -> Any:
            return True, refuse, refuse

        def whole(self) -> Any:
            return refuse, refuse

    return inputs.guards.InputsBuilder(Alone())


def takes(alone: Any, raw: dict[str, Any]) -> bool:
    """Return whether the guard itself builds the instance of *raw*."""
    try:
        alone.build_dict(raw)
    except Asked:
        return False
    return True


def main(words: list[str]) -> int:
    """Hold cases against pydantic from the command line; 1 at the first difference."""
    count = int(words[0]) if words else int(os.environ.get("FOOBARA_ACCEL_CASES", 10_000))
    seed = int(words[1]) if len(words) > 1 else 0
    package = importlib.import_module("foobara_accel")
    warnings.simplefilter("ignore")
    started = time.monotonic()
    try:
        levels = run(importlib.import_module("foobara_accel.core.inputs"), Random(seed), count)
    except AssertionError as error:
        print(f"seed {seed}: {error}")
        return 1
    names = {1: "guard", 2: "compiled fields", 3: "pydantic alone"}
    verdicts, taken = levels.pop("verdicts"), levels.pop("taken")
    ways = ", ".join(f"{names[level]} {levels[level]}" for level in names)
    ways += f"; {verdicts} verdicts, {taken} of own types by the guard"
    took = time.monotonic() - started
    total, backend = sum(levels.values()), package.backend()
    print(f"{total} calls on {backend} as pydantic answers them ({ways}), {took:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
