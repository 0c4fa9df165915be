"""The exchange of a function's code: any signature, all that stands for a function, and exact reversal."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import itertools
import linecache
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from textwrap import dedent
from types import FunctionType
from typing import Any
from unittest import mock

import pytest

from foobara_accel import backend
from foobara_accel.swap.exchange import Exchange, cannot, is_foreign, original_code
from foobara_accel.swap.target import underlying
from foobara_py_here import needs_foobara_py, run

BACKENDS = ["py", pytest.param("c", marks=pytest.mark.skipif(str(backend()) != "c", reason="not compiled"))]


SLOW = {name: value for name, value in os.environ.items() if name == "FOOBARA_ACCEL_SLOW"}


def state(function: FunctionType) -> tuple[Any, ...]:
    """Everything of a function that an exchange must leave as it was, but for its code."""
    return (
        function.__defaults__,
        function.__kwdefaults__,
        function.__closure__,
        function.__annotations__,
        function.__name__,
        function.__qualname__,
        function.__module__,
        function.__doc__,
        function.__dict__,
        function.__globals__,
        inspect.signature(function),
    )


@pytest.fixture
def exchanged() -> Iterator[Callable[[Any, Any], Exchange]]:
    """``exchanged(function, replacement)`` switches on, until the test ends."""
    made: list[Exchange] = []

    def on(function: Any, replacement: Any) -> Exchange:
        each = Exchange(function.__qualname__, function, replacement)
        made.append(each)
        each.on()
        return each

    yield on
    for each in made:
        each.off()


# -- every signature -------------------------------------------------------------------------------


def signatures() -> Iterator[str]:
    """Every mix of parameters: each kind up to twice, with defaults and without."""
    for only, plain, keyword in itertools.product(range(3), repeat=3):
        for args, kwargs in itertools.product((False, True), repeat=2):
            for defaults in {0, 1, only + plain}:
                if defaults > only + plain:
                    continue
                names = [f"p{number}" for number in range(only)] + [f"a{number}" for number in range(plain)]
                first = len(names) - defaults
                words = [
                    name if number < first else f"{name}=[{number}]" for number, name in enumerate(names)
                ]
                if only:
                    words.insert(only, "/")
                if args:
                    words.append("*args")
                elif keyword:
                    words.append("*")
                words += [f"k{number}" + ("={}" if number else "") for number in range(keyword)]
                yield ", ".join([*words, *(["**kwargs"] if kwargs else [])])


CALLS: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = tuple(
    (positional, named)
    for positional in ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), (1, 2, 3, 4, 5))
    for named in (
        {},
        {"k0": 6},
        {"k0": 6, "k1": 7},
        {"a0": 8},
        {"a0": 8, "a1": 9, "k0": 6},
        {"p0": 1, "k0": 6},
        {"other": 1, "k0": 6},
        {"self": 1, "k0": 2, "args": 3, "kwargs": 4},
    )
)


def answer(function: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a call gives, or the text of the TypeError that says why the arguments do not fit."""
    try:
        result = function(*positional, **named)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        return result
    except TypeError as error:
        return str(error)


def written(parameters: str, kind: str, free: bool) -> tuple[FunctionType, FunctionType]:
    """A function of these parameters that tells its arguments, and one to replace it that tells them too."""
    made: dict[str, Any] = {}
    exec(
        dedent(f"""
        def around(outer, other):
            {kind} function({parameters}):
                {"kept = outer, other" if free else "pass"}
                return "own", sorted((k, v) for k, v in locals().items() if k[0] in "pak" and k != "kept")
            return function
        def replacing():
            {kind} function({parameters}):
                return "replaced", sorted(locals().items())
            return function
        function, replacement = around(1, 2), replacing()
        """),
        made,
    )
    made["replacement"].__qualname__ = made["function"].__qualname__
    return made["function"], made["replacement"]


