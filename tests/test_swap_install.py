"""install() and uninstall() on an installed foobara_py, as an application uses them."""

from __future__ import annotations

from textwrap import dedent

import pytest

from foobara_accel import backend
from foobara_py_here import needs_foobara_py, python, run

pytestmark = needs_foobara_py
BACKENDS = ["py", pytest.param("c", marks=pytest.mark.skipif(str(backend()) != "c", reason="not compiled"))]
on_both = pytest.mark.parametrize("on", BACKENDS)

APP = """
from pydantic import BaseModel
from foobara_py import Command

class In(BaseModel):
    a: int

class Add(Command[In, int]):
    def execute(self):
        return self.inputs.a + 1
"""


def said(code: str, on: str = "py", then: str | None = None, **more: object) -> str:
    """Run *code*; with *then*, also the application and after it *then*."""
    text = dedent(code) if then is None else f"{dedent(code)}{APP}{dedent(then)}"
    return run(text, on, **more)  # type: ignore[arg-type]


@on_both
@pytest.mark.parametrize("early", [True, False])
def test_a_program_says_the_same_before_and_after(on: str, early: bool) -> None:
    install = "import foobara_accel; report = foobara_accel.install()\n"
    use = dedent("""
        from foobara_py.core.errors import FoobaraError, ErrorCollection
        def told():
            bad = Add.run(a="x")
            keys = [error.key() for error in bad.errors]
            return Add.run(a=1).result, keys, [error.to_dict() for error in bad.errors]
    """)
    plain = said(APP + use + "print(told())", on)
    code = install + APP + use if early else APP + use + "told()\n" + install
    swapped = said(
        code + "assert foobara_accel.is_installed() and report.replaced, report\nprint(told())", on
    )
    assert swapped == plain and "data.a.int_parsing" in plain


@on_both
def test_uninstall_gives_the_same_objects_back(on: str) -> None:
    said(
        """
        import foobara_accel
        from foobara_py.core.errors import ErrorCollection, FoobaraError
        from foobara_py.core.command.base import Command, CommandMeta
        from foobara_py.core.command.concerns import NamingConcern
        from foobara_py.core.registry import CommandRegistry
        classes = FoobaraError, ErrorCollection, Command, CommandMeta, NamingConcern, CommandRegistry
        before = [dict(vars(cls)) for cls in classes]
        code = FoobaraError.key.__code__, ErrorCollection.count.__code__
        for _ in range(3):
            report = foobara_accel.install()
            assert FoobaraError.key.__code__ is not code[0] and "FoobaraError.key" in report.replaced
            assert foobara_accel.swap_report() is report and foobara_accel.install() is report
            off = foobara_accel.uninstall()
            assert off.state == "off" and not off.notes and not foobara_accel.is_installed()
            assert [dict(vars(cls)) for cls in classes] == before
            assert (FoobaraError.key.__code__, ErrorCollection.count.__code__) == code
            assert FoobaraError.key.__code__ is code[0]
        assert foobara_accel.uninstall().state == "off"
        """,
        on,
    )


@on_both
def test_a_function_looks_as_before_while_it_is_replaced(on: str) -> None:
    said(
        """
        import foobara_accel, inspect, pickle
        from foobara_py.core.errors import FoobaraError
        from foobara_py import Command
        def shown(f):
            return inspect.signature(f), f.__name__, f.__qualname__, f.__module__, f.__doc__, f.__defaults__
        before = shown(FoobaraError.key)
        error = FoobaraError.data_error("s", ["p"], "m")
        text = pickle.dumps(error)
        foobara_accel.install()
        assert shown(FoobaraError.key) == before
        assert FoobaraError.key.__code__.co_qualname == "FoobaraError.key"
        assert error.key() == "data.p.s" and pickle.loads(text).key() == "data.p.s"
        try:
            FoobaraError(symbol=1).key()
        except TypeError as error:
            import traceback
            assert "foobara_accel swap FoobaraError.key" in "".join(traceback.format_exception(error))
        else:
            raise AssertionError
        """,
        on,
    )


