"""Write the phone table of both twins from the metadata of the installed phonenumbers.

    python tools/phone_table.py [--check]

The table is an automaton over the digits after a "+": what ``is_valid_number(parse(text))`` says of every
such text and, of a valid one, its region, its type and what in it is a national prefix. Nothing is sampled:
patterns become automata, and so does each step of parse. The prefix of a national call is matched with the
priorities of ``re``, stripped or rewritten, and what is left is judged by length and pattern. A pattern with
anything but digits, classes, alternatives and bounded repeats in it is refused.

After a release of phonenumbers: install it, run this script, run tests/differential_phones.py.
"""

from __future__ import annotations

import argparse
import base64
import functools
import re
import re._constants as sre
import re._parser as parser
import struct
import sys
import textwrap
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneMetadata,
    PhoneNumberType,
    ValidationResult,
    phonenumberutil,
)

from foobara_accel.types._numbering import code_fingerprint, parser_fingerprint

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "src/foobara_accel/_pure/_phone_table.py"

# The bounds of phonenumbers.parse on a national significant number.
SHORTEST, LONGEST = 2, 17

# In the order in which phonenumbers asks for them; the two of a fixed line follow.
TYPES = (
    ("premium_rate", PhoneNumberType.PREMIUM_RATE),
    ("toll_free", PhoneNumberType.TOLL_FREE),
    ("shared_cost", PhoneNumberType.SHARED_COST),
    ("voip", PhoneNumberType.VOIP),
    ("personal_number", PhoneNumberType.PERSONAL_NUMBER),
    ("pager", PhoneNumberType.PAGER),
    ("uan", PhoneNumberType.UAN),
    ("voicemail", PhoneNumberType.VOICEMAIL),
)


class Unsupported(Exception):
    """A pattern has something in it that this script cannot turn into an automaton."""


# --- A pattern as a program: 10-bit sets of digits, jumps and splits with the priorities of re ---

CHAR, SPLIT, END, SAVE, MATCH = range(5)


def digits_of(items: Iterable[tuple[Any, Any]]) -> int:
    """Return the set of digits of a class as bits; raises Unsupported for anything else in it."""
    bits = 0
    for kind, value in items:
        if kind is sre.LITERAL and 48 <= value <= 57:
            bits |= 1 << value - 48
        elif kind is sre.RANGE and 48 <= value[0] <= value[1] <= 57:
            bits |= (1 << value[1] - 47) - (1 << value[0] - 48)
        elif kind is sre.CATEGORY and value is sre.CATEGORY_DIGIT:
            bits |= 0x3FF
        else:
            raise Unsupported(f"{kind} {value} in a class")
    return bits


class Program:
    """One pattern as instructions for ordered threads, as a backtracking matcher would try them."""

    def __init__(self, pattern: str) -> None:
        self.code: list[tuple[int, Any, Any]] = []
        self._emit(parser.parse(pattern))
        self.code.append((MATCH, None, None))

    def _emit(self, items: Any) -> None:
        code = self.code
        for kind, value in items:
            if kind in (sre.LITERAL, sre.IN):
                bits = digits_of([(kind, value)] if kind is sre.LITERAL else value)
                code.append((CHAR, bits, None))
            elif kind is sre.SUBPATTERN:
                group, on, off, inner = value
                if on or off:
                    raise Unsupported("flags in a group")
                if group is not None:
                    code.append((SAVE, 2 * group, None))
                self._emit(inner)
                if group is not None:
                    code.append((SAVE, 2 * group + 1, None))
            elif kind is sre.BRANCH:
                jumps = []
                for index, inner in enumerate(value[1]):
                    last = index == len(value[1]) - 1
                    split = len(code)
                    if not last:
                        code.append((SPLIT, None, None))
                    self._emit(inner)
                    if not last:
                        jumps.append(len(code))
                        code.append((SPLIT, None, None))
                        code[split] = (SPLIT, split + 1, len(code))
                for jump in jumps:
                    code[jump] = (SPLIT, len(code), None)
            elif kind is sre.MAX_REPEAT:
                low, high, inner = value
                if high is sre.MAXREPEAT:
                    raise Unsupported("an unbounded repeat")
                for _ in range(low):
                    self._emit(inner)
                splits = []
                for _ in range(high - low):
                    splits.append(len(code))
                    code.append((SPLIT, None, None))
                    self._emit(inner)
                for split in splits:
                    code[split] = (SPLIT, split + 1, len(code))
            elif kind is sre.AT and value is sre.AT_END:
                code.append((END, None, None))
            else:
                raise Unsupported(f"{kind} {value}")


