"""No use of a type of the extension modules ends the process; instances go from one backend to the other."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

HERE = Path(__file__).parent

POKE = """
import copy, faulthandler, importlib, os, pickle, pkgutil, sys, warnings
faulthandler.enable()
warnings.simplefilter("ignore")
sys.unraisablehook = lambda unraisable: None
import foobara_accel
from foobara_accel import _ext

class A(foobara_accel.AsyncCommand[__import__("pydantic").create_model("I"), object]):
    async def execute(self): return 1
class B(foobara_accel.Command[__import__("pydantic").create_model("J"), object]):
    def execute(self): return 1

def attempt(call):
    try:
        return call()
    except Exception as error:
        return error

def poke(it):
    for call in (repr, str, hash, bool, iter, len, copy.copy, copy.deepcopy, pickle.dumps):
        print(type(it), call, file=sys.stderr)
        attempt(lambda: call(it))
    attempt(lambda: it == it)
    attempt(lambda: it())
    attempt(lambda: it.__await__())
    attempt(lambda: it.__next__())
    for state in ((), (None, {}), ((), {}), {}, None, 5, (None, {"_state": 99}), (None, {"_errors": 5})):
        attempt(lambda: it.__setstate__(state))
        attempt(lambda: repr(it))
    for name in dir(it):
        print(type(it), name, file=sys.stderr)  # what a crash was in
        value = attempt(lambda: getattr(it, name))
        if callable(value) and name not in ("__class__", "__subclasshook__"):
            attempt(value)
            attempt(lambda: value(None))
            attempt(lambda: value(it))
        for new in (None, 99, -1):
            attempt(lambda: setattr(it, name, new)) if name != "__class__" else None
        attempt(lambda: repr(it))
    attempt(lambda: it.run_instance())

seen = set()
def of(cls):
    if cls in seen or not cls.__module__.startswith("foobara_accel._ext"):
        return
    seen.add(cls)
    makes = [lambda: cls.__new__(cls), lambda: cls.__new__(cls, None)]
    makes += [lambda: cls(), lambda: cls(None), lambda: cls(None, None)]
    for make in makes:
        it = attempt(make)
        if type(it) is cls:
            poke(it)
        else:
            assert isinstance(it, Exception), (cls, it)

def around(command, proceed):
    of(type(proceed))
    attempt(lambda: proceed.__setstate__(()))
    assert copy.copy(proceed) is proceed is copy.deepcopy(proceed)
    proceed()
B.around_commit_transaction(around)
assert B.run().result == 1

for found in pkgutil.iter_modules(_ext.__path__):
    module = importlib.import_module("foobara_accel._ext." + found.name)
    for value in list(vars(module).values()):
        if isinstance(value, type):
            of(value)
run = A.run()
of(type(run)), of(type(run.__await__())), of(type(A.run)), of(type(B.run))
run.close()
poke(A.run), poke(B.run), poke(B()), poke(A())
print(len(seen))
"""


def test_types_of_the_extensions_raise_and_do_not_crash(fa: ModuleType) -> None:
    if str(fa.backend()) != "c":
        pytest.skip("extension types")
    done = subprocess.run([sys.executable, "-c", POKE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 12


CLASSES = """
import pickle, sys
from typing import Any
from pydantic import BaseModel
import foobara_accel as fa

class Inputs(BaseModel):
    a: int

class Top(fa.Command[Inputs, Any]):
    def execute(self):
        return self.inputs.a + 1

class Slotted(Top):
    __slots__ = ("s", "never")

class Own(Top):
    def __getstate__(self):
        return {"inputs": self._raw_inputs}
    def __setstate__(self, state):
        self.__init__(**state["inputs"])
"""

WRITE = """
import crossing
from crossing import *
protocol = int(sys.argv[2])
new, ran, failed, slotted = Top(a=1), Top(a=2), Top(a="x"), Slotted(a=3)
new.mine, slotted.s = [1], 5
assert ran.run_instance().result == 3
assert failed.run_instance().is_failure()
with open(sys.argv[1], "wb") as file:
    pickle.dump([new, ran, failed, slotted, Own(a=4)], file, protocol)
"""

READ = """
from crossing import *
with open(sys.argv[1], "rb") as file:
    new, ran, failed, slotted, own = pickle.load(file)
assert new.mine == [1] and new._raw_inputs == {"a": 1} and new.state is fa.CommandState.INITIALIZED
assert new.run_instance().result == 2
assert ran.state is fa.CommandState.SUCCEEDED and ran._result == 3 and ran.inputs.a == 2 and not ran.errors
try:
    ran.run_instance()