@pytest.mark.parametrize("free", [False, True], ids=["plain", "closure"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_replacement_gets_the_arguments_of_any_signature(kind: str, free: bool) -> None:
    """What fits, what does not, what it is bound to and how the TypeError reads are the function's own."""
    count = 0
    for parameters in signatures():
        function, replacement = written(parameters, kind, free)
        calls = CALLS if kind == "def" else CALLS[::7]
        before, own = [answer(function, *call) for call in calls], state(function)
        exchange = Exchange("function", function, replacement)
        exchange.on()
        assert state(function) == own
        assert inspect.iscoroutinefunction(function) == (kind == "async def")
        while_on = [answer(function, *call) for call in calls]
        expected = [("replaced", each[1]) if isinstance(each, tuple) else each for each in before]
        assert while_on == expected, parameters
        assert exchange.off()
        assert [answer(function, *call) for call in calls] == before
        count += 1
    assert count > 200


@pytest.mark.parametrize("parameters", ["a, /, b, *args, c, d=3, **kwargs", "a, b=2, *, c, d=3", "a, *args"])
def test_a_packed_replacement_takes_everything_by_position(
    parameters: str, exchanged: Callable[..., Exchange]
) -> None:
    """What is compiled need not be handed keywords and stars."""
    function, _ = written(parameters, "def", False)

    class Packed:
        packed = True

        def __call__(self, *given: Any) -> Any:
            return given

    exchanged(function, Packed())
    if parameters == "a, *args":
        assert function(1, 2, 3) == (1, (2, 3))
    elif "/" in parameters:
        assert function(1, 2, 4, c=5, a=6) == (1, 2, (4,), 5, 3, {"a": 6})
    else:
        assert function(1, c=5) == (1, 2, 5, 3)


def test_a_default_that_is_changed_while_on_counts_then_and_afterwards() -> None:
    """The function keeps its defaults itself, so whoever sets them is heard."""

    def function(a: Any, b: Any = 1, *, c: Any = 2) -> Any:
        return "own", a, b, c

    exchange = Exchange("function", function, lambda a, b, c: ("replaced", a, b, c))
    exchange.on()
    function.__defaults__, function.__kwdefaults__ = (7,), {"c": 8}
    assert function(0) == ("replaced", 0, 7, 8)
    exchange.off()
    assert function(0) == ("own", 0, 7, 8)


# -- what stands for a function --------------------------------------------------------------------


class Base:
    def says(self) -> Any:
        return "base"


def kinds() -> type:
    outer = "cell"

    class Kinds(Base):
        __hidden = "hidden"

        def says(self) -> Any:
            return super().says(), outer, self.__hidden

        @classmethod
        def of_class(cls, a: int = 1) -> Any:
            return cls.__name__, a

        @staticmethod
        def of_none(a: int = 1) -> Any:
            return a

        @property
        def read(self) -> Any:
            return "read"

        async def later(self, a: int) -> Any:
            await asyncio.sleep(0)
            return a

        def mangled(self, *, __word: int = 1) -> Any:
            return __word

    return Kinds


NAMES = ("says", "of_class", "of_none", "read", "later", "mangled")


def used(cls: Any) -> Any:
    one = cls()
    return [
        one.says(),
        one.of_class(2),
        cls.of_class(),
        cls.of_none(3),
        one.read,
        asyncio.run(one.later(4)),
        one.mangled(),
        one.mangled(_Kinds__word=5),
    ]


def test_methods_of_every_kind_are_exchanged_and_given_back() -> None:
    """Class, attributes, functions and their codes are the same objects afterwards."""
    cls = kinds()
    attributes, before = dict(vars(cls)), used(cls)
    functions = {name: underlying(attributes[name]) for name in NAMES}
    assert all(functions.values())
    codes = {name: function.__code__ for name, function in functions.items() if function}
    states = {name: state(function) for name, function in functions.items() if function}

    async def later(self: Any, a: Any) -> Any:
        await asyncio.sleep(0)
        return "replaced", a

    replacements: dict[str, Any] = dict.fromkeys(
        NAMES, lambda *args, **kwargs: ("replaced", *args[1:], *kwargs.values())
    )
    replacements.update(later=later, of_none=lambda a: ("replaced", a))
    exchanges = [Exchange(f"Kinds.{name}", functions[name], replacements[name]) for name in NAMES]  # type: ignore[arg-type]
    for _ in range(3):
        for each in exchanges:
            each.on()
        assert used(cls) == [
            ("replaced",),
            ("replaced", 2),
            ("replaced", 1),
            ("replaced", 3),
            ("replaced",),
            ("replaced", 4),
            ("replaced", 1),
            ("replaced", 5),
        ]
        assert all(dict(vars(cls))[name] is attributes[name] for name in NAMES)
        assert {name: state(function) for name, function in functions.items() if function} == states
        assert all(each.off() for each in exchanges)
        assert used(cls) == before
        assert all(function.__code__ is codes[name] for name, function in functions.items() if function)
    assert dict(vars(cls)) == attributes


def generator() -> Any:
    yield 1


async def async_generator() -> Any:
    yield 1


def test_generators_and_unwritable_names_are_refused_with_a_reason() -> None:
    """A code that hands on cannot be a generator as well: it would be one only once it is iterated."""
    assert cannot(generator) == cannot(async_generator) == "it is a generator"
    assert cannot(lambda: 1) == "it has names that cannot be written"  # type: ignore[arg-type]

    def renamed() -> None: ...

    renamed.__code__ = renamed.__code__.replace(co_name="not a name")
    assert cannot(renamed) == "it has names that cannot be written"
    assert [cannot(vars(kinds())[name]) for name in ("says", "later", "mangled")] == [None] * 3


def test_a_generator_and_a_coroutine_that_are_under_way_end_as_they_began() -> None:
    """A frame keeps the code it began with, whatever its function gets meanwhile."""

    class Suspend:
        def __await__(self) -> Any:
            return (yield "suspended")

    async def own(a: Any) -> Any:
        return "own", a, await Suspend()

    async def replacement(a: Any) -> Any:
        return "replaced", a, await Suspend()

    exchange = Exchange("own", own, replacement)
    first = own(1)
    assert first.send(None) == "suspended"
    exchange.on()
    second = own(2)
    assert second.send(None) == "suspended"
    exchange.off()
    ended = []
    for each in (first, second):
        with pytest.raises(StopIteration) as stop:
            each.send("sent")
        ended.append(stop.value.value)
    assert ended == [("own", 1, "sent"), ("replaced", 2, "sent")]
    third = own(3)
    third.send(None)
    exchange.on()
    with pytest.raises(KeyError):
        third.throw(KeyError("thrown"))
    exchange.off()


def test_a_coroutine_that_is_closed_or_thrown_into_hands_that_on(exchanged: Callable[..., Exchange]) -> None:
    """The frame that awaits the replacement keeps nothing back."""
    seen: list[str] = []

    class Suspend:
        def __await__(self) -> Any:
            yield

    async def own() -> Any: ...

    async def replacement() -> Any:
        try:
            await Suspend()
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    exchanged(own, replacement)
    closed = own()
    closed.send(None)
    closed.close()
    thrown: Any = own()
    thrown.send(None)
    with pytest.raises(asyncio.CancelledError):
        thrown.throw(asyncio.CancelledError())
    assert seen == ["GeneratorExit", "CancelledError"]


# -- others who patch ------------------------------------------------------------------------------


@pytest.mark.parametrize("autospec", [False, True])
@pytest.mark.parametrize("first", ["mock", "exchange"])
def test_a_mock_around_or_within_a_switch_is_not_disturbed(first: str, autospec: bool) -> None:
    """A mock replaces the attribute, an exchange what is in it: neither sees the other."""
    cls: Any = kinds()
    function, code = vars(cls)["says"], vars(cls)["says"].__code__
    exchange = Exchange("Kinds.says", function, lambda self: "replaced")
    if first == "exchange":
        exchange.on()
    with mock.patch.object(cls, "says", autospec=autospec, return_value="mocked") as mocked:
        exchange.on()
        assert cls().says() == "mocked" and mocked.call_count == 1
        exchange.off()
        assert cls().says() == "mocked"
        if first == "mock":
            exchange.on()
    if first == "mock":
        assert cls().says() == "replaced"
        assert exchange.off()
    assert vars(cls)["says"] is function and function.__code__ is code


def test_a_code_that_somebody_else_sets_is_left_and_told() -> None:
    """off() gives back only what on() has put there."""

    def function() -> str:
        return "own"

    own = function.__code__
    exchange = Exchange("function", function, lambda: "replaced")
    assert exchange.off(), "never on"
    exchange.on()
    assert not is_foreign(function) and original_code(function) is own
    function.__code__ = theirs = (lambda: "theirs").__code__
    assert is_foreign(function) and not exchange.off() and function.__code__ is theirs
    assert original_code(function) is own
    exchange.on()
    assert exchange.off() and function() == "own" and exchange.off()


def test_one_replacement_after_another_goes_back_to_the_functions_own_code() -> None:
    """What is exchanged while on is not taken for the function's own."""

    def function() -> str:
        return "own"

    own = function.__code__
    first, second = (Exchange("function", function, lambda each=each: each) for each in ("first", "second"))
    first.on()
    assert function() == "first"
    second.on()
    assert function() == "second" and original_code(function) is own
    assert not first.off(), "it holds the code of the second"
    assert second.off() and function.__code__ is own
    late = Exchange("function", function, lambda: "late")
    first.on()
    assert Exchange("function", function, lambda: "third").off() is False
    late.on()
    assert late.off() and function.__code__ is own


def test_a_function_under_two_names_and_a_wrapped_one_are_exchanged_once() -> None:
    class Twice:
        def one(self) -> str:
            return "own"

        two = one

    @functools.wraps(Twice.one)
    def around(self: Any) -> str:
        return f"around {Twice.one(self)}"

    exchange = Exchange("Twice.one", Twice.one, lambda self: "replaced")  # type: ignore[arg-type]
    exchange.on()
    assert (Twice().one(), Twice().two(), around(Twice())) == ("replaced", "replaced", "around replaced")
    exchange.off()
    assert (Twice().one(), Twice().two(), around(Twice())) == ("own", "own", "around own")


# -- what a switch costs ---------------------------------------------------------------------------


def test_ten_thousand_switches_cost_no_memory_and_no_version_tag() -> None:
    """Setting an attribute so often costs 3.13 the tag of the class, and with it fast look-ups."""
    tag = pytest.importorskip("_testcapi").type_get_version
    cls: Any = kinds()
    derived: Any = type("Derived", (cls,), {})
    exchange = Exchange("Kinds.says", vars(cls)["says"], lambda self: "replaced")

    def switch(times: int) -> None:
        for _ in range(times):
            exchange.on()
            assert derived().says() == "replaced"
            exchange.off()
            derived().says()

    switch(100)
    tags = tag(cls), tag(derived)
    assert all(tags)
    gc.collect()
    before = sys.getallocatedblocks()
    switch(10_000)
    gc.collect()
    assert (tag(cls), tag(derived)) == tags
    assert sys.getallocatedblocks() - before < 100


def test_an_exchange_made_again_is_the_same_code() -> None:
    """Installing again compiles nothing, and keeps nothing more."""

    def function() -> None: ...

    def replacement() -> None: ...

    codes = []
    for _ in range(3):
        exchange = Exchange("function", function, replacement)
        exchange.on()
        codes.append(function.__code__)
        exchange.off()
    assert codes[0] is codes[1] is codes[2]


def test_switching_while_others_call_gives_one_answer_or_the_other() -> None:
    """A call runs one code from its first line to its last."""

    def function(a: int, *rest: int, b: int = 0, **more: int) -> tuple[str, int]:
        return "own", a + sum(rest) + b + sum(more.values())

    exchange = Exchange(
        "function", function, lambda a, *rest, b=0, **more: ("new", a + sum(rest) + b + sum(more.values()))
    )
    wrong: list[Any] = []
    seen: set[str] = set()
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            which, total = function(1, 2, b=3, c=4)
            seen.add(which)
            if total != 10:
                wrong.append(total)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=call) for _ in range(8)]
    try:
        for each in threads:
            each.start()
        for number in itertools.count():
            exchange.on()
            exchange.off()
            if number > 3000 and (len(seen) == 2 or number > 100_000):
                break
            if number % 100 == 0:
                exchange.on()
                stop.wait(0.001)
                exchange.off()
    finally:
        stop.set()
        for each in threads:
            each.join()
        sys.setswitchinterval(interval)
    assert not wrong and seen == {"own", "new"}


