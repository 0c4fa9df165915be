"""The drop-in over many runs and switches: no collection, nothing kept, nothing torn.

FOOBARA_ACCEL_SLOW=1 takes the numbers that the project promises.
"""

from __future__ import annotations

import os
from textwrap import dedent

import pytest

from foobara_accel import backend
from foobara_py_here import needs_foobara_py, run

SLOW = bool(os.environ.get("FOOBARA_ACCEL_SLOW"))
RUNS = 100_000 if SLOW else 3_000
SWITCHES = 1_000 if SLOW else 100
THREADS = 16
BACKENDS = ["py", pytest.param("c", marks=pytest.mark.skipif(str(backend()) != "c", reason="not compiled"))]

pytestmark = [needs_foobara_py, *([pytest.mark.slow] if SLOW else [])]

# What is run: successes and failures, sync and async, nested, with hooks, callbacks and transactions.
APP = """
import asyncio, gc, sys, threading
from typing import Any
from pydantic import BaseModel
import foobara_py
from foobara_py import AsyncCommand, Command
from foobara_py.core.command.simple import simple_command
from foobara_py.core.transactions import TransactionConfig
import foobara_accel
from foobara_accel.swap.known import KNOWN
from foobara_accel.swap.target import find, underlying

class In(BaseModel):
    a: int
    b: int = 2

class Handler:
    def begin(self): pass
    def commit(self): pass
    def rollback(self): pass

HANDLER = Handler()

class Add(Command[In, int]):
    def execute(self): return self.inputs.a + self.inputs.b

class Errs(Command[In, int]):
    def execute(self):
        self.add_input_error(["a"], "odd", "no", seen=1)
        self.add_runtime_error("late", "no", halt=False)

class Halts(Command[In, int]):
    def execute(self): self.add_runtime_error("stop", "no")

class Raises(Command[In, int]):
    _transaction_config = TransactionConfig.with_handler(lambda: HANDLER)
    def execute(self): raise ValueError("no")

class Hooked(Command[In, int]):
    _transaction_config = TransactionConfig.with_handler(lambda: HANDLER)
    def validate(self): pass
    def load_records(self): pass
    def execute(self): return self.inputs.a
Hooked.before_execute_transition(lambda command: None)
Hooked.after_any_transition(lambda command: None)
Hooked.around_execute_transition(lambda command, proceed: proceed())

class Parent(Command[In, int]):
    def execute(self): return self.run_subcommand_bang(Add, a=self.inputs.a)

class Fails(Command[In, int]):
    def execute(self): return self.run_subcommand_bang(Errs, a=self.inputs.a)

class Later(AsyncCommand[In, int]):
    async def execute(self): return self.inputs.a

def finished(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value

def keys(outcome): return [error.key() for error in outcome.errors]
def dicts(outcome): return [error.to_dict() for error in outcome.errors]

KINDS = {
    "add": lambda: Add.run(a=1).result,
    "coerced": lambda: Add.run(a="1").result,
    "instance": lambda: Add(a=1).run_instance().unwrap(),
    "invalid": lambda: keys(Add.run(a="x", b=[])),
    "written": lambda: len(dicts(Add.run(a="x"))[0]),
    "errs": lambda: keys(Errs.run(a=1)),
    "halts": lambda: keys(Halts.run(a=1)),
    "raises": lambda: keys(Raises.run(a=1)),
    "hooked": lambda: Hooked.run(a=1).result,
    "parent": lambda: Parent.run(a=1).result,
    "fails": lambda: keys(Fails.run(a=1)),
    "later": lambda: finished(Later.run(a=1)).result,
    "later invalid": lambda: keys(finished(Later.run(a="x"))),
}
target = find()
FUNCTIONS = {key: underlying(target.attribute(key)) for key in KNOWN}
FUNCTIONS = {key: each for key, each in FUNCTIONS.items() if each is not None}
CODES = {key: each.__code__ for key, each in FUNCTIONS.items()}
EXPECTED = {name: run() for name, run in KINDS.items()}
"""


@pytest.mark.parametrize("fixes", ["()", "None"])
@pytest.mark.parametrize("on", BACKENDS)
def test_runs_with_the_drop_in_start_no_collection_and_keep_nothing(on: str, fixes: str) -> None:
    """foobara_py's own runs are cycles, which the collector has to find; these are none."""
    code = APP + dedent(f"""
        assert foobara_accel.install(fixes={fixes}).ok
        started = []
        gc.callbacks.append(lambda phase, info: started.append(info) if phase == "start" else None)
        RUNS = {RUNS}
        for name, run in KINDS.items():
            for _ in range(300): run()
            gc.collect(), gc.freeze()
            started.clear()
            least = None
            for _ in range(3):
                before = sys.getallocatedblocks()
                for _ in range(RUNS): run()
                grown = sys.getallocatedblocks() - before
                least = grown if least is None else min(least, grown)
                if least <= 5: break
            print(name, len(started), least)
        """)
    told = {
        line.rsplit(None, 2)[0]: [int(word) for word in line.rsplit(None, 2)[1:]]
        for line in run(code, on, timeout=3000).splitlines()
    }
    assert len(told) == 13
    assert {name: found for name, found in told.items() if found[0] or found[1] > 5} == {}


@pytest.mark.parametrize("on", BACKENDS)
def test_switching_under_load_tears_nothing_and_restores_every_function(on: str) -> None:
    """Runs that begin under one code and end under the other answer as ever."""
    code = APP + dedent(f"""
        from foobara_accel.swap import REPAIRS
        sys.setswitchinterval(1e-5)
        wrong, stop, count = [], threading.Event(), [0] * {THREADS}
        def work(number):
            while not stop.is_set():
                for name, run in KINDS.items():
                    try:
                        found = run()
                    except BaseException as error:
                        found = error
                    if found != EXPECTED[name]:
                        wrong.append((name, found))
                    count[number] += 1
        threads = [threading.Thread(target=work, args=(number,)) for number in range({THREADS})]
        for each in threads: each.start()
        most = 0
        for number in range({SWITCHES}):
            report = foobara_accel.install(fixes=(None, (), REPAIRS)[number % 3])
            assert report.state == "swapped"
            most = max(most, len(report.replaced))
            stop.wait(0.001)
            off = foobara_accel.uninstall()
            assert off.state == "off" and not off.notes, off
        stop.set()
        for each in threads: each.join()
        assert not wrong, (len(wrong), wrong[:3])
        assert all(count) and most
        changed = [key for key, each in FUNCTIONS.items() if each.__code__ is not CODES[key]]
        assert not changed, changed
        again = {{key: underlying(target.attribute(key)) for key in FUNCTIONS}}
        assert all(again[key] is each for key, each in FUNCTIONS.items())
        assert {{name: run() for name, run in KINDS.items()}} == EXPECTED
        print(sum(count))
        """)
    assert int(run(code, on, timeout=3000)) > 0
