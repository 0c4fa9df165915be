"""The name foobara_py, served or completed; the snippets of its roadmap; and programs run with it."""

from __future__ import annotations

import py_compile
import re
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from foobara_accel.swap import SERVED
from foobara_py_here import needs_foobara_py, needs_none, python, run

ROOT = Path(__file__).parent.parent
PRESENT = pytest.param(True, marks=needs_foobara_py, id="present")
ABSENT = pytest.param(False, marks=needs_none, id="absent")
both = pytest.mark.parametrize("foobara_py", [PRESENT, ABSENT])
backends = pytest.mark.parametrize("backend", ["auto", "py"])


def said(code: str, foobara_py: bool = False, backend: str = "py", **more: str) -> str:
    return run(dedent(code), backend, foobara_py, **more)


# -- served --


@needs_none
@backends
def test_a_program_for_foobara_py_runs_without_it(backend: str) -> None:
    said(
        """
        import foobara_accel
        report = foobara_accel.install()
        assert report.state == "served" and report.ok and foobara_accel.is_installed()
        assert "there is no foobara_py" in str(report) and "foobara_py.core.errors" in report.modules

        from pydantic import BaseModel
        import foobara_py.core.errors as errors
        from foobara_py import Command, CommandOutcome, Domain
        from foobara_py.core.command import AsyncCommand, Command as Same, async_command, simple_command
        from foobara_py.core.state_machine import CommandState
        assert Command is Same is foobara_accel.Command and CommandOutcome is foobara_accel.CommandOutcome
        assert errors.FoobaraError is foobara_accel.FoobaraError

        class In(BaseModel):
            a: int

        class Add(Command[In, int]):
            def execute(self) -> int:
                return self.inputs.a + 1

        assert Add.run(a=1).unwrap() == 2 and isinstance(Add.run(a=1), CommandOutcome)
        import pickle
        error = pickle.loads(pickle.dumps(Add.run(a="x").errors[0]))
        assert isinstance(error, foobara_accel.FoobaraError) and error.key() == "data.a.int_parsing"
        """,
        backend=backend,
    )


@needs_none
def test_every_module_of_the_list_can_be_imported_and_no_other() -> None:
    said("""
        import foobara_accel, importlib, importlib.util
        report = foobara_accel.install()
        for name in report.modules:
            module = importlib.import_module(name)
            for each in module.__all__:
                getattr(module, each)
        for wrong in ("foobara_py.persistence", "foobara_py.core.command_old", "foobara_py.core.errors.x"):
            try:
                importlib.import_module(wrong)
            except ImportError as error:
                assert wrong in str(error), error
            else:
                raise AssertionError(wrong)
        try:
            from foobara_py import Entity
        except ImportError as error:
            assert "there is no foobara_py.Entity" in str(error) and "foobara_py.core.command" in str(error)
            assert "CommandOutcome" in str(error) and error.name == "foobara_py.Entity"
        else:
            raise AssertionError
        import foobara_py
        assert not hasattr(foobara_py, "Entity") and "Command" in dir(foobara_py)
        assert repr(foobara_py).startswith("<module 'foobara_py'")
    """)


@needs_none
def test_uninstall_takes_the_name_away() -> None:
    said("""
        import foobara_accel, sys
        before = dict(vars(__import__("foobara_accel.core").core))
        for _ in range(3):
            foobara_accel.install()
            from foobara_py.core.errors import FoobaraError
            import foobara_py.core.warmup, foobara_py.domain.domain_mapper
            assert foobara_accel.install().state == "served"
            assert foobara_accel.uninstall().state == "off"
            assert not [name for name in sys.modules if name.partition(".")[0] == "foobara_py"]
            try:
                import foobara_py
            except ModuleNotFoundError as error:
                assert error.name == "foobara_py"
            else:
                raise AssertionError
        assert foobara_accel.FoobaraError is FoobaraError
        assert not [name for name in sys.modules if name.startswith("foobara_accel") and "foobara_py" in name]
        import foobara_accel.core.errors
        assert foobara_accel.core.errors.__spec__.name == "foobara_accel.core.errors"
    """)


