"""The processors of a FoobaraType in one call, in Python. Twin of foobara_accel._ext.pipeline.

A loop over processors costs more in Python than what most of them do. So the text of a function is written
with the bodies of a type's stock processors one after another; what such a body refuses goes to the
processor's own ``process``, which says why. A text is compiled once per sequence of stock processors. Each
function looks first whether the type's lists are still those that it was written for, and whether the classes
still have their own ``process``; it keeps no attribute of a processor.
"""

from __future__ import annotations

import linecache
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache, partial
from itertools import accumulate, count
from typing import Any
from uuid import UUID

__all__ = ["PROCESSORS", "processing"]

# Of these no comparison raises, whatever number the bound is.
_NUMBER = "(type(value) is int or type(value) is float and value == value)"

# What a stock processor does with ``value``; {p} is the processor. These are its own words, as far as they
# go.
_BODIES: dict[str, str] = {
    "StringCaster": "if type(value) is not str: value = {p}.process(value)",
    "IntegerCaster": "if type(value) is not int: value = {p}.process(value)",
    "FloatCaster": "if type(value) is not float: value = {p}.process(value)",
    "BooleanCaster": "if type(value) is not bool: value = {p}.process(value)",
    "DateCaster": "if type(value) is not date: value = {p}.process(value)",
    "DateTimeCaster": "if type(value) is not datetime: value = {p}.process(value)",
    "UUIDCaster": "if type(value) is not UUID: value = {p}.process(value)",
    "ListCaster": "if type(value) is not list or {p}.element_caster is not None: value = {p}.process(value)",
    "DictCaster": "if type(value) is not dict: value = {p}.process(value)",
    "RequiredValidator": "if value is None: value = {p}.process(value)",
    "MinLengthValidator": "if len(value) < {p}.min_length: value = {p}.process(value)",
    "MaxLengthValidator": "if len(value) > {p}.max_length: value = {p}.process(value)",
    "MinValueValidator": (
        f"if not {_NUMBER} or {{p}}.exclusive or not value >= {{p}}.min_value: value = {{p}}.process(value)"
    ),
    "MaxValueValidator": (
        f"if not {_NUMBER} or {{p}}.exclusive or not value <= {{p}}.max_value: value = {{p}}.process(value)"
    ),
    "PatternValidator": "if not {p}.pattern.match(value): value = {p}.process(value)",
    "OneOfValidator": "value = {p}.process(value)",
    "EmailValidator": "if not {p}.EMAIL_PATTERN.match(value): value = {p}.process(value)",
    "URLValidator": "if not {p}.URL_PATTERN.match(value): value = {p}.process(value)",
    "RangeValidator": (
        f"if not ({_NUMBER} and value >= {{p}}.min_value and value <= {{p}}.max_value): "
        "value = {p}.process(value)"
    ),
    "NotEmptyValidator": "if not value: value = {p}.process(value)",
    "UniqueItemsValidator": "value = {p}.process(value)",
    "ContainsValidator": "if not ({p}.case_sensitive and {p}.substring in value): value = {p}.process(value)",
    "StripWhitespaceTransformer": "value = value.strip()",
    "LowercaseTransformer": "value = value.lower()",
    "UppercaseTransformer": "value = value.upper()",
    "TitleCaseTransformer": "value = value.title()",
    "RoundTransformer": "value = {p}.process(value)",
    "ClampTransformer": (
        f"value = max({{p}}.min_value, min(value, {{p}}.max_value)) if {_NUMBER} else {{p}}.process(value)"
    ),
    "DefaultTransformer": "value = {p}.process(value)",
    "TruncateTransformer": "if len(value) > {p}.max_length: value = {p}.process(value)",
    "NormalizeWhitespaceTransformer": "value = ' '.join(value.split())",
}
_FOREIGN = "value = {p}.process(value)"

# What these are written with holds for a str of nobody's own alone, and makes one.
_OF_STR = {f"{name}Transformer" for name in ("StripWhitespace", "Lowercase", "Uppercase", "TitleCase")}
_OF_STR.add("NormalizeWhitespaceTransformer")

#: Names of the stock processors that are known here.
PROCESSORS: tuple[str, ...] = tuple(_BODIES)

_PHASES = ("casters", "transformers", "validators")

_written = count(1)


class Plan:
    """What was written for one type: ``run(type, value)``, and ``steps(value)`` of stock ones alone."""

    __slots__ = ("run", "steps", "valid")

    def __init__(self, run: Any, steps: Any, valid: Any) -> None:
        self.run = run
        self.steps = steps
        self.valid = valid


