"""The payments job: a bank's CSV of payments, a few percent of them faulty, imported by real commands.

`generate` writes the file (the same bytes for the same seed); `run_import` feeds every line to an
`ImportPayment` command, which checks the account in one subcommand and records the payment in another, inside
one SQLite transaction per payment. Rejects become JSON lines of complete errors without account or card
numbers.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import importlib
import io
import json
import os
import random
import re
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from .cases import floors
from .rounds import timed

__all__ = ["COLUMNS", "FAULTS", "Payment", "generate", "mask", "run_import", "writing"]

COLUMNS = ("reference", "booked_on", "iban", "card", "amount", "currency", "payee", "note")
CURRENCIES = frozenset({"EUR", "USD", "GBP", "CHF", "PLN", "SEK"})
MASK = "***"
# How many payments lie between two measurements of I, the unit two reports are compared in.
UNIT_EVERY = 2_000

_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Country -> structure of the account part (n digits, a upper-case letters), IBAN registry release 101.
_ACCOUNTS = {
    "DE": "n18",
    "AT": "n16",
    "NL": "a4n10",
    "BE": "n12",
    "ES": "n20",
    "PL": "n24",
    "DK": "n14",
    "GB": "a4n14",
    "SE": "n20",
    "PT": "n21",
}
_PAYEES = ("Ada Lovelace", 'Müller & Söhne, "Bau" GmbH', "O'Neill Ltd", "Łódź Sp. z o.o.", "山田商店", "Zoë")
_NOTES = ("", "invoice 4711", "rent, March", 'the "usual"', "two\nlines", "déjà payé")


def _iban_check(country: str, account: str) -> str:
    """Return the two check digits of ISO 13616 (98 minus the remainder modulo 97)."""
    number = "".join(str(int(char, 36)) for char in account + country + "00")
    return f"{98 - int(number) % 97:02d}"


def _iban(rng: random.Random) -> str:
    country = rng.choice(tuple(_ACCOUNTS))
    account = ""
    for kind, length in re.findall(r"([na])(\d+)", _ACCOUNTS[country]):
        alphabet = _DIGITS if kind == "n" else _LETTERS
        account += "".join(rng.choice(alphabet) for _ in range(int(length)))
    return country + _iban_check(country, account) + account


def _card(rng: random.Random) -> str:
    digits = "4" + "".join(rng.choice(_DIGITS) for _ in range(14))
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


def _other_digit(text: str, place: int) -> str:
    """Return *text* with the digit at *place* raised by one: a single wrong digit breaks both checksums."""
    digits = list(text)
    digits[place] = str((int(digits[place]) + 1) % 10)
    return "".join(digits)


Row = list[str]
Fault = Callable[[random.Random, Row], Row]


def _setting(column: str, *values: str) -> Fault:
    place = COLUMNS.index(column)

    def fault(rng: random.Random, row: Row) -> Row:
        row[place] = rng.choice(values)
        return row

    return fault


def _changing(column: str, change: Callable[[str], str]) -> Fault:
    place = COLUMNS.index(column)

    def fault(rng: random.Random, row: Row) -> Row:
        row[place] = change(row[place])
        return row

    return fault


def _bad_card(change: Callable[[str], str]) -> Fault:
    def fault(rng: random.Random, row: Row) -> Row:
        row[3] = change(row[3] or _card(rng))
        return row

    return fault


def _swapped(rng: random.Random, row: Row) -> Row:
    row[2], row[4] = row[4], row[2]
    return row


def _three_at_once(rng: random.Random, row: Row) -> Row:
    row[1], row[4], row[5] = "yesterday", "-1.00", "euro"
    return row


def _account_and_card(rng: random.Random, row: Row) -> Row:
    row[2] = _other_digit(row[2], -1)
    row[3] = _other_digit(row[3] or _card(rng), -1)
    return row


# Every fault makes the line unusable. A surrogate becomes a byte that is not UTF-8 when the file is written.
FAULTS: dict[str, Fault] = {
    "iban_digit": _changing("iban", lambda text: _other_digit(text, -1)),
    "iban_short": _changing("iban", lambda text: text[:-1]),
    "iban_long": _changing("iban", lambda text: text + "0"),
    "iban_country": _changing("iban", lambda text: "ZZ" + text[2:]),
    "iban_letter": _changing("iban", lambda text: text[:-1] + "O"),
    "iban_empty": _setting("iban", ""),
    "iban_no_break_space": _changing("iban", lambda text: text[:4] + "\u00a0" + text[4:]),
    "iban_full_width": _changing("iban", lambda text: text[:-1] + chr(0xFF10 + int(text[-1]))),
    "card_luhn": _bad_card(lambda text: _other_digit(text, -1)),
    "card_short": _bad_card(lambda text: text[:7]),
    "card_letters": _bad_card(lambda text: text[:-4] + "XXXX"),
    "account_and_card": _account_and_card,
    "columns_missing": lambda rng, row: row[: rng.randrange(1, 7)],
    "columns_extra": lambda rng, row: [*row, "left over", ""],
    "columns_swapped": _swapped,
    "amount_comma": _changing("amount", lambda text: text.replace(".", ",")),
    "amount_words": _setting("amount", "n/a", "twelve", "-", "EUR 5", "#REF!"),
    "amount_not_positive": _setting("amount", "0.00", "-12.50"),
    "amount_too_fine": _changing("amount", lambda text: text + "5"),
    "amount_huge": _setting("amount", "1e40", "9" * 40),
    "amount_not_a_number": _setting("amount", "NaN", "Infinity"),
    "amount_empty": _setting("amount", ""),
    "amount_nul": _changing("amount", lambda text: text[0] + "\0" + text[1:]),
    "date_format": _setting("booked_on", "31.12.2025", "12/31/2025", "2025-1-5", "today"),
    "date_impossible": _setting("booked_on", "2025-02-30", "2025-13-01", "0000-00-00"),
    "date_empty": _setting("booked_on", ""),
    "currency_case": _changing("currency", str.lower),
    "currency_unknown": _setting("currency", "XXQ", "DEM"),
    "currency_empty": _setting("currency", ""),
    "payee_empty": _setting("payee", "", " "),
    "payee_encoding": _setting("payee", "M\udcfcller", "caf\udce9"),
    "three_at_once": _three_at_once,
}
# What a real file also holds and an importer has to take.
_ODDITIES: tuple[Fault, ...] = (
    _changing("iban", lambda text: " ".join(text[i : i + 4] for i in range(0, len(text), 4))),
    _changing("iban", lambda text: f"  {text}\t"),
    _changing("amount", lambda text: f" {text} "),
    _changing("currency", lambda text: text + " "),
)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a file beside *path* for writing and move it there at the end; on an exception nothing is left."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def generate(path: Path, rows: int, seed: int = 1, faulty: float = 0.04) -> dict[str, Any]:
    """Write *rows* payments to the CSV *path* and return what was planted in it.

    The same arguments give the same bytes. The result counts the rows, the usable ones and each fault.
    """
    rng = random.Random(seed)
    planted: Counter[str] = Counter()
    names = tuple(FAULTS)
    ibans = [_iban(rng) for _ in range(min(rows, 2_000))]
    cards = [_card(rng) for _ in range(min(rows, 2_000))]
    usable: list[str] = []
    currencies = sorted(CURRENCIES)
    with writing(path) as file:
        file.write("\ufeff")
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        for number in range(rows):
            chance = rng.random()
            row = [
                f"P{number:09d}",
                f"2025-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
                rng.choice(ibans),
                rng.choice(cards) if rng.random() < 0.7 else "",
                f"{rng.randrange(1, 5_000)}.{rng.randrange(100):02d}",
                rng.choice(currencies),
                rng.choice(_PAYEES),
                rng.choice(_NOTES),
            ]
            if chance < faulty:
                # Each fault once in turn, so that a short file has them all; duplicates need an earlier row.
                name = (*names, "duplicate")[planted.total() % (len(names) + 1)]
                if name == "duplicate" and usable:
                    row[0] = rng.choice(usable)
                else:
                    name = "iban_digit" if name == "duplicate" else name
                    row = FAULTS[name](rng, row)
                planted[name] += 1
            else:
                if chance < faulty + 0.03:
                    row = rng.choice(_ODDITIES)(rng, row)
                if number % 97 == 0:
                    usable.append(row[0])
            writer.writerow(row)
            if chance > 0.9995:
                file.write("\r\n")
    return {
        "rows": rows,
        "seed": seed,
        "usable": rows - planted.total(),
        "faults": dict(sorted(planted.items())),
    }


class Payment(BaseModel):
    """One line of the file, after outer blanks were removed."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    reference: str = Field(min_length=1, max_length=35)
    booked_on: date
    iban: str = Field(min_length=1, max_length=60)
    card: str = Field(max_length=30)
    amount: Decimal = Field(gt=0, max_digits=14, decimal_places=2)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    payee: str = Field(min_length=1, max_length=70)
    note: str = Field(max_length=140)