def test_a_patched_part_is_refused_with_its_reason_and_the_others_are_not() -> None:
    said("""
        from unittest import mock
        import foobara_accel
        from foobara_py.core.errors import ErrorCollection, FoobaraError
        with mock.patch.object(FoobaraError, "to_dict"):
            report = foobara_accel.install()
        assert report.state == "swapped" and not report.ok
        [refused] = (each for each in report.refused if each.name == "errors")
        assert "FoobaraError.to_dict is no function but a unittest.mock" in refused.reason
        assert "CommandOutcome.from_result" in report.replaced
        assert "not replaced: errors: FoobaraError.to_dict" in str(report)
        foobara_accel.uninstall()

        def mine(self):
            return "mine"
        kept, FoobaraError.key = FoobaraError.key, mine
        report = foobara_accel.install(fixes=())
        assert "is a function of __main__" in report.refused[0].reason and FoobaraError.key is mine
        foobara_accel.uninstall()
        FoobaraError.key = kept

        kept.__code__, own = (lambda self: "wrapped").__code__, kept.__code__
        assert "is not what its module holds" in foobara_accel.install(fixes=()).refused[0].reason
        foobara_accel.uninstall()
        kept.__code__ = own
        assert foobara_accel.install(fixes=()).ok
    """)


@on_both
def test_a_part_whose_module_has_a_patched_name_is_refused(on: str) -> None:
    """A mock of what a method calls is called: the replacement, which does without it, stays out."""
    said(
        "import foobara_accel",
        on,
        then="""
        import sys
        from unittest import mock
        concerns = "foobara_py.core.command.concerns"
        for module, name, part in (
            (f"{concerns}.inputs_concern", "validate_with_model", "inputs"),
            (f"{concerns}.errors_concern", "Halt", "command errors"),
            (f"{concerns}.state_concern", "EnhancedCallbackExecutor", "runs"),
            (f"{concerns}.transaction_concern", "TransactionRegistry", "runs"),
        ):
            for _ in range(2):
                assert foobara_accel.install().ok
                foobara_accel.uninstall()
                own = getattr(sys.modules[module], name)
                with mock.patch.object(sys.modules[module], name, wraps=own) as patched:
                    reasons = {each.name: each.reason for each in foobara_accel.install().refused}
                    assert f"uses another {name} than foobara_py's" in reasons[part], reasons
                    assert reasons[part].endswith(module) and "runs" in reasons, reasons
                    assert Add.run(a=1).result == 2 and (patched.mock_calls or name == "Halt"), name
                    foobara_accel.uninstall()
        """,
    )


@on_both
def test_whatever_is_patched_or_missing_installing_reports(on: str) -> None:
    said(
        """
        from unittest import mock
        import foobara_accel
        from foobara_accel import swap
        from foobara_accel.swap.known import KNOWN
        from foobara_accel.swap.target import find

        foobara_accel.install(), foobara_accel.uninstall()
        target = find()
        for key in KNOWN:
            owner, name = key.split(".")
            cls = getattr(target, owner)
            before = cls.__dict__[name]
            for how in ("mock", "removed"):
                if how == "mock":
                    setattr(cls, name, mock.MagicMock(wraps=getattr(cls, name)))
                else:
                    delattr(cls, name)
                try:
                    swap._prepared.clear()  # as in a process that installs for the first time
                    report = foobara_accel.install()
                    assert key not in report.replaced, (key, how)
                    assert report.ok or report.refused[0].reason, (key, how)
                finally:
                    foobara_accel.uninstall()
                    setattr(cls, name, before)
        assert foobara_accel.install().ok
        """,
        on,
    )