class Language:
    """The set of digit strings that a pattern matches whole, as a lazily built automaton; state 0 is dead."""

    def __init__(self, pattern: str) -> None:
        self.program = Program(pattern).code
        if any(op == END for op, _, _ in self.program):
            raise Unsupported("an end of the text in a pattern that is matched whole")
        self.states: dict[frozenset[int], int] = {frozenset(): 0}
        self.sets: list[frozenset[int]] = [frozenset()]
        self.steps: list[list[int] | None] = [[0] * 10]
        self.accepts = [False]
        self.start = self._state(self._closure([0]))

    def _closure(self, places: Iterable[int]) -> frozenset[int]:
        seen: set[int] = set()
        todo = list(places)
        while todo:
            place = todo.pop()
            if place in seen:
                continue
            seen.add(place)
            op, first, second = self.program[place]
            if op == SPLIT:
                todo += [each for each in (first, second) if each is not None]
            elif op == SAVE:
                todo.append(place + 1)
        return frozenset(place for place in seen if self.program[place][0] in (CHAR, MATCH))

    def _state(self, places: frozenset[int]) -> int:
        found = self.states.get(places)
        if found is None:
            found = self.states[places] = len(self.sets)
            self.sets.append(places)
            self.steps.append(None)
            self.accepts.append(any(self.program[place][0] == MATCH for place in places))
        return found

    def step(self, state: int) -> list[int]:
        """Return the ten states that follow *state*."""
        steps = self.steps[state]
        if steps is None:
            chars = [
                (self.program[place][1], place + 1)
                for place in self.sets[state]
                if self.program[place][0] == CHAR
            ]
            steps = self.steps[state] = [
                self._state(self._closure(after for bits, after in chars if bits >> digit & 1))
                for digit in range(10)
            ]
        return steps


@functools.cache
def language(pattern: str) -> Language:
    """Return the automaton of *pattern*."""
    return Language(pattern)


# --- One national significant number, as is ---


class Plain(NamedTuple):
    """What phonenumbers says of the digits so far, taken for a national significant number.

    *kind* is (region, type) of a valid number; *viable*, whether the general pattern of the calling code's
    main region matches; *fits*, whether a prefix may be stripped if this is what is left; *steps* are ten
    indexes.
    """

    kind: tuple[str, int] | None
    viable: bool
    fits: bool
    steps: tuple[int, ...]


MATCHED = -1  # state of a pattern of leading digits that has matched
TOO_LONG = 0  # index of the node past every length