class Account(BaseModel):
    """What `ValidateAccount` looks at."""

    iban: str
    card: str


class Entry(BaseModel):
    """What `RecordPayment` stores; the card is not stored."""

    reference: str
    booked_on: str
    iban: str
    minor_units: int
    currency: str
    payee: str
    note: str


class Ledger(sqlite3.Connection):
    """A connection that adds up the thread CPU time spent inside SQLite."""

    spent: int = 0
    calls: int = 0

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As sqlite3 does, with the time it took added up."""
        start = time.thread_time_ns()
        try:
            return super().execute(*arguments)
        finally:
            self.spent += time.thread_time_ns() - start
            self.calls += 1

    def commit(self) -> None:
        """As sqlite3 does, with the time it took added up."""
        start = time.thread_time_ns()
        try:
            super().commit()
        finally:
            self.spent += time.thread_time_ns() - start
            self.calls += 1

    def rollback(self) -> None:
        """As sqlite3 does, with the time it took added up."""
        start = time.thread_time_ns()
        try:
            super().rollback()
        finally:
            self.spent += time.thread_time_ns() - start
            self.calls += 1


class _PlainHandler:
    """Begin, commit and rollback for a package without a handler for sqlite3."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def begin(self) -> None:
        self.connection.execute("BEGIN")

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        self.connection.execute("ROLLBACK")