@on_both
def test_a_foobara_py_that_is_imported_anew_can_be_installed_on(on: str) -> None:
    """As by tests that empty sys.modules: what the report says is about the one that is there."""
    said(
        """
        import sys
        import foobara_accel
        from foobara_accel.swap.target import find, underlying

        def codes(target, report):
            return {underlying(target.attribute(key)).__code__.co_filename[:20] for key in report.replaced}

        report = foobara_accel.install(fixes={"call-hooks", "errors-as-dicts"})
        first = find()
        assert codes(first, report) == {"<foobara_accel swap "}
        for name in [name for name in sys.modules if name.partition(".")[0] == "foobara_py"]:
            del sys.modules[name]
        for imported in (False, True):
            if imported:
                import foobara_py
            report = foobara_accel.install()
            second = find()
            assert second.Command is not first.Command and report.ok == (not report.not_repaired)
            assert codes(second, report) == {"<foobara_accel swap "} and "errors-as-dicts" in report.repairs
            assert all(not name.startswith("<") for name in codes(first, report))
            assert foobara_accel.install() is report
        import foobara_py.core.warmup
        foobara_accel.uninstall()
        assert all(not name.startswith("<") for name in codes(second, report))
        """,
        on,
    )


@on_both
def test_what_a_tracer_wraps_is_refused_and_goes_on_being_called(on: str) -> None:
    """Tracers put in its place a function of the same name and module, or an object called like one."""
    said(
        """
        import functools
        import foobara_accel
        from foobara_py.core.command.concerns import StateConcern
        from foobara_py.core.errors import ErrorCollection
        traced, messages, run_instance = [], ErrorCollection.messages, StateConcern.run_instance

        @functools.wraps(messages)
        def wrapper(self):
            traced.append("messages")
            return messages(self)

        class Wrapped:
            def __init__(self, wrapped):
                self.__wrapped__ = wrapped
                functools.update_wrapper(self, wrapped)
            def __get__(self, instance, owner):
                traced.append("run_instance")
                return self.__wrapped__.__get__(instance, owner)

        ErrorCollection.messages, StateConcern.run_instance = wrapper, Wrapped(run_instance)
        report = foobara_accel.install()
        assert "the code of ErrorCollection.messages is not what its module holds" in str(report)
        assert "runs: StateConcern.run_instance is no function but a __main__.Wrapped" in str(report)
        assert "not replaced: subcommands: it relies on" in str(report)
        assert report.state == "swapped" and not report.ok
        """,
        on,
        then="""
        assert Add.run(a=1).result == 2 and traced == ["run_instance"]
        assert ErrorCollection().messages() == [] and traced[1:] == ["messages"]
        foobara_accel.uninstall()
        assert ErrorCollection.messages is wrapper
        """,
    )


@on_both
def test_with_an_old_pydantic_the_models_are_its_own_to_build(on: str) -> None:
    """The package asks for 2.10; where an older one was forced upon it, no guard takes its place."""
    said(
        """
        import pydantic
        pydantic.VERSION = "2.9.2"
        import foobara_accel
        report = foobara_accel.install()
        assert report.ok, report
        """,
        on,
        then="""
        from foobara_accel.core.inputs import guard_status
        assert Add.run(a="1").result == 2
        assert [error.symbol for error in Add.run(a="x").errors] == ["int_parsing"]
        on, why = guard_status()
        assert not on and why.startswith("pydantic 2.9.2 is not one of 2.10")
        """,
    )


@on_both
def test_classes_of_another_layout_are_refused_and_left_working(on: str) -> None:
    """What the replacements take for granted of a class, beside the text of its functions."""
    said(
        """
        import foobara_accel
        from foobara_py.core.state_machine import CommandStateMachine
        before = CommandStateMachine.__dict__["_state"]
        class Slot:
            def __get__(self, instance, owner): return before.__get__(instance, owner)
            def __set__(self, instance, value): before.__set__(instance, value)
        CommandStateMachine._state = Slot()
        report = foobara_accel.install()
        """,
        on,
        then="""
        assert Add.run(a=1).result == 2
        if report.state == "refused":
            [part] = report.parts
            assert "CommandStateMachine._state is not a slot" in part.reason
            assert not foobara_accel.is_installed()
        foobara_accel.uninstall()
        CommandStateMachine._state = before
        assert foobara_accel.install().ok and Add.run(a=1).result == 2
        """,
    )


