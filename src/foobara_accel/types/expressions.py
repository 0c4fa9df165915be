"""Type expressions written as text, read without evaluating code.

``resolve("dict[str, list[User] | None]")`` knows registered names, the usual builtins, typing and pydantic
names, ``Annotated`` with the constraints of annotated_types and pydantic, and nothing else.
"""

from __future__ import annotations

import ast
import functools
import importlib
import operator
import threading
import types
import typing
import weakref
from typing import Any, NamedTuple

__all__ = [
    "TypeExpressionError",
    "register_type_name",
    "registered_type_names",
    "resolve",
    "unregister_type_name",
]

MAX_LENGTH = 4096
MAX_DEPTH = 64

_BUILTINS = "int float complex str bytes bool list dict set frozenset tuple type object"
_TYPING = (
    "Any Union Optional Literal Annotated Callable Sequence Mapping MutableMapping MutableSequence Iterable "
    "Iterator Hashable Pattern NoReturn Never"
)
_PYDANTIC = (
    "PositiveInt NegativeInt NonNegativeInt NonPositiveInt PositiveFloat NegativeFloat NonNegativeFloat "
    "NonPositiveFloat FiniteFloat StrictInt StrictFloat StrictStr StrictBool StrictBytes SecretStr "
    "SecretBytes Json UUID1 UUID3 UUID4 UUID5 FilePath DirectoryPath NewPath PastDate FutureDate "
    "PastDatetime FutureDatetime AwareDatetime NaiveDatetime ByteSize Base64Bytes Base64Str AnyUrl "
    "AnyHttpUrl HttpUrl EmailStr NameEmail IPvAnyAddress BaseModel"
)
_HOMES: dict[str, str] = {
    **dict.fromkeys(_BUILTINS.split(), "builtins"),
    **dict.fromkeys(_TYPING.split(), "typing"),
    **dict.fromkeys(_PYDANTIC.split(), "pydantic"),
    **dict.fromkeys(("date", "datetime", "time", "timedelta"), "datetime"),
    **dict.fromkeys(("deque", "defaultdict", "OrderedDict", "Counter"), "collections"),
    **dict.fromkeys(("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network"), "ipaddress"),
    "Decimal": "decimal",
    "Fraction": "fractions",
    "UUID": "uuid",
    "Path": "pathlib",
}
# The builtins themselves take any number of arguments.
_ARITIES: tuple[tuple[type, int], ...] = ((list, 1), (set, 1), (frozenset, 1), (type, 1), (dict, 2))
# typing's capitalised aliases mean the builtin; their own subscription goes through a cache that takes
# List[int | str] and List[str | int] for the same thing.
_ALIASES = {
    "List": "list",
    "Dict": "dict",
    "Set": "set",
    "FrozenSet": "frozenset",
    "Tuple": "tuple",
    "Type": "type",
    "Deque": "deque",
    "DefaultDict": "defaultdict",
}
_CONSTRAINTS: dict[str, str] = {
    **dict.fromkeys(
        ["Gt", "Ge", "Lt", "Le", "Interval", "MultipleOf", "MinLen", "MaxLen", "Len"], "annotated_types"
    ),
    **dict.fromkeys(["Field", "StringConstraints", "Strict", "AllowInfNan"], "pydantic"),
}


class TypeExpressionError(ValueError):
    """A type expression that cannot be read; ``unknown`` lists the names nobody knows."""

    def __init__(self, expression: str, reason: str, unknown: tuple[str, ...] = ()) -> None:
        super().__init__(f"type expression {_short(expression)}: {reason}")
        self.expression = expression
        self.reason = reason
        self.unknown = unknown

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.expression, self.reason, self.unknown)


class Fresh:
    """Metadata that says nothing; no two are equal, so that typing's cache makes every expression anew.

    For that cache ``list[int | str]`` and ``list[str | int]`` inside Annotated are one.
    """

    def __repr__(self) -> str:
        return "text"


class _Names:
    """The registered names; ``epoch`` grows with each change of what a name means."""

    def __init__(self) -> None:
        # Reentrant: a registry may be collected, and its names forgotten, inside any of these blocks.
        self.lock: threading.RLock = threading.RLock()
        self.table: dict[str, Any] = {}
        self.shared: dict[str, tuple[_Share, ...]] = {}
        self.epoch = 0


class _Share(NamedTuple):
    owner: weakref.ref[Any]
    key: str


names: _Names = _Names()
_MISSING = object()


def register_type_name(name: str, type_: Any) -> None:
    """Let *name* mean *type_* in type expressions; a later call wins, and wins over a built-in name.

    Raises TypeError when *name* is not a string or *type_* not a type, ValueError for an empty name.
    """
    _check_name(name)
    if not is_type(type_):
        raise TypeError(
            f"register_type_name({_short(name)}): {_short(type_)} is not a type or type expression"
        )
    with names.lock:
        if name in names.table and names.table[name] is type_:
            return
        # Copied, so that a reader needs no lock.
        names.table = {**names.table, name: type_}
        names.epoch += 1


