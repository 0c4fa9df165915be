"""Transactions: a command and its subcommands share one; a parent that fails undoes all of it."""

from __future__ import annotations

import sqlite3

from pydantic import BaseModel, Field

from foobara_accel import Command, Sqlite3TransactionHandler, TransactionConfig

db = sqlite3.connect(":memory:", isolation_level=None)
db.execute("CREATE TABLE accounts (name TEXT PRIMARY KEY, cents INTEGER NOT NULL)")
db.executemany("INSERT INTO accounts VALUES (?, ?)", [("ada", 5000), ("bob", 0)])

# Called once per run. Handlers of one connection are equal, which is why a subcommand joins.
IN_DB = TransactionConfig.with_handler(lambda: Sqlite3TransactionHandler(db))


def balances() -> dict[str, int]:
    return dict(db.execute("SELECT name, cents FROM accounts ORDER BY name"))


class PostInputs(BaseModel):
    account: str
    cents: int


class Post(Command[PostInputs, int]):
    """Add to an account, or take from it, and return its balance."""

    _transaction_config = IN_DB

    def execute(self) -> int:
        updated = db.execute(
            "UPDATE accounts SET cents = cents + ? WHERE name = ?", (self.inputs.cents, self.inputs.account)
        )
        if not updated.rowcount:
            self.add_runtime_error("no_account", f"there is no account {self.inputs.account}")
        balance = balances()[self.inputs.account]
        if balance < 0:
            self.add_runtime_error("overdrawn", f"{self.inputs.account} has too little")
        return balance


class TransferInputs(BaseModel):
    source: str
    target: str
    cents: int = Field(gt=0)


class Transfer(Command[TransferInputs, None]):
    """Move money: both postings or none."""

    _transaction_config = IN_DB

    def execute(self) -> None:
        self.run_subcommand_bang(Post, account=self.inputs.source, cents=-self.inputs.cents)
        self.run_subcommand_bang(Post, account=self.inputs.target, cents=self.inputs.cents)


def attempt(source: str, target: str, cents: int) -> None:
    outcome = Transfer.run(source=source, target=target, cents=cents)
    answer = "done" if outcome.is_success() else outcome.errors[0].key()
    print(f"{source} -> {target:<5} {cents:>5}: {answer:<34} {balances()}")


def main() -> None:
    print("at first".ljust(56), balances())
    attempt("ada", "bob", 1500)
    attempt("ada", "bob", 9999)
    # The first posting succeeds, the second fails: the first is undone with it.
    attempt("ada", "carol", 100)
    attempt("ada", "bob", 0)


if __name__ == "__main__":
    main()