def test_a_version_without_a_method_is_refused_part_by_part(tmp_path: object) -> None:
    said("""
        import foobara_accel
        from foobara_py.core.errors import ErrorCollection, FoobaraError
        del FoobaraError.with_cause
        report = foobara_accel.install(fixes=())
        assert report.refused[0].reason == "FoobaraError has no with_cause of its own"
        assert "CommandOutcome.from_result" in report.replaced
    """)


def test_another_text_of_a_function_is_refused() -> None:
    said("""
        import foobara_accel
        from foobara_accel.swap import known
        known.KNOWN["FoobaraError.with_cause"] = ("0" * 16,)
        report = foobara_accel.install(fixes=())
        assert "FoobaraError.with_cause is not the one known here" in report.refused[0].reason
    """)


def test_strict_raises_and_changes_nothing() -> None:
    said("""
        import pickle
        import foobara_accel
        from foobara_py.core.errors import ErrorCollection, FoobaraError
        code = ErrorCollection.count.__code__
        del FoobaraError.with_cause
        try:
            foobara_accel.install(fixes=(), strict=True)
        except foobara_accel.SwapError as error:
            assert "errors: FoobaraError has no with_cause of its own" in str(error)
            assert pickle.loads(pickle.dumps(error)).report == error.report
        else:
            raise AssertionError
        assert ErrorCollection.count.__code__ is code and not foobara_accel.is_installed()
        assert foobara_accel.swap_report().state == "off"
        from foobara_py import Command
        assert not hasattr(Command, "name")
    """)


def test_fixes_are_names() -> None:
    said("""
        import foobara_accel
        wrongs = [("call-hooks", TypeError, "not a string"), (["nothing"], ValueError, "nothing;")]
        for wrong, error, text in wrongs:
            try:
                foobara_accel.install(fixes=wrong)
            except error as raised:
                assert text in str(raised), raised
            else:
                raise AssertionError(wrong)
        assert not foobara_accel.is_installed()
    """)


@on_both
def test_repairs_by_name(on: str) -> None:
    said(
        APP
        + dedent("""
        import foobara_accel
        from foobara_py.core.outcome import CommandOutcome
        def family():
            class Parent(Command[In, int]):
                def execute(self): return 1
            Parent.before_execute_transition(seen.append)
            class Child(Parent): pass
            seen.clear()
            Child.run(a=1)
            return len(seen)
        def declared():
            class One(Command[In, int]): pass
            class Two(Command[In, int]): pass
            One.possible_error("boom")
            found = "boom" in Two._possible_errors, "boom" in One._possible_errors
            Command._possible_errors.clear()
            return found
        def written():
            return type(Add.run(a="x").to_dict()["errors"][0])
        def hooked():
            class Hooked(Command[In, int]):
                def before_execute(self): seen.append(self.state_name)
                def execute(self): return 1
                def after_execute(self, result): return result + 1
            class Below(Hooked):
                _has_before_execute = _has_after_execute = False
            class Late(Command[In, int]):
                def execute(self): return 1
            answers = [cls.run(a=1).result for cls in (Hooked, Below, Late, Late)]
            Late.after_execute = lambda self, result: result + 2
            return [*answers, Late.run(a=1).result]
        seen = []
        assert (family(), declared(), written()) == (2, (True, True), str)
        assert hooked() == [1, 1, 1, 1, 1]
        fixes = {"inherit-callbacks-once", "own-possible-errors", "errors-as-dicts", "call-hooks"}
        report = foobara_accel.install(fixes=fixes)
        assert report.ok and len(report.repairs) == 4, report
        assert (family(), declared(), written()) == (1, (False, True), dict)
        seen.clear()
        assert hooked() == [2, 1, 1, 1, 3] and len(seen) == 1
        assert foobara_accel.install() is report
        assert foobara_accel.install(fixes=()).repairs == ()
        assert (family(), declared(), written()) == (2, (True, True), str)
        assert hooked() == [1, 1, 1, 1, 1]
        """),
        on,
    )


@on_both
def test_an_original_runs_its_own_code_while_it_is_replaced(on: str) -> None:
    said(
        """
        import foobara_accel
        from foobara_accel.swap import target
        from foobara_py.core.errors import FoobaraError
        foobara_accel.install()
        found = target.find()
        copy = found.original("FoobaraError.key")
        assert copy is not FoobaraError.key and "foobara_py" in copy.__code__.co_filename
        assert copy(FoobaraError(symbol="s")) == "data.root.s"
        """,
        on,
    )