def test_the_list_is_published() -> None:
    text = (ROOT / "docs" / "drop-in.md").read_text(encoding="utf-8")
    section = text.partition("## Without foobara_py")[2].partition("\n## ")[0]
    table = set(re.findall(r"^\| `(foobara_py[\w.]*)`", section, re.MULTILINE))
    assert table == {f"foobara_py.{name}" if name else "foobara_py" for name in SERVED}


# -- completed --


@needs_foobara_py
def test_modules_of_the_roadmap_appear_and_go() -> None:
    said(
        """
        import foobara_accel, importlib, sys
        import foobara_py.core
        report = foobara_accel.install(fixes=())
        assert report.modules == (
            "foobara_py.core.warmup",
            "foobara_py.types.cache",
            "foobara_py.types.transformers",
            "foobara_py.types.transformers.additional",
            "foobara_py.types.validators",
            "foobara_py.types.validators.additional",
        )
        from foobara_py.types.cache import ValidationCache
        import foobara_py.core.warmup
        assert ValidationCache is foobara_accel.ValidationCache
        assert foobara_py.core.warmup is importlib.import_module("foobara_accel.core.warmup")
        try:
            import foobara_py.monitoring
        except ModuleNotFoundError as error:
            assert error.name == "foobara_py.monitoring"
        foobara_accel.uninstall()
        assert "foobara_py.core.warmup" not in sys.modules and not hasattr(foobara_py.core, "warmup")
        try:
            import foobara_py.types.cache
        except ModuleNotFoundError:
            pass
        else:
            raise AssertionError
        """,
        foobara_py=True,
    )


@needs_foobara_py
def test_commands_have_a_name_unless_a_class_defines_one() -> None:
    said(
        """
        import foobara_accel
        from foobara_py import AsyncCommand, Command
        from pydantic import BaseModel
        class In(BaseModel):
            a: int
        class Plain(Command[In, str]):
            _domain = "Users"
            def execute(self):
                return self.name
        class Named(Command[In, str]):
            name = "mine"
            def execute(self):
                return self.name
        class OnInstance(Command[In, str]):
            def execute(self):
                self.name = "its own"
                return self.name
        class Slow(AsyncCommand[In, str]):
            async def execute(self):
                return self.name
        report = foobara_accel.install()
        assert report.added == ("NamingConcern.name", "CommandRegistry.warm_up")
        assert Plain.name == Plain.run(a=1).result == "Users::Plain" and Slow.name == "Slow"
        assert Named.run(a=1).result == "mine" and OnInstance.run(a=1).result == "its own"
        foobara_accel.uninstall()
        assert not hasattr(Plain, "name") and Named.name == "mine" and not hasattr(Plain(a=1), "name")
        for _ in range(120):
            foobara_accel.install()
            assert Plain.name == "Users::Plain"
            foobara_accel.uninstall()
            assert not hasattr(Plain, "name") and not hasattr(Plain(a=1), "name")
        try:
            Plain(a=1).name
        except AttributeError as error:
            assert str(error) == "'Plain' object has no attribute 'name'"
        """,
        foobara_py=True,
    )


