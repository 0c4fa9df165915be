"""What a function of foobara_py looks like: whether it is the one that a replacement was written for."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from .exchange import cannot, is_foreign, original_code
from .target import ROOT, Target, underlying

__all__ = ["Shapes"]

_GENERATED = "<string>"


class Shapes:
    """Fingerprints of the functions of one target, and objections to them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._trees: dict[str, dict[str, ast.AST]] = {}
        self._codes: dict[str, dict[str, CodeType]] = {}
        self._known: dict[str, tuple[FunctionType, CodeType, tuple[str, ...]]] = {}

    def forget(self) -> None:
        """Let go of the sources read; what is known of a function stays known."""
        self._trees.clear()
        self._codes.clear()

    def fingerprint(self, key: str) -> str:
        """Return the first 16 digits of the sha256 of what the function under *key* is written as.

        For a method that ``dataclass`` wrote it is the class without its methods. Raises LookupError, whose
        message says what is missing.
        """
        return _digest(self._node(key, self.function(key)))

    def function(self, key: str) -> FunctionType:
        """Return the function under *key*; LookupError says what is there instead."""
        owner, _, name = key.partition(".")
        cls = self._target.classes.get(owner)
        if not isinstance(cls, type):
            raise LookupError(f"there is no class {owner}" if cls is None else f"{owner} is no class")
        if name not in vars(cls):
            raise LookupError(f"{owner} has no {name} of its own")
        found = vars(cls)[name]
        function = underlying(found)
        if function is None:
            raise LookupError(f"{key} is no function but {_described(found)}")
        return function

    def objection(self, key: str, known: tuple[str, ...]) -> str | None:
        """Say why the function under *key* is not one of the *known* fingerprints; None if it is."""
        try:
            function = self.function(key)
            reason = self._exchanged_name(key, function)
            if reason is not None:
                return reason
            as_seen = function, original_code(function), known
            if self._known.get(key) == as_seen and not is_foreign(function):
                return None
            if not (function.__module__ or "").startswith(f"{ROOT}."):
                return f"{key} is a function of {function.__module__}: somebody has patched it"
            node = self._node(key, function)
        except LookupError as error:
            return str(error)
        if is_foreign(function):
            return f"the code of {key} has been exchanged by somebody else"
        # A module has no code for what dataclass writes; its class is what is compared there.
        if not isinstance(node, ast.ClassDef):
            wanted = self._codes_of(function.__module__).get(function.__qualname__)
            if wanted != original_code(function):
                return f"the code of {key} is not what its module holds: somebody has patched it"
        reason = cannot(function)
        if reason is not None:
            return f"{key}: {reason}"
        if _digest(node) not in known:
            return f"{key} is not the one known here (fingerprint {_digest(node)})"
        self._known[key] = as_seen
        return None

    def _exchanged_name(self, key: str, function: FunctionType) -> str | None:
        """Say what the function under *key* finds in its module in the place of a class of foobara_py."""
        for name in original_code(function).co_names:
            wanted = self._target.classes.get(name)
            if wanted is not None and function.__globals__.get(name, wanted) is not wanted:
                module = function.__module__
                return f"{key} uses another {name} than foobara_py's: somebody has patched {module}"
        return None

    def _node(self, key: str, function: FunctionType) -> ast.AST:
        trees = self._trees_of(function.__module__)
        node = trees.get(function.__qualname__)
        if node is not None and not isinstance(node, ast.ClassDef):
            return node
        owner = self._target.classes[key.partition(".")[0]]
        found = trees.get(owner.__qualname__)
        # No source of its own: one that dataclass wrote, if anything.
        generated = (
            hasattr(owner, "__dataclass_fields__") and original_code(function).co_filename == _GENERATED
        )
        if generated and isinstance(found, ast.ClassDef):
            return found
        raise LookupError(f"the source of {key} cannot be read")

    def _trees_of(self, module: str) -> dict[str, ast.AST]:
        if module not in self._trees:
            source = _asked(module, "get_source")
            self._trees[module] = dict(_definitions(ast.parse(source))) if source else {}
        return self._trees[module]

    def _codes_of(self, module: str) -> dict[str, CodeType]:
        if module not in self._codes:
            code = _asked(module, "get_code")
            self._codes[module] = dict(_nested(code)) if isinstance(code, CodeType) else {}
        return self._codes[module]


def _asked(name: str, method: str) -> Any:
    """Return what the loader of a module says of it; None where there is no such loader."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    ask = getattr(getattr(spec, "loader", None), method, None)
    if ask is None:
        return None
    try:
        return ask(name)
    except (ImportError, OSError, SyntaxError):
        return None


def _definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield prefix + node.name, node
            yield from _definitions(node, f"{prefix}{node.name}.")


def _nested(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each.co_qualname, each
            yield from _nested(each)


def _digest(node: ast.AST) -> str:
    return hashlib.sha256(_text(node).encode()).hexdigest()[:16]


def _text(node: Any) -> str:
    """Return *node* as text that is the same on every Python: no places, no docstring, nothing empty."""
    if isinstance(node, list):
        return f"[{','.join(_text(each) for each in node)}]"
    if isinstance(node, ast.Constant):
        return repr(node.value)
    if not isinstance(node, ast.AST):
        return str(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            value = _without_docstring(value)
            if isinstance(node, ast.ClassDef):
                value = [
                    each for each in value if not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))
                ]
        if name == "is_lazy" and not value:  # of an import, from 3.15 on
            continue
        if value is not None and value != []:
            fields.append(f"{name}={_text(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return body[1:] if isinstance(first.value.value, str) else body
    return body


def _described(found: Any) -> str:
    return f"a {type(found).__module__}.{type(found).__qualname__}"