def test_installing_inside_a_running_command() -> None:
    said(
        APP
        + dedent("""
        import foobara_accel
        class Installs(Command[In, int]):
            def execute(self):
                foobara_accel.install() if self.inputs.a else foobara_accel.uninstall()
                self.add_input_error(["a"], "bad", "no")
                return 1
        for a in (1, 0, 1, 0):
            assert [error.key() for error in Installs.run(a=a).errors] == ["data.a.bad"]
            assert foobara_accel.is_installed() == bool(a)
        """)
    )


def test_a_subclass_that_overrides_what_is_replaced_keeps_its_own() -> None:
    said("""
        import foobara_accel
        from foobara_py.core.errors import ErrorCollection
        from foobara_py.core.errors import FoobaraError
        class Mine(ErrorCollection):
            def count(self):
                return super().count() + 100
            def by_category(self, category):
                return [category, *super().by_category(category)]
        class Own(FoobaraError):
            def to_dict(self):
                return {"own": super().to_dict()["symbol"]}
        foobara_accel.install()
        assert Mine().count() == 100 and ErrorCollection().count() == 0
        error = Own(symbol="s")
        assert Mine().add(error).data_errors() == ["data", error]
        assert ErrorCollection().add(error).to_list() == [{"own": "s"}]
    """)


def test_what_somebody_else_changed_meanwhile_is_left_and_noted() -> None:
    said("""
        import foobara_accel
        from foobara_py.core.errors import ErrorCollection, FoobaraError
        foobara_accel.install()
        FoobaraError.key.__code__ = theirs = (lambda self: "theirs").__code__
        off = foobara_accel.uninstall()
        assert off.notes == ("FoobaraError.key has been changed by somebody else since and is left so",)
        assert FoobaraError.key.__code__ is theirs
        assert "foobara_py" in ErrorCollection.count.__code__.co_filename
    """)


def test_the_second_copy_of_the_package_refuses_what_the_first_replaced() -> None:
    said("""
        import foobara_accel
        from foobara_accel.testing import load_twin
        foobara_accel.install(fixes=())
        report = load_twin("py").install(fixes=())
        assert report.state == "refused" and "somebody has patched it" in report.refused[0].reason
        foobara_accel.uninstall()
    """)


def test_a_thousand_switches_under_load_from_sixteen_threads() -> None:
    said(
        APP
        + dedent("""
        import foobara_accel, sys, threading
        from foobara_py.core.errors import ErrorCollection, FoobaraError
        sys.setswitchinterval(0.0001)
        codes = FoobaraError.key.__code__, ErrorCollection.count.__code__
        wrong, stop = [], threading.Event()
        def work():
            while not stop.is_set():
                keys = [error.key() for error in Add.run(a="x").errors]
                if keys != ["data.a.int_parsing"] or Add.run(a=1).result != 2:
                    wrong.append(keys)
        # Without a GIL each exchange of code stops every thread: slow where they outnumber the cores.
        times = 250 if getattr(sys, "_is_gil_enabled", lambda: True)() else 5
        def switch():
            for _ in range(times):
                foobara_accel.install()
                foobara_accel.uninstall()
        workers = [threading.Thread(target=work) for _ in range(16)]
        switchers = [threading.Thread(target=switch) for _ in range(4)]
        for each in workers + switchers: each.start()
        for each in switchers: each.join()
        stop.set()
        for each in workers: each.join()
        assert not wrong, wrong[:3]
        foobara_accel.uninstall()
        assert (FoobaraError.key.__code__, ErrorCollection.count.__code__) == codes
        assert FoobaraError.key.__code__ is codes[0] and ErrorCollection.count.__code__ is codes[1]
        """)
    )