@needs_foobara_py
def test_a_name_that_a_class_has_by_other_means_stays() -> None:
    """From a base listed after Command, or from ``__getattr__``; after many switches too."""
    said(
        """
        import foobara_accel
        from foobara_py import Command
        from pydantic import BaseModel
        class In(BaseModel):
            a: int = 1
        class Plain:
            name = "of a mixin"
        class Computed:
            @property
            def name(self):
                return f"of {type(self).__name__}"
        class WithPlain(Command[In, str], Plain):
            pass
        class WithProperty(Command[In, str], Computed):
            pass
        class Dynamic(Command[In, str]):
            def __getattr__(self, name):
                if name == "unknown":
                    raise AttributeError(name)
                return f"dynamic {name}"
        class Absent(Command[In, str]):
            def __getattr__(self, name):
                raise AttributeError(name)

        def seen():
            return WithPlain.name, WithPlain().name, WithProperty.name, WithProperty().name, Dynamic().name

        before = seen()
        assert before == ("of a mixin", "of a mixin", Computed.name, "of WithProperty", "dynamic name")
        for _ in range(60):
            foobara_accel.install()
            assert seen() == before and Absent().name == "Absent" and Dynamic.name == "Dynamic"
            foobara_accel.uninstall()
            assert seen() == before and not hasattr(Absent(), "name") and not hasattr(Dynamic, "name")
        """,
        foobara_py=True,
    )


@needs_foobara_py
def test_warm_up_of_its_registry_builds_validators_and_schemas() -> None:
    said(
        """
        import foobara_accel
        foobara_accel.install()
        from foobara_py import Command
        from foobara_py.core.registry import CommandRegistry, register
        from pydantic import BaseModel, ConfigDict
        class In(BaseModel):
            model_config = ConfigDict(defer_build=True)
            a: int
        @register
        class Add(Command[In, int]):
            _domain = "Sums"
        class Broken(Command):
            pass
        report = CommandRegistry.warm_up()
        assert report.ok and report.commands == 1 and In.__pydantic_complete__
        kinds = "inputs_type validator guard result schema".split()
        assert [item.kind for item in report.items] == kinds
        own = CommandRegistry("own")
        assert own.warm_up().commands == 0
        own.register(Add)
        assert own.warm_up("Sums::Add").commands == own.warm_up(domain="Sums").commands == 1
        assert own.warm_up([Broken, "Sums::Add"]).failed[0].what == "Broken"
        from foobara_accel.core.warmup import warm_up
        assert warm_up().commands == 1 and warm_up(all=True).commands == 2
        foobara_accel.uninstall()
        assert not hasattr(CommandRegistry, "warm_up") and warm_up().commands == 0
        """,
        foobara_py=True,
    )


# -- the roadmap's snippets --


@both
@backends
def test_snippet_gc_and_warm_up(foobara_py: bool, backend: str) -> None:
    said(
        """
        import foobara_accel.auto
        import gc
        gc.set_threshold(700, 10, 10)

        from foobara_py.core.registry import CommandRegistry
        report = CommandRegistry.warm_up()
        assert report.ok

        gc.set_debug(gc.DEBUG_STATS)
        gc.set_debug(0)

        from foobara_py.core import warmup
        assert warmup.warm_up is not None
        import foobara_py.core.registry
        assert foobara_accel.is_installed()
        """,
        foobara_py,
        backend,
    )


@both
@backends
def test_snippet_validation_cache(foobara_py: bool, backend: str) -> None:
    said(
        """
        import foobara_accel.auto
        from functools import lru_cache
        from foobara_py.types.cache import ValidationCache, compile_validator

        validator = ValidationCache.get_validator("int")
        assert validator is ValidationCache.get_validator(type_name="int")
        assert validator.validate_python("3") == 3
        assert ValidationCache._cache == {"int": validator}
        assert compile_validator("list[int]").validate_python(["1"]) == [1]
        """,
        foobara_py,
        backend,
    )