def _commands(package: str, connection: sqlite3.Connection) -> Any:
    """Return the `ImportPayment` class of *package*, working on *connection*."""
    api = importlib.import_module(package)
    transactions = importlib.import_module(f"{package}.core.transactions")
    types = importlib.import_module(f"{package}.types")
    if not hasattr(types, "is_valid_iban"):
        types = importlib.import_module("..types", __package__)
    is_valid_iban, is_valid_card = types.is_valid_iban, types.is_valid_card
    handler = getattr(transactions, "Sqlite3TransactionHandler", _PlainHandler)
    config = transactions.TransactionConfig.with_handler(lambda: handler(connection))
    insert = connection.execute

    class ValidateAccount(api.Command[Account, bool]):  # type: ignore[misc, name-defined]
        def execute(self) -> bool:
            inputs = self.inputs
            if not is_valid_iban(inputs.iban):
                self.add_input_error(("iban",), "invalid_iban", "is not a valid IBAN")
            if inputs.card and not is_valid_card(inputs.card):
                self.add_input_error(("card",), "invalid_card", "is not a valid card number")
            return True

    class RecordPayment(api.Command[Entry, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int | None:
            entry = self.inputs
            try:
                cursor = insert(
                    "INSERT INTO payments (reference, booked_on, iban, minor_units, currency, payee, note)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        entry.reference,
                        entry.booked_on,
                        entry.iban,
                        entry.minor_units,
                        entry.currency,
                        entry.payee,
                        entry.note,
                    ),
                )
            except sqlite3.IntegrityError:
                self.add_runtime_error(
                    "duplicate_reference",
                    "a payment with this reference was already imported",
                    reference=entry.reference,
                )
                return None
            return cursor.lastrowid

    class ImportPayment(api.Command[Payment, int]):  # type: ignore[misc, name-defined]
        _transaction_config = config

        def validate(self) -> None:
            if self.inputs.currency not in CURRENCIES:
                self.add_input_error(("currency",), "unknown_currency", "is not a currency of this ledger")

        def execute(self) -> int:
            payment = self.inputs
            iban = payment.iban.replace(" ", "")
            self.run_subcommand_bang(ValidateAccount, iban=iban, card=payment.card)
            return self.run_subcommand_bang(  # type: ignore[no-any-return]
                RecordPayment,
                reference=payment.reference,
                booked_on=payment.booked_on.isoformat(),
                iban=iban,
                minor_units=int(payment.amount * 100),
                currency=payment.currency,
                payee=payment.payee,
                note=payment.note,
            )

    return ImportPayment


_ACCOUNT_LIKE = re.compile(
    r"\b[A-Z]{2}[0-9]{2}(?:[ \u00a0]?[A-Z0-9\uff10-\uff19]){8,31}|[0-9](?:[ -]?[0-9]){10,}"
)


def mask(value: Any, secrets: tuple[str, ...] = ()) -> Any:
    """Return *value* ready for JSON, each of *secrets* and all that looks like an IBAN or a card replaced."""
    if isinstance(value, str):
        for secret in secrets:
            if secret in value:
                value = value.replace(secret, MASK)
        return _ACCOUNT_LIKE.sub(MASK, value)
    if isinstance(value, dict):
        return {key: MASK if key in ("iban", "card") else mask(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(item, secrets) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return mask(str(value), secrets)


def _complete(error: Any, secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return the error as a dict that names no account and no card."""
    fields = dict(error.to_dict())
    context = dict(fields.get("context") or {})
    if error.path and error.path[0] in ("iban", "card"):
        context.update(dict.fromkeys(context.keys() & {"input", "value"}, MASK))
    elif len(error.path) == 1 and str(error.path[0]).startswith("column_"):
        context.pop("input", None)
    fields["context"] = context
    return mask(fields, secrets)  # type: ignore[no-any-return]


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line numbers and cells by column name; a surplus cell is named after its place."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        for row in reader:
            if not row:
                continue
            cells = {name: cell.strip(" \t\r\n") for name, cell in zip(header, row, strict=False)}
            for place in range(len(header), len(row)):
                cells[f"column_{place + 1}"] = row[place]
            yield reader.line_num, cells


def _clock_cost() -> float:
    """Return what one pair of clock reads adds, to be taken off the totals."""
    clock = time.thread_time_ns
    costs = []
    for _ in range(201):
        start = clock()
        costs.append(clock() - start)
    return statistics.median(costs)


def run_import(package: str, source: Path, database: Path, rejects: Path) -> dict[str, Any]:
    """Import *source* into a new *database* with the commands of *package*; return totals and times.

    Times are thread CPU nanoseconds, `database` being the part inside SQLite; rejects go to *rejects*, which
    appears only when complete.
    """
    database.unlink(missing_ok=True)
    connection = sqlite3.connect(database, factory=Ledger, isolation_level=None)
    try:
        return _import(package, source, connection, rejects)
    finally:
        connection.close()


def _import(package: str, source: Path, connection: Ledger, rejects: Path) -> dict[str, Any]:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "CREATE TABLE payments (id INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE,"
        " booked_on TEXT NOT NULL, iban TEXT NOT NULL, minor_units INTEGER NOT NULL, currency TEXT NOT NULL,"
        " payee TEXT NOT NULL, note TEXT NOT NULL)"
    )
    run = _commands(package, connection).run
    connection.spent = connection.calls = 0
    accepted = rejected = aside = 0
    units: list[float] = []
    building = floors()["I"]
    reasons: Counter[str] = Counter()
    refused = hashlib.sha256()
    wall = time.perf_counter_ns()
    start = time.thread_time_ns()
    with writing(rejects) as file:
        for number, cells in _lines(source):
            if (accepted + rejected) % UNIT_EVERY == 0:
                paused = time.thread_time_ns()
                units.append(timed(building, 200))
                aside += time.thread_time_ns() - paused
            outcome = run(**cells)
            if outcome.is_success():
                accepted += 1
                continue
            rejected += 1
            secrets = tuple(text for text in (cells.get("iban", ""), cells.get("card", "")) if len(text) > 5)
            errors = [_complete(error, secrets) for error in outcome.errors]
            places = sorted(f"{error['symbol']}@{'.'.join(error['path'])}" for error in errors)
            reasons.update(places)
            refused.update(f"{number} {places}\n".encode(errors="backslashreplace"))
            line = {"line": number, "reference": mask(cells.get("reference")), "errors": errors}
            file.write(json.dumps(line))
            file.write("\n")
    cpu = time.thread_time_ns() - start - aside
    wall = time.perf_counter_ns() - wall
    spent, calls = connection.spent, connection.calls
    cost = _clock_cost()
    amounts = connection.execute(
        "SELECT currency, SUM(minor_units) FROM payments GROUP BY currency ORDER BY currency"
    )
    totals = {
        "rows": accepted + rejected,
        "accepted": accepted,
        "rejected": rejected,
        "reasons": dict(sorted(reasons.items())),
        "amounts": dict(amounts.fetchall()),
        "ledger": _digest(connection),
        "refused": refused.hexdigest(),
    }
    database = max(spent - calls * cost, 0.0)
    return {
        "totals": totals,
        "rejects_sha256": hashlib.sha256(rejects.read_bytes()).hexdigest(),
        "cpu_ns": max(cpu - 2 * calls * cost, database),
        "database_ns": database,
        "wall_ns": wall,
        "unit_ns": statistics.median(units) if units else None,
    }


def _digest(connection: sqlite3.Connection) -> str:
    """Return a digest of all recorded payments in the order they were recorded."""
    digest = hashlib.sha256()
    for row in connection.execute(
        "SELECT reference, booked_on, iban, minor_units, currency, payee, note FROM payments ORDER BY id"
    ):
        digest.update(repr(row).encode())
    return digest.hexdigest()