def unregister_type_name(name: str) -> bool:
    """Forget *name*; return whether it was registered."""
    _check_name(name)
    with names.lock:
        if name not in names.table:
            return False
        names.table = {key: value for key, value in names.table.items() if key != name}
        names.epoch += 1
        return True


def share_type_name(name: str, owner: Any, key: str) -> None:
    """Let *name* mean what *owner*, a registry, holds under *key*: while it lives, and holds it.

    A name of ``register_type_name`` and a built-in one win. A name that registries have for different
    types means none of them.
    """

    def forget(dead: weakref.ref[Any]) -> None:
        with names.lock:
            left = tuple(share for share in names.shared.get(name, ()) if share.owner is not dead)
            names.shared = {**names.shared, name: left}
            if not left:
                del names.shared[name]
            names.epoch += 1

    with names.lock:
        known = names.shared.get(name, ())
        if not any(share.owner() is owner and share.key == key for share in known):
            names.shared = {**names.shared, name: (*known, _Share(weakref.ref(owner, forget), key))}
        names.epoch += 1


def _shared(name: str, text: str) -> Any:
    found: list[Any] = []
    for share in names.shared.get(name, ()):
        owner = share.owner()
        value = _MISSING if owner is None else owner._types.get(share.key, _MISSING)
        if value is not _MISSING and not any(value is other for other in found):
            found.append(value)
    if len(found) > 1:
        raise TypeExpressionError(
            text, f"{_short(name)} names {len(found)} registered types; use a full name (Domain::Type)"
        )
    return found[0] if found else _MISSING


def registered_type_names() -> dict[str, Any]:
    """Return a copy of the registered names."""
    return dict(names.table)


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a type name is a string, not {type(name).__name__}")
    if not name.strip():
        raise ValueError("a type name cannot be empty")


def is_type(value: object) -> bool:
    """Return whether *value* is a class or a typing construct that may stand in an annotation."""
    if value is None or isinstance(value, type) or typing.get_origin(value) is not None:
        return True
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.MethodType)):
        return False
    return type(value).__module__ in ("typing", "typing_extensions", "_typing")


def resolve(text: str) -> Any:
    """Return the type that *text* names.

    Raises TypeExpressionError when it is no type expression or uses a name that is not known.
    """
    if not isinstance(text, str):
        raise TypeError(f"a type expression is a string, not {type(text).__name__}")
    return _resolve(text, 0)


def _resolve(text: str, depth: int) -> Any:
    if text in names.table:
        return names.table[text]
    stripped = text.strip()
    if not stripped:
        raise TypeExpressionError(text, "it is empty")
    if len(stripped) > MAX_LENGTH:
        raise TypeExpressionError(text, f"it has {len(stripped)} characters, at most {MAX_LENGTH} are read")
    if stripped in names.table:
        return names.table[stripped]
    if stripped in names.shared and _ALIASES.get(stripped, stripped) not in _HOMES:
        value = _shared(stripped, text)
        if value is not _MISSING:
            return value
    try:
        tree = ast.parse(stripped, mode="eval")
    except SyntaxError as error:
        raise TypeExpressionError(text, _syntax_reason(stripped, error)) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise TypeExpressionError(text, f"it cannot be parsed ({type(error).__name__})") from None
    reader = _Reader(text, depth)
    try:
        value = reader.read(tree.body)
    except RecursionError:
        raise TypeExpressionError(text, "it is nested too deep") from None
    if reader.unknown:
        unknown = tuple(dict.fromkeys(reader.unknown))
        listed = ", ".join(repr(name) for name in unknown)
        plural = "s" if len(unknown) > 1 else ""
        raise TypeExpressionError(
            text, f"unknown name{plural} {listed} (register_type_name adds one)", unknown
        )
    return value


def _syntax_reason(text: str, error: SyntaxError) -> str:
    if "::" in text:
        return f"{_short(text)} is not a registered name"
    return f"it is not a type expression ({error.msg})"


def _short(value: object) -> str:
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 80 else text[:77] + "..."