except RuntimeError:
    pass
else:
    raise AssertionError
assert failed.state is fa.CommandState.FAILED and [e.path for e in failed.errors] == [("a",)]
assert slotted.s == 5 and not hasattr(slotted, "never") and slotted.run_instance().result == 4
assert own.run_instance().result == 5
print(fa.backend())
"""


@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("writer", ["auto", "py"])
@pytest.mark.parametrize("reader", ["auto", "py"])
def test_an_instance_pickled_by_one_backend_loads_in_the_other(
    tmp_path: Path, writer: str, reader: str, protocol: int
) -> None:
    (tmp_path / "crossing.py").write_text(CLASSES)
    kept = str(tmp_path / "kept")
    for backend, text in ((writer, WRITE), (reader, READ)):
        done = subprocess.run(
            [sys.executable, "-c", text, kept, str(protocol)],
            env=os.environ | {"FOOBARA_ACCEL_BACKEND": backend},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr[-3000:]


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int


def test_copies_keep_slots_and_attributes(fa: ModuleType) -> None:
    class Slotted(fa.Command[Inputs, Any]):
        __slots__ = ("s",)

        def execute(self) -> Any:
            return self.inputs.a

    one = Slotted(a=1)
    one.s, one.mine = [5], [6]
    shallow, deep = copy.copy(one), copy.deepcopy(one)
    assert shallow.s is one.s and shallow.mine is one.mine and shallow.__dict__ is not one.__dict__
    assert deep.s == [5] and deep.s is not one.s and deep.mine == [6] and deep.mine is not one.mine
    assert [each.run_instance().result for each in (deep, shallow, one)] == [1, 1, 1]


def test_the_users_own_state_is_used(fa: ModuleType) -> None:
    class Own(fa.Command[Inputs, Any]):
        def __getstate__(self) -> Any:
            return {"inputs": self._raw_inputs}

        def __setstate__(self, state: Any) -> None:
            self.__init__(**state["inputs"])  # type: ignore[misc]

        def execute(self) -> Any:
            return self.inputs.a

    assert copy.copy(Own(a=4)).run_instance().result == 4

    class Attributes(fa.Command[Inputs, Any]):
        def __getstate__(self) -> Any:
            return {"mine": 3}

    assert copy.copy(Attributes(a=4)).mine == 3

    class More(fa.Command[Inputs, Any]):
        def __getstate__(self) -> Any:
            return super().__getstate__(), 7

        def __setstate__(self, state: Any) -> None:
            super().__setstate__(state[0])
            self.more = state[1]

        def execute(self) -> Any:
            return self.inputs.a

    twin = copy.copy(More(a=4))
    assert twin.more == 7 and twin.run_instance().result == 4


@pytest.mark.parametrize(
    "state",
    [
        None,
        (),
        5,
        (None,),
        (None, 5),
        ([], {}),
        (None, {"_state": 99}),
        (None, {"_state": -1}),
        (None, {"_state": "x"}),
        (None, {"_entered": 99}),
        (None, {"_errors": 5}),
        (None, {"_closed": 9}),
        (None, {"_raw_inputs": 9}),
    ],
)
def test_what_is_no_state_is_refused(fa: ModuleType, state: Any) -> None:
    class Top(fa.Command[Inputs, Any]):
        def execute(self) -> Any:
            return self.inputs.a

    one = Top(a=1)
    with pytest.raises((TypeError, ValueError), match="state"):
        one.__setstate__(state)
    assert one.run_instance().result == 1


@pytest.mark.parametrize("name", ["_state", "_entered"])
def test_a_number_that_no_state_has_is_refused(fa: ModuleType, name: str) -> None:
    class Top(fa.Command[Inputs, Any]):
        def execute(self) -> Any:
            return self.inputs.a

    one = Top(a=1)
    for wrong in (99, -1, 11, 2**70):
        with pytest.raises(ValueError, match=r"is not a state: .*SUCCEEDED = 8"):
            setattr(one, name, wrong)
    for wrong in ("8", None, 1.0):
        with pytest.raises(TypeError, match="a state is a CommandState or its number"):
            setattr(one, name, wrong)
    assert one.state_name == "initialized"
    one._state = fa.CommandState.FAILED
    assert one.state is fa.CommandState.FAILED and one.state_name == "failed"
    one._state = 0
    assert one.run_instance().result == 1