def processing(
    cls: type[Any],
    whole: Callable[[Any, Any], Any],
    stock: Mapping[str, Any],
    locate: Callable[[BaseException, str, int, Any, Any], BaseException] | None = None,
) -> Callable[[Any, Any], Any]:
    """Return the ``process`` of the types of class *cls*, a function of the type and a value.

    *whole* does the same, step by step; *stock* has the classes of the stock processors by name, whose
    ``process`` is what is written here. *locate* gets the exception of an element, what it is (``element``,
    ``key``, ``value``), its position, its key and the type, and returns the exception to raise; without it
    exceptions pass as they are. A type keeps what is written for it as its ``_plan``.
    """
    kinds = {stock[name]: (name, vars(stock[name])["process"]) for name in PROCESSORS if name in stock}

    def process(self: Any, value: Any) -> Any:
        try:
            run = self._plan.run
        except AttributeError:
            run = again
        return run(self, value)

    def again(self: Any, value: Any) -> Any:
        """Write anew what was written for other lists, and run it."""
        if value is None or not _is_plain(type(self)):
            return whole(self, value)
        lists = [getattr(self, name) for name in _PHASES]
        if any(type(each) is not list for each in lists):
            return whole(self, value)
        plan = self._plan = written(self, *lists)
        # Somebody else's processors may never equal themselves.
        return plan.run(self, value) if plan.valid(self) else whole(self, value)

    def written(self: Any, casters: list[Any], transformers: list[Any], validators: list[Any]) -> Plan:
        names: list[tuple[str, ...]] = []
        classes: dict[Any, Any] = {}
        for items in (casters, transformers, validators):
            found = []
            for each in items:
                kind, function = kinds.get(type(each), ("", None))
                if kind and type(each).process is not function:
                    kind = ""
                if kind:
                    classes[type(each)] = function
                found.append(kind)
            names.append(tuple(found))
        inner = any(each is not None for each in (self.element_type, self.key_type, self.value_type))
        make = _maker(names[0], names[1], names[2], inner, len(classes))
        run, steps, valid = make(
            (list(casters), list(transformers), list(validators)),
            tuple(classes),
            tuple(classes.values()),
            (again, inside, rest, from_phase),
        )
        return Plan(run, steps, valid)

    def from_phase(self: Any, phase: int, value: Any) -> Any:
        """Do what is left, from the beginning of a phase: its list is another one than was written for."""
        items = getattr(self, _PHASES[phase])
        if type(items) is list:
            return rest(self, items, 0, phase, value)
        for each in items:
            value = each.process(value)
        return rest(self, [], 0, phase, value)

    def rest(self: Any, items: list[Any], at: int, phase: int, value: Any) -> Any:
        """Do what is left after item *at* of the list of a phase."""
        while at < len(items):
            value = items[at].process(value)
            at += 1
        if phase == 2:
            return value
        return from_phase(self, phase + 1, value if phase == 0 else inside(self, value))

    def inside(self: Any, value: Any) -> Any:
        """Return *value* with its elements, or keys and values, processed."""
        if self.element_type and isinstance(value, list):
            value = of_list(self, value)
        if locate is None:  # of foobara_py's types one alone does nothing
            if self.key_type and self.value_type and isinstance(value, dict):
                value = of_dict(self, value)
        elif isinstance(value, dict) and (self.key_type or self.value_type):
            value = of_dict(self, value)
        return value

    def of_list(self: Any, value: list[Any]) -> list[Any]:
        made: list[Any] = []
        add = made.append
        element = self.element_type
        steps = alone(element)
        try:
            if steps is None:
                for each in value:
                    add(self.element_type.process(each))
            else:
                for each in value:
                    add(element.process(None) if each is None else steps(each))
        except Exception as error:
            if locate is None:
                raise
            raise locate(error, "element", len(made), None, self)  # noqa: B904 (it has its cause)
        return made

    def alone(element: Any) -> Any:
        """Return the steps of a type that has stock processors alone; None: it has others."""
        if type(element) is not cls or cls.process is not process or "process" in vars(element):
            return None
        plan = getattr(element, "_plan", None)
        if plan is None or not plan.valid(element):
            lists = [getattr(element, name) for name in _PHASES]
            if not _is_plain(cls) or any(type(each) is not list for each in lists):
                return None
            plan = element._plan = written(element, *lists)
        return plan.steps

    def of_dict(self: Any, value: dict[Any, Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        position, what, key = 0, "key", None
        try:
            for key, item in value.items():
                what = "key"
                new = self.key_type.process(key) if self.key_type or locate is None else key
                what = "value"
                made[new] = self.value_type.process(item) if self.value_type or locate is None else item
                position += 1
        except Exception as error:
            if locate is None:
                raise
            raise locate(error, what, position, key, self)  # noqa: B904 (it has its cause)
        return made

    return process


def _is_plain(cls: type[Any]) -> bool:
    """Whether instances of *cls* keep what is read of a type in their dict, and there alone."""
    getter: Any = cls.__getattribute__
    return getter is object.__getattribute__ and not any(
        name in vars(base)
        for base in cls.__mro__
        for name in (*_PHASES, "element_type", "key_type", "value_type")
    )


def _changed(items: str, *, which: str, kinds: tuple[str, ...], first: int) -> str:
    """Write whether the list *items* holds others than the processors of this phase.

    Stock ones that are equal do the same; those of others may be equal and do what they like.
    """
    if "" not in kinds:
        return f"{items} != {which}"
    others = "".join(f" or {items}[{at}] is not p{first + at}" for at in range(len(kinds)))
    return f"type({items}) is not list or len({items}) != {len(kinds)}{others}"


def _steps(kinds: tuple[str, ...], first: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of each processor, with the place after it; *first* is the number of the first of them.

    Those of texts that follow one another are written together, so that the text is looked at once.
    """
    at = 0
    while at < len(kinds):
        end = next((i for i in range(at, len(kinds)) if kinds[i] not in _OF_STR), len(kinds))
        if end == at:
            end += 1
            yield end, [_BODIES.get(kinds[at], _FOREIGN).format(p=f"p{first + at}")]
        else:
            lines = ["if type(value) is str:"]
            for kind, following in zip(kinds[at:end], (*kinds[at + 1 : end], ""), strict=True):
                # split() strips too.
                if (kind, following) != ("StripWhitespaceTransformer", "NormalizeWhitespaceTransformer"):
                    lines.append(f"    {_BODIES[kind]}")
            lines.append("else:")
            lines += [f"    {_FOREIGN.format(p=f'p{first + i}')}" for i in range(at, end)]
            yield end, lines
        at = end


@lru_cache(maxsize=1024)
def _maker(
    casters: tuple[str, ...],
    transformers: tuple[str, ...],
    validators: tuple[str, ...],
    inner: bool,
    classes: int,
) -> Any:
    """Return a function that gives ``run``, ``steps`` and ``valid`` for processors of these kinds."""
    phases = (casters, transformers, validators)
    foreign = any("" in phase for phase in phases)
    given = [f"p{number}" for number in range(sum(map(len, phases)))]
    lines = [
        "def make(lists, classes, functions, ways):",
        "    casters, transformers, validators = lists",
        "    again, inside, rest, from_phase = ways",
    ]
    if given:
        lines.append(f"    {', '.join(given)}, = casters + transformers + validators")
    for number in range(classes):
        lines.append(f"    c{number}, f{number} = classes[{number}], functions[{number}]")
    own = "".join(f" or c{number}.process is not f{number}" for number in range(classes))
    ends = accumulate(map(len, phases))
    changed = [
        partial(_changed, which=which, kinds=kinds, first=end - len(kinds))
        for which, kinds, end in zip(_PHASES, phases, ends, strict=True)
    ]
    of_inner = "".join(f" or self.{each}_type is not None" for each in ("element", "key", "value"))
    lines += ["    def run(self, value):", f"        if value is None or {changed[0]('self.casters')}{own}:"]
    lines.append("            return again(self, value)")
    number = 0
    for phase, (which, kinds) in enumerate(zip(_PHASES, phases, strict=True)):
        if phase:
            also = of_inner if phase == 1 and not inner else ""
            lines += [
                f"        if {changed[phase](f'self.{which}')}{also}:",
                f"            return from_phase(self, {phase}, value)",
            ]
        if foreign and "" in kinds:
            lines.append(f"        items = self.{which}")
        for at, written in _steps(kinds, number):
            lines += [f"        {line}" for line in written]
            if not kinds[at - 1]:
                lines += [
                    f"        if {changed[phase]('items')}:",
                    f"            return rest(self, items, {at}, {phase}, value)",
                ]
        number += len(kinds)
        if phase == 1 and (inner or foreign):
            lines.append("        value = inside(self, value)")
    lines.append("        return value")
    lines.append("    def valid(self):")
    each = " or ".join(differs(f"self.{which}") for differs, which in zip(changed, _PHASES, strict=True))
    lines.append(f"        return not ({each}{own}{'' if inner else of_inner})")
    if foreign or inner:
        lines.append("    steps = None")
    else:
        lines.append("    def steps(value):")
        for _, written in _steps(casters + transformers + validators, 0):
            lines += [f"        {line}" for line in written]
        lines.append("        return value")
    lines += ["    return run, steps, valid", ""]
    text = "\n".join(lines)
    filename = f"<foobara_accel process {next(_written)}>"
    linecache.cache[filename] = len(text), None, text.splitlines(keepends=True), filename
    names: dict[str, Any] = {"date": date, "datetime": datetime, "UUID": UUID}
    exec(compile(text, filename, "exec", dont_inherit=True), names)
    make = names.pop("make")
    # What is dropped here leaves no text behind.
    weakref.finalize(make, linecache.cache.pop, filename, None).atexit = False
    return make