class _Reader:
    """Turns the syntax tree of one expression into a type; unknown names are collected first."""

    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.depth = depth
        self.unknown: list[str] = []

    def fail(self, reason: str) -> TypeExpressionError:
        return TypeExpressionError(self.text, reason)

    def read(self, node: ast.expr) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"it is nested deeper than {MAX_DEPTH} levels")
        try:
            return self._read(node)
        finally:
            self.depth -= 1

    def _read(self, node: ast.expr) -> Any:
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self.name(node)
        if isinstance(node, ast.Subscript):
            return self.subscript(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.union(_alternatives(node))
        if isinstance(node, ast.Constant):
            if node.value is None:
                return None
            if isinstance(node.value, str):
                return self.forward(node.value)
            if node.value is ...:
                return ...
        if isinstance(node, ast.List):
            return [self.read(item) for item in node.elts]
        raise self.fail(f"{_short(ast.unparse(node))} is not a type")

    def forward(self, text: str) -> Any:
        try:
            return _resolve(text, self.depth)
        except TypeExpressionError as error:
            if not error.unknown:
                raise
            self.unknown.extend(error.unknown)
            return Any

    def name(self, node: ast.expr) -> Any:
        dotted = _dotted(node)
        if dotted is None:
            raise self.fail(f"{_short(ast.unparse(node))} is not a name")
        if dotted in names.table:
            return names.table[dotted]
        module, _, last = dotted.rpartition(".")
        wanted = _ALIASES.get(last, last)
        home = _HOMES.get(wanted)
        if home is None or module not in ("", home, "typing", "t", "typing_extensions", "collections.abc"):
            value = _shared(dotted, self.text)
            if value is not _MISSING:
                return value
            self.unknown.append(dotted)
            return Any
        return getattr(importlib.import_module(home), wanted)

    def union(self, nodes: list[ast.expr]) -> Any:
        members = [self.read(node) for node in nodes]
        if any(member is ... or isinstance(member, list) for member in members):
            raise self.fail("... and lists have no place in a union")
        try:
            return functools.reduce(operator.or_, members) if len(members) > 1 else members[0]
        except TypeError:
            # Members without ``|``, such as None | None.
            return typing.Union[tuple(members)]  # noqa: UP007

    def subscript(self, node: ast.Subscript) -> Any:
        base: Any = self.name(node.value)
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if any(isinstance(item, (ast.Slice, ast.Starred)) for item in items):
            raise self.fail("slices and * are not types")
        if base is typing.Literal:
            return typing.Literal[tuple(self.constant(item) for item in items)]
        if base is typing.Annotated:
            if len(items) < 2:
                raise self.fail("Annotated needs a type and at least one constraint")
            return typing.Annotated[
                (self.read(items[0]), *(self.constraint(item) for item in items[1:]), Fresh())
            ]
        if base is typing.Union:
            return self.union(items)
        if base is typing.Optional:
            if len(items) != 1:
                raise self.fail("Optional takes one type")
            return self.union([*_alternatives(items[0]), ast.Constant(None)])
        arguments = tuple(self.read(item) for item in items)
        if base is Any:
            if self.unknown:
                return Any
            raise self.fail("Any takes no arguments")
        self.check_arity(base, arguments)
        try:
            return base[arguments if len(arguments) != 1 else arguments[0]]
        except Exception as error:
            # A registered class may refuse its arguments with any exception.
            raise self.fail(f"{ast.unparse(node.value)} does not take these arguments: {error}") from error

    def check_arity(self, base: Any, arguments: tuple[Any, ...]) -> None:
        wanted = next((arity for cls, arity in _ARITIES if base is cls), None)
        if wanted is None:
            return
        if len(arguments) != wanted:
            raise self.fail(
                f"{base.__name__} takes {wanted} argument{'s' * (wanted > 1)}, not {len(arguments)}"
            )
        if any(argument is ... for argument in arguments):
            raise self.fail(f"... has no place in {base.__name__}")

    def constant(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and node.value is not ...:
            return node.value
        if (
            isinstance(node, ast.UnaryOp)
            and isinstance(node.op, ast.USub)
            and isinstance(node.operand, ast.Constant)
        ):
            value = node.operand.value
            if type(value) in (int, float):
                return -value  # type: ignore[operator]
        raise self.fail(f"{_short(ast.unparse(node))} is not a constant")

    def constraint(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        called = _dotted(node.func) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or called is None:
            raise self.fail(
                f"{_short(ast.unparse(node))} is not a constraint such as Gt(0) or Field(max_length=3)"
            )
        module, _, last = called.rpartition(".")
        home = _CONSTRAINTS.get(last)
        if home is None or (module and module != home):
            self.unknown.append(called)
            return ""
        if any(keyword.arg is None for keyword in node.keywords):
            raise self.fail("** has no place in a constraint")
        positional = [self.constant(item) for item in node.args]
        named = {str(keyword.arg): self.constant(keyword.value) for keyword in node.keywords}
        try:
            return getattr(importlib.import_module(home), last)(*positional, **named)
        except Exception as error:
            raise self.fail(f"{last} does not take these arguments: {error}") from error


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Flatten ``a | b | c`` from the left without recursion: a chain of thousands is one level."""
    found: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        found.append(node.right)
        node = node.left
    found.append(node)
    return found[::-1]


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])