def test_switching_keeps_no_memory_and_no_class_loses_its_version_tag() -> None:
    said(
        APP
        + dedent("""
        import foobara_accel, gc, sys
        from foobara_accel.swap import exchange
        from foobara_py.core.errors import FoobaraError
        def cycle(times):
            for _ in range(times):
                foobara_accel.install()
                Add.run(a=1), FoobaraError(symbol="s").key()
                foobara_accel.uninstall()
                Add.run(a=1), FoobaraError(symbol="s").key()
        cycle(60)
        codes, dictionary = len(exchange._codes), dict(vars(FoobaraError))
        names = dict(vars(Command))
        cycle(100)
        assert len(exchange._codes) == codes and dict(vars(FoobaraError)) == dictionary
        assert dict(vars(Command)) == names
        """)
    )


def test_a_foobara_py_that_cannot_be_imported_is_reported_and_left_alone(tmp_path: object) -> None:
    from pathlib import Path

    package = Path(str(tmp_path)) / "foobara_py"
    package.mkdir()
    (package / "__init__.py").write_text("import no_such_module_of_anybody\n", encoding="utf-8")
    code = """
        import foobara_accel, sys
        for _ in range(2):
            report = foobara_accel.install()
            assert report.state == "broken" and isinstance(report.error, ImportError), report
            assert "No module named 'no_such_module_of_anybody'" in str(report) and not report.ok
            assert not foobara_accel.is_installed() and "foobara_py" not in sys.modules
        try:
            foobara_accel.install(strict=True)
        except foobara_accel.SwapError as error:
            assert "no_such_module_of_anybody" in str(error)
        else:
            raise AssertionError
    """
    run(dedent(code), foobara_py=False, cwd=tmp_path)
    later = """
        import foobara_accel.auto, foobara_accel
        try:
            import foobara_py
        except ModuleNotFoundError as error:
            assert error.name == "no_such_module_of_anybody"
        assert foobara_accel.swap_report().state == "broken" and not foobara_accel.is_installed()
    """
    run(dedent(later), foobara_py=False, cwd=tmp_path)


def test_a_half_imported_foobara_py_is_reported_and_left_alone(tmp_path: object) -> None:
    from pathlib import Path

    package = Path(str(tmp_path)) / "foobara_py"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import foobara_accel\nreport = foobara_accel.install()\nauto = __import__('foobara_accel.auto')\n"
        "later = foobara_accel.swap_report()\n",
        encoding="utf-8",
    )
    code = """
        import foobara_accel, foobara_py
        assert foobara_py.report.state == foobara_py.later.state == "half-imported", foobara_py.report
        assert "still being imported" in str(foobara_py.report) and not foobara_accel.is_installed()
    """
    run(dedent(code), foobara_py=False, cwd=tmp_path)


def test_two_installs_from_two_threads_are_one() -> None:
    said("""
        import foobara_accel, threading
        reports, barrier = [], threading.Barrier(8)
        def install():
            barrier.wait()
            reports.append(foobara_accel.install())
        threads = [threading.Thread(target=install) for _ in range(8)]
        for each in threads: each.start()
        for each in threads: each.join()
        assert len({id(report) for report in reports}) == 1 and reports[0].state == "swapped"
    """)


def test_an_import_and_an_install_in_two_threads_do_not_wait_for_each_other() -> None:
    said("""
        import foobara_accel, threading
        from foobara_accel.swap import install_later
        install_later()
        barrier = threading.Barrier(3)
        def imports():
            barrier.wait()
            import foobara_py
        def installs():
            barrier.wait()
            foobara_accel.install()
        threads = [threading.Thread(target=each) for each in (imports, installs, imports)]
        for each in threads: each.start()
        for each in threads: each.join(60)
        assert not any(each.is_alive() for each in threads) and foobara_accel.is_installed()
    """)


def test_doctor_tells_what_would_be_replaced_and_what_is_defective() -> None:
    done = python("-m", "foobara_accel", "doctor")
    assert done.returncode == 0, done.stderr
    assert "install() replaces it in place" in done.stdout
    assert "left alone" in done.stdout and "transactions" in done.stdout
    assert "(inherit-callbacks-once: repaired where fixes= names it)" in done.stdout
    assert "rollback-on-escape" in done.stdout
