"""Random types of foobara_py on random values, as it is and with `install()`: all is the same.

    FOOBARA_PY_PATH=... python tests/differential_types.py --cases 20000 [--seed 1]

A program is a type (stock processors with odd arguments, processors of somebody else, elements, keys and
values, subclasses, attributes that were changed) and some values, with changes of the type between them and
within a run. It is written from its seed and run twice, and both times it is told what was seen: results with
their types and identity, calls of the processors that are not stock, exceptions with their texts and their
chain, the values after.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

import swap_target

Log = list[Any]


class Text(str):
    """A str with ways of its own."""

    def strip(self, *args: Any) -> Any:
        return Text("stripped")

    def lower(self) -> str:
        return "LOW"


class Items(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from ("1", "x", 3)

    def __len__(self) -> int:
        return 7


class Pairs(dict[Any, Any]):
    def items(self) -> Any:
        return [("k", 1), ("l", "2")]


class Numbered(int):
    def __lt__(self, other: Any) -> bool:
        return True


class Object:
    def __init__(self) -> None:
        self.a = 1

    def __repr__(self) -> str:
        return "an object"


class Modelled(BaseModel):
    a: int = 1
    b: str = "x"


class Claiming:
    """An object that says it is a list."""

    __class__ = list  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        return iter(("5", None))

    def __repr__(self) -> str:
        return "claiming"


class Loud:
    def __str__(self) -> str:
        raise LookupError("no text")

    def __repr__(self) -> str:
        return "loud"

    def __bool__(self) -> bool:
        raise LookupError("no truth")


VALUES: tuple[Callable[[], Any], ...] = (
    lambda: "  Ada   Lovelace ",
    lambda: "ada",
    lambda: "",
    lambda: " \t\n",
    lambda: "a\x1cb\x1d \x85c",
    lambda: "x",
    lambda: "ÄÖ ß ﬁ ǆ İ",
    lambda: " they're o'neil x2y ",
    lambda: "a" * 700,
    lambda: " a  B" * 200,
    lambda: "ada@example.com",
    lambda: "https://example.com/a?b",
    lambda: "12",
    lambda: "007",
    lambda: " -3 ",
    lambda: "1_000",
    lambda: "٣",
    lambda: "9" * 18,
    lambda: "9" * 19,
    lambda: "1.5",
    lambda: "yes",
    lambda: "2026-01-31",
    lambda: "1,2, x",
    lambda: Text(" Own "),
    lambda: 0,
    lambda: 5,
    lambda: -1,
    lambda: 2**70,
    lambda: True,
    lambda: Numbered(4),
    lambda: 0.0,
    lambda: -0.0,
    lambda: 2.675,
    lambda: math.nan,
    lambda: math.inf,
    lambda: Decimal("1.50"),
    lambda: Decimal("NaN"),
    lambda: None,
    lambda: b"bytes",
    list,
    lambda: ["1", 2, 3.7],
    lambda: [" a ", "B", None],
    lambda: [1, 1],
    lambda: [[1], [1]],
    lambda: [[["1"]], "x"],
    lambda: (1, "2"),
    lambda: {"z"},
    lambda: frozenset((1,)),
    dict,
    lambda: {"a": "1", "B ": 2},
    lambda: {"a": None},
    lambda: {1: [1], None: 2},
    lambda: Items([1, 2]),
    lambda: Pairs(a=1),
    lambda: date(2026, 1, 31),
    lambda: datetime(2026, 1, 31, 12),
    lambda: uuid.UUID(int=7),
    Object,
    Modelled,
    Loud,
    lambda: int,
    Claiming,
    lambda: {Claiming(): Claiming()},
)

BOUNDS: tuple[Any, ...] = (0, 1, 3, 5, -2, 2**65, 0.0, 2.5, math.nan, math.inf, True, None, "b", Decimal(2))


SHOWN = frozenset(
    (
        str,
        bytes,
        int,
        bool,
        float,
        type(None),
        Decimal,
        date,
        datetime,
        uuid.UUID,
        set,
        frozenset,
        Text,
        Numbered,
        Modelled,
    )
)


class Writer:
    """Writes a program from a seed, and tells what is seen of it."""

    def __init__(self, types: Any, seed: int) -> None:
        self.types = types
        self.rng = random.Random(seed)
        self.log: Log = []
        self.patched: list[tuple[Any, str, Any]] = []

    # -- processors --

    def stock(self) -> Any:
        types, rng, pick = self.types, self.rng, self.rng.choice
        bound, size = pick(BOUNDS), pick((0, 1, 2, 3, 5, 60, 1.5, True, None, 10**30, -1))
        made = pick(
            (
                types.StringCaster,
                types.IntegerCaster,
                types.FloatCaster,
                types.BooleanCaster,
                types.DateCaster,
                types.DateTimeCaster,
                types.UUIDCaster,
                types.ListCaster,
                types.DictCaster,
                lambda: types.ListCaster(pick((types.IntegerCaster(), self.foreign()))),
                types.RequiredValidator,
                lambda: types.MinLengthValidator(size),
                lambda: types.MaxLengthValidator(size),
                lambda: types.MinValueValidator(bound, pick((False, False, True, 1))),
                lambda: types.MaxValueValidator(bound, pick((False, False, True, ""))),
                lambda: types.PatternValidator(pick((r"^[A-Z]", r"\w+$", "", "^$")), pick((None, "no"))),
                lambda: types.OneOfValidator(pick(([1, "ada", 2.5], ["x"], [True], []))),
                types.EmailValidator,
                types.URLValidator,
                lambda: types.RangeValidator(bound, pick(BOUNDS)),
                types.NotEmptyValidator,
                types.UniqueItemsValidator,
                lambda: types.ContainsValidator(pick(("a", "A", "", 1)), pick((True, False, 1))),
                types.StripWhitespaceTransformer,
                types.LowercaseTransformer,
                types.UppercaseTransformer,
                types.TitleCaseTransformer,
                lambda: types.RoundTransformer(pick((2, 0, -1, None, True))),
                lambda: types.ClampTransformer(bound, pick(BOUNDS)),
                lambda: types.DefaultTransformer(pick(("d", 0, None)), pick((True, False, 1))),
                lambda: types.TruncateTransformer(size, pick(("...", ""))),
                types.SlugifyTransformer,
                types.NormalizeWhitespaceTransformer,
            )
        )()
        odd = rng.random()
        if odd < 0.03:
            made.process = lambda value: self.tell("shadow", value)
        elif odd < 0.05:
            made.__class__ = type("Sub", (type(made),), {})
        elif odd < 0.07:
            names = [name for name in vars(made) if name != "process"]
            if names:
                delattr(made, pick(names))
        elif odd < 0.09:
            made.other = 1
        elif odd < 0.11:
            made.__class__ = type(
                "Sub", (type(made),), {"process": lambda this, value: self.tell("sub", value)}
            )
        return made

    def tell(self, what: str, value: Any) -> Any:
        self.log.append((what, self.seen(value)))
        return value

    def foreign(self) -> Any:
        writer, types = self, self.types
        kind = self.rng.randrange(9)
        base = self.rng.choice((object, types.Validator, types.Transformer))

        class Foreign(base):  # type: ignore[misc, valid-type]
            def process(self, value: Any) -> Any:
                writer.tell(f"foreign {kind}", value)
                if kind == 1:
                    raise ValueError("refused")
                if kind == 2:
                    raise KeyError("a key")
                if kind == 3:
                    raise KeyboardInterrupt("now")
                if kind == 4:
                    return None
                if kind == 5:
                    return [value, value]
                if kind == 6 and writer.outer is not None:
                    writer.change(writer.outer)
                if kind == 7:
                    try:
                        raise LookupError("inner")
                    except LookupError as error:
                        raise TypeError("outer") from error
                return value

        return Foreign()

    outer: Any = None

    def processors(self, most: int) -> Any:
        rng = self.rng
        made: Any = [
            self.foreign() if rng.random() < 0.1 else self.stock() for _ in range(rng.randrange(most))
        ]
        return tuple(made) if rng.random() < 0.03 else made

    # -- types --

    def type(self, depth: int = 0) -> Any:
        types, rng = self.types, self.rng

        def inner(chance: float) -> Any:
            return self.type(depth + 1) if depth < 3 and rng.random() < chance else None

        if depth and rng.random() < 0.15:
            return rng.choice((types.StringType, types.IntegerType, types.EmailType, types.PercentageType))
        fitting = rng.random() < 0.5
        made = types.FoobaraType(
            f"t{depth}",
            str,
            casters=[types.StringCaster()] if fitting else self.processors(3),
            transformers=self.processors(4),
            validators=self.processors(4),
            default=rng.choice((None, "d", [])),
            has_default=rng.random() < 0.15,
            nullable=rng.random() < 0.15,
            element_type=inner(0.4),
            key_type=inner(0.3),
            value_type=inner(0.4),
        )
        odd = rng.random()
        if type(made.casters) is tuple:
            return made
        if odd < 0.04:
            made.__class__ = self.subclass()
        elif odd < 0.06:
            made.process = lambda value: self.tell("own process", value)
        elif odd < 0.08:
            made.element_type = made
        elif odd < 0.10:
            delattr(made, rng.choice(("casters", "validators", "element_type", "key_type", "has_default")))
        elif odd < 0.12:
            setattr(
                made,
                rng.choice(("element_type", "value_type", "key_type")),
                rng.choice((self.foreign(), 0, "")),
            )
        elif odd < 0.2 and type(made.transformers) is type(made.validators) is list:
            made = rng.choice((made.array, made.optional, lambda: made.with_validators(self.stock())))()
        return made

    def subclass(self) -> Any:
        writer, base = self, self.types.FoobaraType
        kind = self.rng.randrange(5)

        class Sub(base):  # type: ignore[misc, valid-type]
            if kind == 0:

                def process(self, value: Any) -> Any:
                    return writer.tell("sub process", super().process(value))

            elif kind == 1:

                @property
                def casters(self) -> Any:
                    writer.log.append("casters")
                    return vars(self).get("casters", [])

                @casters.setter
                def casters(self, value: Any) -> None:
                    vars(self)["casters"] = value

            elif kind == 2:

                def __getattribute__(self, name: str) -> Any:
                    if name in ("validators", "element_type"):
                        writer.log.append(name)
                    return super().__getattribute__(name)

            elif kind == 3:
                transformers = ()

                def __bool__(self) -> bool:
                    writer.log.append("truth")
                    return len(writer.log) % 3 > 0

        return Sub

    def change(self, made: Any) -> None:
        """Change a type, or a class of processors, in one of the ways that are seen at once."""
        rng, pick = self.rng, self.rng.choice
        kind = rng.randrange(8)
        lists = [
            each
            for name in ("casters", "transformers", "validators")
            if isinstance(each := vars(made).get(name), list)
        ]
        items = pick(lists) if lists else []
        if kind == 0:
            items.append(self.stock())
        elif kind == 1 and items:
            items.pop()
        elif kind == 2 and items:
            items[0] = self.stock()
        elif kind == 3:
            setattr(made, pick(("casters", "transformers", "validators")), self.processors(3))
        elif kind == 4 and items:
            names = list(vars(pick(items)))
            if names:
                setattr(pick(items), pick(names), pick(BOUNDS))
        elif kind == 5:
            made.element_type = pick((None, self.types.IntegerType))
        elif kind == 6:
            cls = pick(
                (self.types.StringCaster, self.types.MinLengthValidator, self.types.TitleCaseTransformer)
            )
            self.patch(cls, "process", lambda this, value: self.tell("patched", value))
        elif kind == 7:
            cls = pick((self.types.MinLengthValidator, self.types.MaxValueValidator))
            self.patch(
                cls, pick(("min_length", "max_value")), property(lambda this: 2, lambda this, value: None)
            )

    def patch(self, cls: Any, name: str, value: Any) -> None:
        before = vars(cls).get(name)
        self.patched.append((cls, name, before))
        setattr(cls, name, value)

    # -- what is seen --

    def seen(self, value: Any, depth: int = 0) -> Any:
        kind = type(value).__name__
        if depth > 6:
            return kind
        if type(value) in (list, tuple):
            return kind, [self.seen(each, depth + 1) for each in list(value)]
        if type(value) is dict:
            return kind, [(self.seen(a, depth + 1), self.seen(b, depth + 1)) for a, b in value.items()]
        if type(value) in SHOWN:
            return kind, repr(value)
        return kind

    def failure(self, error: BaseException | None, depth: int = 0) -> Any:
        if error is None or depth > 5:
            return None
        return (
            type(error).__name__,
            str(error),
            self.failure(error.__cause__, depth + 1),
            self.failure(error.__context__, depth + 1),
            getattr(error, "__notes__", None),
        )

    def run(self) -> Log:
        rng = self.rng
        try:
            made = self.type()
            self.outer = made
            for _ in range(rng.randrange(2, 7)):
                if rng.random() < 0.15:
                    self.change(made)
                value = rng.choice(VALUES)()
                way = rng.choice(("process", "process", "process", "__call__", "validate", "is_valid"))
                before = len(self.log)
                try:
                    result = getattr(made, way)(value)
                except RecursionError as error:
                    # How deep a run without end gets depends on the frames it takes.
                    self.log[before:] = [(way, type(error).__name__)]
                    break
                except BaseException as error:
                    self.log.append((way, self.failure(error), self.seen(value)))
                else:
                    same = result is value and not isinstance(value, str)
                    self.log.append((way, self.seen(result), same, self.seen(value)))
        finally:
            for cls, name, before in reversed(self.patched):
                if before is None:
                    delattr(cls, name)
                else:
                    setattr(cls, name, before)
        return self.log


def programs(types: Any, first: int, count: int) -> list[Log]:
    """Return what is seen of *count* programs."""
    return [Writer(types, seed).run() for seed in range(first, first + count)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not swap_target.reachable():
        print("no foobara_py: set FOOBARA_PY_PATH to a checkout")
        return 2
    import importlib

    import foobara_accel

    types = importlib.import_module("foobara_py.types")
    started, done, different, replaced = time.time(), 0, 0, ""
    while done < options.cases:
        count = min(1000, options.cases - done)
        first = options.seed * 10_000_000 + done
        plain = programs(types, first, count)
        report = foobara_accel.install()
        replaced = ", ".join(key for key in report.replaced if key.startswith("FoobaraType"))
        try:
            swapped = programs(types, first, count)
        finally:
            foobara_accel.uninstall()
        for offset, (one, other) in enumerate(zip(plain, swapped, strict=True)):
            if one != other:
                different += 1
                if different < 6:
                    print(f"program {first + offset} differs")
                    pairs = ((a, b) for a, b in zip(one, other, strict=False) if a != b)
                    for a, b in list(pairs)[:2]:
                        print("  plain  ", a)
                        print("  swapped", b)
        done += count
    print(
        f"{done} programs, {different} different ({foobara_accel.backend()};"
        f" replaced: {replaced or 'nothing'}; {time.time() - started:.0f} s)"
    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