@both
@backends
def test_snippet_type_processors(foobara_py: bool, backend: str) -> None:
    said(
        """
        import foobara_accel.auto
        import warnings
        from foobara_py.types.validators.additional import CreditCardValidator, IBANValidator
        from foobara_py.types.validators.additional import PhoneNumberValidator
        from foobara_py.types.transformers.additional import CapitalizeTransformer, HashTransformer
        from foobara_py.types.transformers.additional import SanitizeHTMLTransformer
        import foobara_py.types.validators, foobara_py.types.transformers

        assert CreditCardValidator().process("4111111111111111") == "4111111111111111"
        assert IBANValidator().process("GB82WEST12345698765432") == "GB82WEST12345698765432"
        for wrong in (lambda: CreditCardValidator().process("4111"), lambda: IBANValidator()("GB82")):
            try:
                wrong()
            except ValueError as error:
                assert "rule: length" in str(error)
            else:
                raise AssertionError
        assert PhoneNumberValidator().region == "US" and PhoneNumberValidator(region="GB").region == "GB"
        assert PhoneNumberValidator().process("+12015550123") == "+12015550123"
        assert CapitalizeTransformer().process("first letter") == "First Letter"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert HashTransformer().algorithm == HashTransformer(algorithm="sha256").algorithm == "sha256"
            assert len(HashTransformer().process("data")) == 64
        assert foobara_py.types.validators.CreditCardValidator is CreditCardValidator
        assert foobara_accel.types.IBANValidator is IBANValidator
        assert SanitizeHTMLTransformer.__name__ == "SanitizeHTMLTransformer"
        """,
        foobara_py,
        backend,
    )


# -- running --


