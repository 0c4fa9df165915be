"""Import a file of payments: accepted ones into SQLite, rejected ones to JSON lines of complete errors.

Each payment is one transaction: the payment and its booking are both recorded or neither is.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections import Counter
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, Field

from foobara_accel import Command, Sqlite3TransactionHandler, TransactionConfig, is_valid_card, is_valid_iban

FILE = """\
reference,booked_on,iban,card,amount,currency
P-1,2025-03-01,DE89370400440532013000,,120.50,EUR
P-2,2025-03-01,GB82WEST12345698765432,4111111111111111,9.99,GBP
P-3,2025-03-02,DE89370400440532013001,,75.00,EUR
P-4,2025-02-30,FR1420041010050500013M02606,,12.345,EUR
P-5,2025-03-02,NL91ABNA0417164300,4111111111111112,-3.00,EURO
P-1,2025-03-03,NL91ABNA0417164300,,44.00,EUR
P-6,2025-03-03,NL91ABNA0417164300,,5000.00,EUR
"""
DAILY_LIMIT = 250_000

db = sqlite3.connect(":memory:", isolation_level=None)
db.executescript(
    """
    CREATE TABLE payments (reference TEXT PRIMARY KEY, booked_on TEXT, iban TEXT, cents INTEGER);
    CREATE TABLE totals (booked_on TEXT PRIMARY KEY, cents INTEGER);
    """
)
IN_DB = TransactionConfig.with_handler(lambda: Sqlite3TransactionHandler(db))


class PaymentInputs(BaseModel):
    reference: str = Field(min_length=1, max_length=35)
    booked_on: date
    iban: str
    card: str = ""
    amount: Decimal = Field(gt=0, decimal_places=2)
    currency: str = Field(pattern="^[A-Z]{3}$")


class BookInputs(BaseModel):
    booked_on: date
    cents: int


class BookTotal(Command[BookInputs, int]):
    """Add to a day's total and return it; a day has a limit."""

    _transaction_config = IN_DB

    def execute(self) -> int:
        day = self.inputs.booked_on.isoformat()
        db.execute(
            "INSERT INTO totals VALUES (?, ?) "
            "ON CONFLICT (booked_on) DO UPDATE SET cents = cents + excluded.cents",
            (day, self.inputs.cents),
        )
        (total,) = db.execute("SELECT cents FROM totals WHERE booked_on = ?", (day,)).fetchone()
        if total > DAILY_LIMIT:
            self.add_runtime_error("daily_limit", f"{day} is over its limit", limit=DAILY_LIMIT)
        return int(total)


class ImportPayment(Command[PaymentInputs, str]):
    """Check and record one payment and return its reference."""

    _transaction_config = IN_DB

    def validate(self) -> None:
        # The messages name the field, never the number.
        if not is_valid_iban(self.inputs.iban):
            self.add_input_error("iban", "invalid_iban", "is not a valid IBAN")
        if self.inputs.card and not is_valid_card(self.inputs.card):
            self.add_input_error("card", "invalid_card", "is not a valid card number")
        known = db.execute("SELECT 1 FROM payments WHERE reference = ?", (self.inputs.reference,))
        if known.fetchone():
            self.add_input_error("reference", "duplicate", "was imported already")

    def execute(self) -> str:
        cents = int(self.inputs.amount * 100)
        db.execute(
            "INSERT INTO payments VALUES (?, ?, ?, ?)",
            (self.inputs.reference, self.inputs.booked_on.isoformat(), self.inputs.iban, cents),
        )
        self.run_subcommand_bang(BookTotal, booked_on=self.inputs.booked_on, cents=cents)
        return self.inputs.reference


def main() -> None:
    rejects: list[str] = []
    symbols: Counter[str] = Counter()
    for line, row in enumerate(csv.DictReader(io.StringIO(FILE)), start=2):
        outcome = ImportPayment.run(**row)
        if outcome.is_failure():
            symbols.update(error.symbol for error in outcome.errors)
            errors = [error.to_dict() for error in outcome.errors]
            rejects.append(json.dumps({"line": line, "reference": row["reference"], "errors": errors}))

    print("payments:", db.execute("SELECT reference, cents FROM payments").fetchall())
    print("totals:  ", db.execute("SELECT booked_on, cents FROM totals").fetchall())
    print("rejected:", len(rejects), dict(symbols))
    for reject in rejects:
        print(reject)


if __name__ == "__main__":
    main()
