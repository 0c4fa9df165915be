"""Every public name and its public members have docstrings; every public module says what is public."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

PACKAGE = "foobara_accel"


def public_modules(fa: ModuleType) -> Iterator[ModuleType]:
    yield fa
    for found in pkgutil.walk_packages(fa.__path__, f"{fa.__name__}."):
        if any(part.startswith("_") for part in found.name.split(".")[1:]):
            continue
        yield importlib.import_module(found.name)


def said_by(value: Any) -> str:
    return inspect.getdoc(value) or ""


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Give the public functions, properties and class methods that *cls* itself defines."""
    for name, raw in vars(cls).items():
        if name.startswith("_"):
            continue
        value = getattr(raw, "__func__", raw)
        if isinstance(value, property) or (callable(value) and not isinstance(value, type)):
            yield name, value


def undocumented(module: ModuleType) -> Iterator[str]:
    if not module.__doc__:
        yield module.__name__
    for name in module.__all__:
        value = getattr(module, name)
        if not (isinstance(value, type) or inspect.isroutine(value)):
            continue
        if not (value.__doc__ or "").strip() or said_by(value).startswith(f"{value.__name__}("):
            yield f"{module.__name__}.{name}"
        if isinstance(value, type) and value.__module__.startswith(PACKAGE):
            yield from (
                f"{module.__name__}.{name}.{member}" for member, found in members(value) if not said_by(found)
            )


def test_every_public_name_and_member_has_a_docstring(fa: ModuleType) -> None:
    missing = sorted({name for module in public_modules(fa) for name in undocumented(module)})
    assert missing == []


def test_every_public_module_names_what_is_public(fa: ModuleType) -> None:
    without = [module.__name__ for module in public_modules(fa) if not hasattr(module, "__all__")]
    assert without == []


def test_every_name_that_a_module_publishes_is_there_once(fa: ModuleType) -> None:
    for module in public_modules(fa):
        names = list(module.__all__)
        assert len(names) == len(set(names)), module.__name__
        assert [name for name in names if not hasattr(module, name)] == [], module.__name__


@pytest.mark.parametrize("path", ["", ".core"])
def test_the_package_exports_what_its_type_checkers_see(fa: ModuleType, path: str) -> None:
    package = importlib.import_module(f"{fa.__name__}{path}")
    source = inspect.getsource(package)
    typed = source[source.index("if TYPE_CHECKING:") : source.index("_EXPORTS")]
    assert sorted(package._EXPORTS) == sorted(
        line.split(" as ")[1].strip(" ,") for line in typed.splitlines() if " as " in line
    )
    assert set(package.__all__) - {"__version__"} == package._EXPORTS.keys()


@pytest.mark.parametrize("path", ["", ".core", ".domain", ".types"])
def test_star_imports_are_written_out_for_type_checkers(fa: ModuleType, path: str) -> None:
    source = inspect.getsource(importlib.import_module(f"{fa.__name__}{path}"))
    (named,) = [
        each.value
        for each in ast.parse(source).body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__all__"
    ]
    assert ast.literal_eval(named)


@pytest.mark.parametrize("name", ["Command", "AsyncCommand"])
def test_a_command_class_documents_all_that_it_inherits(fa: ModuleType, name: str) -> None:
    cls = getattr(fa, name)
    missing = [
        member
        for member in dir(cls)
        if not member.startswith("_") and callable(getattr(cls, member)) and not said_by(getattr(cls, member))
    ]
    assert missing == []