@both
def test_a_script_and_its_arguments(foobara_py: bool, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "beside.py").write_text("there = True\n", encoding="utf-8")
    app = folder / "app.py"
    app.write_text(
        dedent("""
        import sys, pickle, beside
        assert __name__ == "__main__" and sys.argv == [__file__, "--help", "x"], sys.argv
        assert sys.modules["__main__"].__dict__ is globals()
        class Mine:
            pass
        assert type(pickle.loads(pickle.dumps(Mine()))) is Mine
        import foobara_accel
        print(foobara_accel.swap_report().state)
        import foobara_py
        print(foobara_accel.swap_report().state)
        sys.exit(7)
        """),
        encoding="utf-8",
    )
    done = python("-m", "foobara_accel", str(app), "--help", "x", foobara_py=foobara_py, cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    assert done.stdout.split() == ["waiting", "swapped" if foobara_py else "served"]


@both
def test_a_module_and_its_arguments(foobara_py: bool, tmp_path: Path) -> None:
    package = tmp_path / "program"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import sys, foobara_py, foobara_accel\nprint(sys.argv[1:], __name__, __spec__.name,"
        " foobara_accel.is_installed())\n",
        encoding="utf-8",
    )
    done = python("-m", "foobara_accel", "-m", "program", "-x", foobara_py=foobara_py, cwd=tmp_path)
    assert done.stdout.strip() == "['-x'] __main__ program.__main__ True", done.stderr


@pytest.mark.parametrize(
    "words", [["app.py"], ["-m", "app"], ["folder"], ["packed.zip"], ["app.pyc"]], ids=str
)
def test_a_program_has_the_main_module_that_python_gives_it(words: list[str], tmp_path: Path) -> None:
    """Held against the interpreter's own way, until a thread and an exit handler pickle what it defines."""
    text = dedent("""
        import atexit, pickle, sys, threading
        class Mine:
            pass
        def pickled():
            print(type(pickle.loads(pickle.dumps(Mine()))) is Mine)
        def outlive():
            threading.main_thread().join()
            pickled()
        atexit.register(pickled)
        threading.Thread(target=outlive).start()
        seen = {name: value for name, value in globals().items() if name.startswith("__")}
        print(sorted(seen), [seen[name] for name in ("__name__", "__file__", "__package__", "__builtins__")])
        cached = seen.get("__cached__")  # there is none from 3.15 on
        print(__loader__ is not None, __spec__ and __spec__.name, cached and cached[-10:], sys.argv)
        print(sys.path[0])
    """)
    (tmp_path / "app.py").write_text(text, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(text, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr("__main__.py", text)
    py_compile.compile(str(tmp_path / "app.py"), str(tmp_path / "app.pyc"))
    plain = python(*words, "-x", foobara_py=False, cwd=tmp_path)
    ours = python("-m", "foobara_accel", *words, "-x", foobara_py=False, cwd=tmp_path)
    assert plain.returncode == 0 and plain.stdout.count("True") == 3, plain.stderr
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, 0)


def test_what_a_program_raises_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise BrokenPipeError('mine')\n", encoding="utf-8")
    done = python("-m", "foobara_accel", "app.py", foobara_py=False, cwd=tmp_path)
    assert done.returncode == 1 and "BrokenPipeError: mine" in done.stderr


def test_subcommands_come_before_files_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "doctor").write_text("print('a file')\n", encoding="utf-8")
    done = python("-m", "foobara_accel", "doctor", "--json", foobara_py=False, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("{"), done.stderr
    done = python("-m", "foobara_accel", "./doctor", foobara_py=False, cwd=tmp_path)
    assert done.stdout == "a file\n", done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["-m"],
        ["no_such.py"],
        ["run", "nothing"],
        ["run", "-m", "no_such"],
        ["-m", "no_such.part"],
        ["-m", "hollow"],
    ],
)
def test_nothing_to_run_is_bad_usage(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "hollow").mkdir()
    (tmp_path / "hollow" / "__init__.py").touch()
    done = python("-m", "foobara_accel", *words, foobara_py=False, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout


@pytest.mark.parametrize("name", ["broken", "hollow.part"])
def test_a_module_that_misses_another_shows_where(name: str, tmp_path: Path) -> None:
    (tmp_path / "hollow").mkdir()
    for file in ("broken.py", "hollow/__init__.py"):
        (tmp_path / file).write_text("import no_such_module\n", encoding="utf-8")
    done = python("-m", "foobara_accel", "-m", name, foobara_py=False, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.endswith("No module named 'no_such_module'\n")
    assert "Traceback" in done.stderr and name.partition(".")[0] in done.stderr


@needs_foobara_py
def test_fixes_by_environment() -> None:
    code = """
        import foobara_accel.auto, foobara_accel
        import foobara_py
        print(",".join(foobara_accel.swap_report().repairs))
    """
    assert said(code, True, FOOBARA_ACCEL_FIXES="") == ""
    assert said(code, True, FOOBARA_ACCEL_FIXES="errors-as-dicts") == "errors-as-dicts"


def test_a_wrong_fix_of_the_environment_is_named_with_the_variable(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print('ran')\n", encoding="utf-8")
    wrong = {"FOOBARA_ACCEL_FIXES": "call-hooks, nope"}
    done = python("-m", "foobara_accel", "app.py", foobara_py=False, cwd=tmp_path, **wrong)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith(
        "foobara-accel: FOOBARA_ACCEL_FIXES: no such repair: nope; there are rollback-"
    )
    assert done.stderr.count("\n") == 1
    done = python("-c", "import foobara_accel.auto", foobara_py=False, cwd=tmp_path, **wrong)
    assert "\nValueError: FOOBARA_ACCEL_FIXES: no such repair: nope; there are" in done.stderr


@both
def test_a_process_one_cannot_edit(foobara_py: bool, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "drop-in.md").read_text(encoding="utf-8")
    lines = re.search(r"sitecustomize\.py.*?```python\n(.*?)```", text, re.DOTALL)
    assert lines is not None
    (tmp_path / "sitecustomize.py").write_text(lines[1], encoding="utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import importlib.util as u;"
        f" s = u.spec_from_file_location('customized', {str(tmp_path / 'sitecustomize.py')!r});"
        " s.loader.exec_module(u.module_from_spec(s)); loaded = 'foobara_accel' in sys.modules;"
        " print(loaded, 'pydantic' in sys.modules)\n"
        "if loaded:\n    import foobara_py, foobara_accel; assert foobara_accel.is_installed()"
    )
    assert run(code, foobara_py=foobara_py) == "False False"
    assert run(code, foobara_py=foobara_py, FOOBARA_ACCEL_AUTO="1") == "True False"