class Nationals:
    """All nodes of one calling code before any prefix is looked at."""

    def __init__(self, code: int) -> None:
        self.regions = COUNTRY_CODE_TO_REGION_CODE[code]
        self.metadata = []
        for region in self.regions:
            found = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            if found is None or found.country_code != code:
                raise Unsupported(f"+{code}: no metadata of {region}")
            self.metadata.append(found)
        self.main = self.metadata[0]
        if max(self.main.general_desc.possible_length) > LONGEST:
            raise Unsupported(f"+{code}: numbers of more than {LONGEST} digits")
        self.languages: list[tuple[Language, bool]] = []
        self.places: dict[tuple[str, bool], int] = {}
        self.general = self._place(self.main.general_desc.national_number_pattern)
        self.checks = [self._check(each) for each in self.metadata]
        self.nodes = [Plain(None, False, True, (TOO_LONG,) * 10)]
        self.found = {self.nodes[0]: TOO_LONG}
        self.known: dict[tuple[int, tuple[int, ...]], int] = {}
        self.start = self._node(0, tuple(each.start for each, _ in self.languages))

    def _place(self, pattern: str, prefix: bool = False) -> int:
        place = self.places.get((pattern, prefix))
        if place is None:
            place = self.places[pattern, prefix] = len(self.languages)
            self.languages.append((language(pattern), prefix))
        return place

    def _desc(self, desc: Any) -> tuple[int, tuple[int, ...]] | None:
        if desc is None or not desc.national_number_pattern:
            return None
        return self._place(desc.national_number_pattern), tuple(desc.possible_length)

    def _check(self, metadata: Any) -> dict[str, Any]:
        names = ("general_desc", "fixed_line", "mobile", *(name for name, _ in TYPES))
        leading = metadata.leading_digits
        return {
            "leading": None if leading is None else self._place(leading, True),
            "same": metadata.same_mobile_and_fixed_line_pattern,
            **{name: self._desc(getattr(metadata, name)) for name in names},
        }

    def _matches(self, desc: tuple[int, tuple[int, ...]] | None, depth: int, states: tuple[int, ...]) -> bool:
        if desc is None or (desc[1] and depth not in desc[1]):
            return False
        return self.languages[desc[0]][0].accepts[states[desc[0]]]

    def _type(self, check: dict[str, Any], depth: int, states: tuple[int, ...]) -> int:
        def matches(name: str) -> bool:
            return self._matches(check[name], depth, states)

        if not matches("general_desc"):
            return PhoneNumberType.UNKNOWN
        for name, kind in TYPES:
            if matches(name):
                return kind
        if matches("fixed_line"):
            both = check["same"] or matches("mobile")
            return PhoneNumberType.FIXED_LINE_OR_MOBILE if both else PhoneNumberType.FIXED_LINE
        if not check["same"] and matches("mobile"):
            return PhoneNumberType.MOBILE
        return PhoneNumberType.UNKNOWN

    def _kind(self, depth: int, states: tuple[int, ...]) -> tuple[str, int] | None:
        if not SHORTEST <= depth <= LONGEST:
            return None
        for region, check in zip(self.regions, self.checks, strict=True):
            kind = self._type(check, depth, states)
            if len(self.regions) == 1 or (
                kind != PhoneNumberType.UNKNOWN
                if check["leading"] is None
                else states[check["leading"]] == MATCHED
            ):
                return None if kind == PhoneNumberType.UNKNOWN else (region, kind)
        return None

    def _node(self, depth: int, states: tuple[int, ...]) -> int:
        if depth > LONGEST:
            # Nothing of this length is valid; that it could have been viable still decides about a prefix.
            general = states[self.general]
            if general == 0:
                return TOO_LONG
            states = tuple(general if place == self.general else 0 for place in range(len(states)))
        states = tuple(
            MATCHED if prefix and state >= 0 and each.accepts[state] else state
            for (each, prefix), state in zip(self.languages, states, strict=True)
        )
        number = self.known.get((depth, states))
        if number is None:
            rows = [
                (MATCHED,) * 10 if state == MATCHED else each.step(state)
                for (each, _), state in zip(self.languages, states, strict=True)
            ]
            steps = tuple(self._node(depth + 1, after) for after in zip(*rows, strict=True))
            length = phonenumberutil._test_number_length("0" * depth, self.main)
            node = Plain(
                self._kind(depth, states),
                self.languages[self.general][0].accepts[states[self.general]],
                length in (ValidationResult.IS_POSSIBLE, ValidationResult.TOO_LONG),
                steps,
            )
            number = self.found.setdefault(node, len(self.nodes))
            if number == len(self.nodes):
                self.nodes.append(node)
            self.known[depth, states] = number
        return number


# --- What follows a calling code, with the national prefix that parse strips or rewrites ---

# What becomes of the digits: (put before, from, to, and from there on).
Edit = tuple[str, int, int, int]
# A thread of the prefix: place, and of the group that a rule keeps (begin, end or -1, node of what it makes).
Thread = tuple[int, tuple[int, int, int] | None]
Candidate = tuple[int, Edit]


