"""The types of foobara_py under install(): process, what overrides and changes it, and giving it back."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from textwrap import dedent

import pytest

from foobara_accel import backend
from foobara_py_here import needs_foobara_py, place, run

pytestmark = [
    needs_foobara_py,
    pytest.mark.skipif(str(backend()) != "c", reason=f"no compiled backend: {backend().reason}"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        reason="on a free-threaded build the drop-in is the pure one",
    ),
]

HEAD = """
import foobara_accel
from foobara_py import types
from foobara_py.types import FoobaraType, StringCaster, MinLengthValidator, TitleCaseTransformer

def told(made, *values):
    found = []
    for value in values:
        try:
            found.append(made.process(value))
        except Exception as error:
            found.append((type(error).__name__, str(error)))
    return found

def both(make, *values):
    plain = told(make(), *values)
    assert foobara_accel.install().ok
    swapped = told(make(), *values)
    foobara_accel.uninstall()
    assert plain == swapped, (plain, swapped)
    return plain
"""


def said(code: str) -> str:
    return run(HEAD + dedent(code), "c")


def test_the_part_is_reported_and_given_back() -> None:
    code = """
        function, code = vars(FoobaraType)["process"], FoobaraType.process.__code__
        report = foobara_accel.install()
        print([part.replaced for part in report.parts if part.name == "types"])
        assert vars(FoobaraType)["process"] is function and function.__code__ is not code
        assert types.EmailType.process(" A@B.co ") == "a@b.co"
        foobara_accel.uninstall()
        assert vars(FoobaraType)["process"] is function and function.__code__ is code
        """
    assert said(code) == "[('FoobaraType.process',)]"


def test_stock_processors_say_what_they_said() -> None:
    code = """
        for name, values in {
            "string": (" a ", 5, None, b"x"),
            "integer": ("007", " -7 ", "x", 1.5, True, float("inf"), [], "٣"),
            "email": (" Ada@Example.COM ", "x", 5, "a@b.co\\n"),
            "percentage": ("99.5", 100.5, float("nan"), -0.0),
            "boolean": ("yes", "maybe", 2, 1.0),
            "array": ("a,b", [1], (1,), None),
        }.items():
            print(both(lambda: types.TypeRegistry.get(name), *values))
        """
    lines = said(code).splitlines()
    assert lines[0] == "['a', '5', ('ValueError', 'Value cannot be None for type string'), \"b'x'\"]"
    assert len(lines) == 6


def test_an_error_of_an_element_stays_foobara_pys() -> None:
    code = "print(both(lambda: types.IntegerType.array(), [1, '2'], [1, 'x']))"
    assert said(code) == ("[[1, 2], ('ValueError', \"invalid literal for int() with base 10: 'x'\")]")


def test_what_overrides_and_what_changes_is_respected() -> None:
    code = """
        class Sub(FoobaraType):
            def process(self, value):
                return f"<{super().process(value)}>"

        class Own(MinLengthValidator):
            def process(self, value):
                return super().process(value) + "!"

        def changing(made, change):
            class Changes:
                def process(self, value):
                    change(made)
                    return value
            made.casters.append(Changes())
            return made

        def shadowed():
            made = FoobaraType("x", str, transformers=[TitleCaseTransformer()])
            made.transformers[0].process = lambda value: "shadow"
            return made

        def simple():
            return FoobaraType("x", str, casters=[StringCaster()], validators=[MinLengthValidator(2)])

        print(both(lambda: Sub("x", str, casters=[StringCaster()]), 1))
        print(both(lambda: Sub("x", str, casters=[StringCaster()]).array(), [1]))
        print(both(lambda: FoobaraType("x", str, validators=[Own(2)]), "ab", "a"))
        print(both(shadowed, "a"))
        print(both(lambda: changing(simple(), lambda t: t.transformers.append(TitleCaseTransformer())), "ab"))
        print(both(lambda: changing(simple(), lambda t: setattr(t.validators[0], "min_length", 9)), "ab"))

        foobara_accel.install()
        made = simple()
        assert made.process("ab") == "ab"
        before = StringCaster.process
        StringCaster.process = lambda self, value: "patched"
        assert made.process("ab") == "patched" == made.array().process(["x"])[0]
        StringCaster.process = before
        assert made.process("ab") == "ab"
        made.validators.clear()
        assert made.process("a") == "a"
        """
    assert said(code).splitlines() == [
        "['<1>']",
        "[['<1>']]",
        "['ab!', ('ValueError', 'Value must be at least 2 characters')]",
        "['shadow']",
        "['Ab']",
        "[('ValueError', 'Value must be at least 9 characters')]",
    ]


def test_a_processor_that_is_another_one_is_refused_with_the_reason() -> None:
    code = """
        from foobara_py.types.type_declarations import OneOfValidator
        OneOfValidator.process = lambda self, value: value
        report = foobara_accel.install()
        part = next(part for part in report.parts if part.name == "types")
        print(part.swapped, part.reason)
        print(types.IntegerType.process(" 5 "))
        """
    assert said(code).splitlines() == [
        "False OneOfValidator.process is a function of __main__: somebody has patched it",
        "5",
    ]


def test_switching_again_and_again_costs_no_memory_and_no_state() -> None:
    code = """
        made = types.EmailType.array()
        for _ in range(200):
            foobara_accel.install()
            assert made.process([" A@B.co "]) == ["a@b.co"]
            foobara_accel.uninstall()
            assert made.process([" A@B.co "]) == ["a@b.co"]
        print("same")
        """
    assert said(code) == "same"


def test_random_types_are_the_same_in_everything_seen() -> None:
    script = Path(__file__).with_name("differential_types.py")
    environment = {**os.environ, "FOOBARA_ACCEL_BACKEND": "c"}
    if place():
        environment["FOOBARA_PY_PATH"] = str(place())
    command = [sys.executable, str(script), "--cases", "1500", "--seed", "11"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1500 programs, 0 different (c; replaced: FoobaraType.process;" in done.stdout


def test_a_difference_is_seen_by_the_harness() -> None:
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import differential_types
        plain = differential_types.programs(types, 0, 30)
        assert differential_types.programs(types, 0, 30) == plain
        TitleCaseTransformer.process = lambda self, value: value.capitalize()
        FoobaraType.is_valid = lambda self, value: True
        print(differential_types.programs(types, 0, 30) == plain)
        """
    assert said(code) == "False"