# -- what is seen while on -------------------------------------------------------------------------


def test_a_traceback_shows_the_call_of_the_replacement() -> None:
    """The frame in between says whose it is, and what it does."""

    def own(a: int, *rest: int, b: int = 1) -> None: ...

    def replacement(a: int, *rest: int, b: int) -> None:
        raise LookupError("inside")

    exchange = Exchange("Some.own", own, replacement)
    exchange.on()
    try:
        with pytest.raises(LookupError) as caught:
            own(1, 2, b=3)
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert [each.name for each in frames][1:] == ["own", "replacement"]
        assert frames[1].filename == "<foobara_accel swap Some.own>"
        assert frames[1].line == "return replacement(a, *rest, b=b)"
        linecache.checkcache()
        text = "".join(traceback.format_exception(caught.value))
        assert 'File "<foobara_accel swap Some.own>", line 3, in own' in text
        assert "return replacement(a, *rest, b=b)" in text
        assert "def own(a, *rest, b)" in inspect.getsource(own.__code__)
    finally:
        exchange.off()


def test_what_inspects_a_function_sees_its_own_signature(exchanged: Callable[..., Exchange]) -> None:
    """Annotations, defaults and documentation belong to the function, not to its code."""

    def own(
        self: Any, a: int, /, b: str = "b", *args: bytes, c: float, d: None = None, **kwargs: int
    ) -> list[int]:
        """Own words."""
        return []

    before = inspect.signature(own), inspect.getfullargspec(own), inspect.getdoc(own)
    exchanged(own, lambda *args, **kwargs: [1])
    assert (inspect.signature(own), inspect.getfullargspec(own), inspect.getdoc(own)) == before
    assert inspect.getcallargs(own, 0, 1, c=2.0)["c"] == 2.0
    assert own.__code__.co_qualname == own.__qualname__ and own.__code__.co_name == "own"
    assert mock.create_autospec(own)(0, 1, c=1.0) is not None
    assert pickle.loads(pickle.dumps(answer)) is answer