class Numbers:
    """All nodes after one calling code, in the table that all codes share."""

    def __init__(self, code: int, table: Table) -> None:
        self.plain = Nationals(code)
        self.table = table
        self.literal, self.group = "", -1
        self.program: list[tuple[int, Any, Any]] = []
        pattern, rule = (
            self.plain.main.national_prefix_for_parsing,
            self.plain.main.national_prefix_transform_rule,
        )
        if pattern:
            self.program = Program(pattern).code
            groups = re.compile(pattern).groups
            if rule:
                found = re.fullmatch(r"([0-9]*)\\([0-9])", rule)
                if found is None or int(found[2]) != groups:
                    raise Unsupported(f"+{code}: the rule {rule!r} for {groups} groups")
                self.literal, self.group = found[1], groups
        self.known: dict[Any, int] = {}
        threads: tuple[Thread, ...] = ((0, None),) if self.program else ()
        self.start = self._node(0, self.plain.start, threads, None)

    def _after(self, node: int, digits: str) -> int:
        for digit in digits:
            node = self.plain.nodes[node].steps[int(digit)]
        return node

    def _follow(
        self, depth: int, threads: tuple[Thread, ...], candidate: Candidate | None, at_end: bool
    ) -> tuple[list[Thread], Candidate | None]:
        """Run *threads* up to their next digit, in the order of re; one that matches ends those below it."""
        seen: set[int] = set()
        kept: list[Thread] = []
        todo = list(reversed(threads))
        while todo:
            place, track = todo.pop()
            if place in seen:
                continue
            seen.add(place)
            op, first, second = self.program[place]
            if op == CHAR:
                kept.append((place, track))
            elif op == SPLIT:
                if second is not None:
                    todo.append((second, track))
                todo.append((first, track))
            elif op == SAVE:
                if first == 2 * self.group:
                    track = (depth, -1, self._after(self.plain.start, self.literal))
                elif first == 2 * self.group + 1 and track is not None:
                    track = (track[0], depth, track[2])
                todo.append((place + 1, track))
            elif op == END:
                if at_end:
                    todo.append((place + 1, track))
            elif track is None:
                return kept, (self.plain.start, ("", 0, 0, depth))
            else:
                return kept, (track[2], (self.literal, track[0], track[1], depth))
        return kept, candidate

    def _outcome(
        self, depth: int, node: int, candidate: Candidate | None
    ) -> tuple[str, int, Edit | None] | None:
        chosen, edit = self.plain.nodes[node], None
        if candidate is not None:
            other = self.plain.nodes[candidate[0]]
            if other.fits and (other.viable or not chosen.viable):
                chosen, edit = other, candidate[1]
        if chosen.kind is None or depth < SHORTEST:
            return None
        if edit is not None and not edit[0] and (edit[3] == 0 or edit[1:] == (0, edit[3], edit[3])):
            edit = None
        return (*chosen.kind, edit)

    def _node(self, depth: int, node: int, threads: tuple[Thread, ...], candidate: Candidate | None) -> int:
        if node == TOO_LONG and not threads and (candidate is None or candidate[0] == TOO_LONG):
            return DEAD
        # Positions of an edit that is still open depend on the depth; nothing else does, past the shortest.
        key = (depth if threads or depth < SHORTEST else -1, node, threads, candidate)
        number = self.known.get(key)
        if number is None:
            _, ended = self._follow(depth, threads, candidate, True)
            outcome = self._outcome(depth, node, ended)
            running, candidate = self._follow(depth, threads, candidate, False)
            steps = []
            for digit in range(10):
                following = []
                for place, track in running:
                    if self.program[place][1] >> digit & 1:
                        if track is not None and track[1] < 0:
                            track = (track[0], -1, self.plain.nodes[track[2]].steps[digit])
                        following.append((place + 1, track))
                after = None
                if candidate is not None:
                    after = (self.plain.nodes[candidate[0]].steps[digit], candidate[1])
                steps.append(
                    self._node(depth + 1, self.plain.nodes[node].steps[digit], tuple(following), after)
                )
            number = self.known[key] = self.table.add(outcome, tuple(steps))
        return number


# --- The table ---

DEAD, NO_CODE = 0, 1