# -- interrupted switches of the whole -------------------------------------------------------------

INTERRUPTED = """
import os
import sys
import foobara_accel
from foobara_accel import swap
from foobara_accel.swap.known import KNOWN
from foobara_accel.swap.target import find, underlying

for _ in range(60):  # then the attributes added to classes stay where they are
    foobara_accel.install(), foobara_accel.uninstall()
target = find()
functions = [each for each in map(underlying, map(target.attribute, KNOWN)) if each is not None]
codes = [each.__code__ for each in functions]
names = {cls: dict(vars(cls)) for cls in (target.Command, target.NamingConcern, target.CommandRegistry)}
finders = list(sys.meta_path)
# What only looks changes nothing, and has most of the lines.
NAMES = "__init__.py", "exchange.py", "added.py", "aliases.py"
SWITCHING = tuple(os.path.join("swap", name) for name in NAMES)
STEP = 1 if os.environ.get("FOOBARA_ACCEL_SLOW") else 7

def changed():
    return [each.__qualname__ for each, code in zip(functions, codes) if each.__code__ is not code]

def interrupted(action, at):
    # Raises at the line of that number, and says whether it came so far.
    count = 0
    def trace(frame, event, arg):
        nonlocal count
        if not frame.f_code.co_filename.endswith(SWITCHING):
            return None
        if event == "line":
            count += 1
            if count == at:
                raise KeyboardInterrupt
        return trace
    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False

def until_it_gets_through(prepare, action, check):
    at = 1
    while True:
        prepare()
        came = interrupted(action, at)
        if came:
            check(at)
        foobara_accel.uninstall()
        assert not changed() and not foobara_accel.is_installed(), (at, changed())
        assert all(dict(vars(cls)) == before for cls, before in names.items()), at
        assert sys.meta_path == finders, at
        if not came:
            return at
        at += STEP
"""