class Table:
    """Nodes shared by all calling codes: equal ones are one."""

    def __init__(self) -> None:
        self.outcomes: dict[Any, int] = {None: 0, "no such code": 1}
        self.rows: list[tuple[int, tuple[int, ...]]] = [(0, (DEAD,) * 10), (1, (NO_CODE,) * 10)]
        self.found = {row: number for number, row in enumerate(self.rows)}

    def add(self, outcome: Any, steps: tuple[int, ...]) -> int:
        """Return the number of the node with this outcome and these steps."""
        row = (self.outcomes.setdefault(outcome, len(self.outcomes)), steps)
        number = self.found.setdefault(row, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
        return number


def build() -> tuple[Table, int]:
    """Return the table and the number of its first node."""
    table = Table()
    starts = {str(code): Numbers(code, table).start for code in COUNTRY_CODE_TO_REGION_CODE}

    def node(digits: str) -> int:
        if digits in starts:
            return starts[digits]
        if len(digits) == 3 or digits.startswith("0"):
            return NO_CODE
        return table.add(None, tuple(node(digits + digit) for digit in "0123456789"))

    return table, node("")


# --- Two automata of it: verdicts alone, and what a valid number is ---

ROOT_ROW, NO_CODE_ROW = 1, 0
TERMINAL = 0x8000
LENGTHS = 15  # bits of a terminal: how many more digits, whichever they are, make a valid number


def after(rows: list[tuple[bool, tuple[int, ...]]], row: int, digits: str) -> int:
    """Return the row that *digits* lead to."""
    for digit in digits:
        row = rows[row][1][int(digit)]
    return row


def verdicts(table: Table, start: int) -> tuple[list[tuple[int, ...]], int]:
    """Return rows of ten entries, and the number before which rows of a valid number stand.

    An entry is the next row, or TERMINAL with a bit for each number of further digits that makes one valid.
    """

    @functools.cache
    def terminal(number: int) -> int | None:
        if number == DEAD:
            return 0
        if number == NO_CODE:
            return None
        outcome, steps = table.rows[number]
        found = {terminal(each) for each in steps}
        if len(found) != 1 or None in found:
            return None
        mask = (found.pop() or 0) << 1 | (outcome != 0)
        return mask if mask < 1 << LENGTHS else None

    known = {NO_CODE: NO_CODE_ROW}
    found: dict[tuple[bool, tuple[int, ...]], int] = {(False, (NO_CODE_ROW,) * 10): NO_CODE_ROW}

    def visit(number: int) -> int:
        if number not in known:
            mask = terminal(number)
            if mask is not None:
                known[number] = TERMINAL | mask
            else:
                outcome, steps = table.rows[number]
                known[number] = found.setdefault((outcome != 0, tuple(map(visit, steps))), len(found))
        return known[number]

    root = visit(start)
    rows = list(found)
    valid = [place for place, (ends, _) in enumerate(rows) if ends]
    if root in valid or len(rows) > TERMINAL:
        raise Unsupported(f"{len(rows)} rows of verdicts")
    if any(entry == TERMINAL | (1 << LENGTHS) - 1 for _, entries in rows for entry in entries):
        raise Unsupported("every length from here on: that entry means the judge")
    before = {code[:end] for code in map(str, COUNTRY_CODE_TO_REGION_CODE) for end in range(1, len(code))}
    reached = [root, *(after(rows, root, digits) for digits in sorted(before))]
    if len(set(reached)) != len(reached):
        raise Unsupported("two beginnings of calling codes share a row: one could not be changed alone")
    first = [NO_CODE_ROW, root, *valid]
    # Rows near the root have the highest numbers: they are made last.
    order = first + sorted(set(range(len(rows))) - set(first), reverse=True)
    places = {old: new for new, old in enumerate(order)}
    return [
        tuple(entry if entry >= TERMINAL else places[entry] for entry in rows[old][1]) for old in order
    ], len(first)


def details(table: Table, start: int) -> list[tuple[int, ...]]:
    """Return rows of ten entries and the outcome of a number that ends there; asked of valid numbers alone.

    An entry is the next row, or TERMINAL with the one outcome that every valid number from there on has.
    """

    @functools.cache
    def reach(number: int) -> frozenset[int]:
        if number in (DEAD, NO_CODE):
            return frozenset()
        outcome, steps = table.rows[number]
        return frozenset({outcome} - {0}).union(*map(reach, steps))

    known: dict[int, int] = {}
    found: dict[tuple[int, ...], int] = {}

    def visit(number: int) -> int:
        if number not in known:
            outcomes = reach(number)
            if len(outcomes) < 2:
                known[number] = TERMINAL | max(outcomes, default=0)
            else:
                outcome, steps = table.rows[number]
                row = (*map(visit, steps), outcome)
                known[number] = found.setdefault(row, len(found))
        return known[number]

    if visit(start) != len(found) - 1 or len(table.outcomes) > TERMINAL:
        raise Unsupported(f"{len(found)} rows of details, {len(table.outcomes)} outcomes")
    last = len(found) - 1  # the first row is the root
    return [
        tuple(entry if entry >= TERMINAL else last - entry for entry in row[:10]) + row[10:]
        for row in reversed(found)
    ]


# --- The module ---


def examples() -> dict[str, str]:
    """Return a published example of each region, in E.164, as phonenumbers has it."""
    found = {}
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        number = number or phonenumbers.example_number(region)
        if number is None or not phonenumbers.is_valid_number(number):
            raise Unsupported(f"{region}: no valid example")
        found[region] = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return found


def type_names() -> list[str]:
    """Return the names of the types by their value."""
    names = {value: name.lower() for name, value in vars(PhoneNumberType).items() if name.isupper()}
    return [names[value] for value in range(len(names) - 1)]


def wrapped(items: Iterable[str], width: int = 106) -> Iterator[str]:
    """Yield *items* in lines of string literals that Python joins."""
    yield from (f'    "{line} "' for line in textwrap.wrap(" ".join(items), width - 8))


def packed(rows: list[tuple[int, ...]]) -> bytes:
    """Return the entries of *rows* as little-endian 16-bit numbers."""
    return b"".join(struct.pack(f"<{len(row)}H", *row) for row in rows)


def module_text() -> str:
    """Return the module that both twins read."""
    table, start = build()
    rows, valid = verdicts(table, start)
    rows_of_details = details(table, start)
    kinds = [outcome for outcome in table.outcomes if isinstance(outcome, tuple)]
    regions = sorted({region for region, _, _ in kinds} | set(phonenumbers.SUPPORTED_REGIONS))
    edits = sorted({edit for _, _, edit in kinds if edit is not None})
    # Outcomes 0 and 1 are none and no such calling code.
    outcomes = [(0, 0, 0), (0, 0, 0)]
    for region, kind, edit in kinds:
        outcomes.append((regions.index(region), kind, 0 if edit is None else 1 + edits.index(edit)))
    raw = packed(rows) + packed(rows_of_details) + packed(outcomes)
    data = base64.b64encode(zlib.compress(raw, 9)).decode("ascii")
    return "\n".join(
        [
            '"""The numbering plans of libphonenumber as one automaton over the digits after a "+".',
            "",
            f"Metadata of phonenumbers {phonenumbers.__version__}.",
            "Written by tools/phone_table.py: change that script, not this file.",
            "",
            "Three tables of little-endian 16-bit numbers, one after the other, compressed and in base 64.",
            "VERDICTS rows of ten entries: the next row, or 0x8000 and a bit for each number of further",
            "digits, whichever they are, that makes a valid number. Row 0: no such calling code. Row 1: the",
            "first. In rows 2 to VALID - 1 a valid number ends.",
            "DETAILS rows of ten entries, and the kind of a number that ends there; asked of valid numbers",
            "alone: the next row, or 0x8000 and the kind of every valid number from there on. Row 0: the",
            "first. Kinds, of three each: region, type, and 1 + what becomes of the digits after the calling",
            "code (0: they stay) as (put before, from, to, and from there on).",
            '"""',
            "",
            "from __future__ import annotations",
            "",
            f'VERSION = "{phonenumbers.__version__}"',
            "# Of the code that reads numbers, and of the metadata of each of CODES (types._numbering).",
            f'PARSER = "{parser_fingerprint(phonenumbers)}"',
            "FINGERPRINTS: str = (",
            *wrapped(code_fingerprint(phonenumbers, code) for code in sorted(COUNTRY_CODE_TO_REGION_CODE)),
            ")",
            "",
            f"VERDICTS, VALID, DETAILS = {len(rows)}, {valid}, {len(rows_of_details)}",
            "",
            "REGIONS: str = (",
            *wrapped(regions),
            ")",
            "",
            "TYPES: str = (",
            *wrapped(type_names()),
            ")",
            "",
            "CODES: str = (",
            *wrapped(map(str, sorted(COUNTRY_CODE_TO_REGION_CODE))),
            ")",
            "",
            "EDITS: tuple[tuple[str, int, int, int], ...] = (",
            *(f'    ("{first}", {", ".join(map(str, rest))}),' for first, *rest in edits),
            ")",
            "",
            "# A published example of each region in REGIONS but 001.",
            "EXAMPLES: str = (",
            *wrapped(examples().values()),
            ")",
            "",
            "DATA: str = (",
            *(f'    "{data[at : at + 100]}"' for at in range(0, len(data), 100)),
            ")",
            "",
        ]
    )


def content(text: str) -> tuple[str, bytes]:
    """Return the text of a module up to its data, and the data, which zlib may have packed otherwise."""
    head, _, data = text.partition("\nDATA: str = (")
    return head, zlib.decompress(base64.b64decode("".join(re.findall(r'"([^"]*)"', data))))


def main(arguments: list[str] | None = None) -> int:
    """Write the table, or with ``--check`` compare it; returns 1 for another one or unknown metadata."""
    parser = argparse.ArgumentParser(description="Write the phone table from the installed phonenumbers.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the table differs")
    options = parser.parse_args(arguments)
    sys.setrecursionlimit(10_000)
    try:
        text = module_text()
    except Unsupported as error:
        print(f"phone_table: {error}", file=sys.stderr)
        return 1
    print(f"phonenumbers {phonenumbers.__version__}, {len(text)} bytes")
    if not options.check:
        PYTHON.write_text(text, encoding="utf-8")
    elif not PYTHON.exists() or content(PYTHON.read_text(encoding="utf-8")) != content(text):
        print(f"phone_table: {PYTHON.relative_to(ROOT)} differs from the metadata", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