@needs_foobara_py
@pytest.mark.parametrize("on", BACKENDS)
def test_an_install_that_is_interrupted_at_any_line_leaves_all_or_nothing(on: str) -> None:
    """Whatever the line, foobara_py is replaced as the report says, or is itself."""
    code = INTERRUPTED + dedent("""
        def check(at):
            on, report = foobara_accel.is_installed(), foobara_accel.swap_report()
            assert on == (report.state == "swapped"), (at, report.state)
            assert len(changed()) == (len(report.replaced) if on else 0), (at, on, changed())
            assert foobara_accel.install().ok and changed()

        lines = until_it_gets_through(lambda: None, foobara_accel.install, check)
        assert lines > 400, lines
    """)
    run(code, on, **SLOW)


@needs_foobara_py
@pytest.mark.parametrize("on", BACKENDS)
def test_an_uninstall_or_another_install_that_is_interrupted_leaves_no_half(on: str) -> None:
    """An interrupt while it is switched off, or to other repairs, may end it early but not in between."""
    code = INTERRUPTED + dedent("""
        def check(at):
            on, report = foobara_accel.is_installed(), foobara_accel.swap_report()
            assert on == (report.state == "swapped"), (at, report.state)
            assert len(changed()) == (len(report.replaced) if on else 0), (at, on, changed())
            assert foobara_accel.install().ok
            assert len(changed()) == len(foobara_accel.swap_report().replaced), at

        until_it_gets_through(foobara_accel.install, foobara_accel.uninstall, check)
        other = lambda: foobara_accel.install(fixes=())
        other(), foobara_accel.uninstall()
        until_it_gets_through(foobara_accel.install, other, check)
    """)
    run(code, on, **SLOW)
