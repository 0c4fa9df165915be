"""What errors tell the outside, once for both twins: JSON forms of any value, problem documents, text.

A leaf like ``_vocabulary``: it knows errors only by their attributes and imports neither twin.
"""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import re
import sys
import typing
from _thread import get_ident
from collections import OrderedDict, abc, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from types import GenericAlias, NoneType, SimpleNamespace, UnionType
from typing import Any, get_type_hints

import pydantic  # its names are looked up when used: BaseModel and SecretStr load most of it
from pydantic_core import ValidationError, core_schema

from ._vocabulary import ErrorSeverity

CIRCULAR = "<circular>"
TOO_DEEP = "<too deep>"
HIDDEN = "**********"
MAX_DEPTH = 100
MAX_SHOWN = 8

ERROR_SUGGESTIONS: dict[str, str] = {
    "required": "Give this field a value.",
    "too_short": "Use a longer value.",
    "too_long": "Use a shorter value.",
    "invalid_format": "Compare the value with the format the field documents.",
    "not_authenticated": "Sign in, then send the request again.",
    "not_allowed": "Ask an administrator for the permission this needs.",
    "rate_limit_exceeded": "Slow down and send the request again later.",
    "timeout": "Repeat the request, or raise its time limit.",
    "connection_failed": "See whether the other service can be reached from here.",
    "not_found": "Check the identifier; it may have been deleted.",
    "already_exists": "Choose another name or change the record that is there.",
}

_RANKS = {severity.value: rank for rank, severity in enumerate(ErrorSeverity)}


# Text and JSON values


def text(value: object) -> str:
    """Return ``str(value)`` without ever raising; objects with no text of their own become ``<Type>``."""
    kind = type(value)
    if isinstance(value, str):
        return str.__str__(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return f"<{kind.__qualname__}>"  # the default repr would show a memory address
    try:
        return str.__str__(str(value))
    except Exception:
        return f"<{kind.__qualname__}>"


def piece(value: object) -> str:
    """Return *value* as a piece of a key, a sentence or another text of an error; hidden as in its JSON."""
    if type(value) is str:
        return value
    if holds_mark(value):
        return HIDDEN
    return value if isinstance(value, str) else text(value)


def key_text(key: object) -> str:
    """Return the JSON object key for a dict key, as :mod:`json` spells the scalars."""
    if _hides(type(key)):
        return HIDDEN
    if isinstance(key, str):
        return str.__str__(key)
    if key is None:
        return "null"
    if key is True:
        return "true"
    if key is False:
        return "false"
    if isinstance(key, Enum):
        return key_text(key.value)
    if isinstance(key, int):
        return int_text(key)
    if isinstance(key, bytes | bytearray):
        return bytes(key).decode("utf-8", "backslashreplace")
    return text(key)


def int_text(value: int) -> str:
    """Return the digits of *value*; hexadecimal beyond the interpreter's digit limit."""
    try:
        return int.__repr__(value)
    except ValueError:
        return hex(value)


def simplify(value: Any) -> Any:
    """Return *value* a step closer to JSON: a str, number, list, dict, or ``bytes`` that are JSON already.

    Never raises: what cannot be converted becomes its ``text``. Types marked
    ``__foobara_sensitive__`` are hidden, and so are those that do not answer whether they are.
    """
    kind = type(value)
    if _marked(kind):
        return HIDDEN
    try:
        return _simplify(value, kind)
    except Exception:
        return HIDDEN if holds_mark(value) else text(value)


def _simplify(value: Any, kind: Any) -> Any:
    if isinstance(value, Enum):
        inner = value.value
        return simplify(inner) if isinstance(inner, bytes) else inner
    if isinstance(value, pydantic.BaseModel):
        return _model(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    # A program that has not loaded uuid has no value of it.
    if (uuid := sys.modules.get("uuid")) and isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        hidden = _view(kind)
        return [HIDDEN if hidden.get(name) else part for name, part in zip(kind._fields, value, strict=True)]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if by_fields(kind):
        hidden = _view(type(value))
        names = [field.name for field in dataclasses.fields(value)]
        return {name: HIDDEN if hidden.get(name) else getattr(value, name) for name in names}
    return text(value)


def _model(value: pydantic.BaseModel) -> Any:
    veiled = _veiled(value)
    try:
        if not veiled:
            return value.__pydantic_serializer__.to_json(value)
        return _model_without(value, veiled)
    except Exception:
        fields = type(value).model_fields
        return {
            name: HIDDEN if is_secret(field) else veiled.get(name, getattr(value, name))
            for name, field in fields.items()
            if not field.exclude
        }


def _model_without(value: Any, veiled: dict[str, Any]) -> Any:
    # Pydantic writes the other fields, as their types and serializers say.
    kind = type(value)
    if kind.__pydantic_decorators__.model_serializers:
        return HIDDEN
    if issubclass(kind, pydantic.RootModel):
        return veiled["root"]
    rest = value.__pydantic_serializer__.to_python(value, mode="json", exclude=set(veiled))
    written = {}
    by_alias = kind.model_config.get("serialize_by_alias")
    for name, field in kind.model_fields.items():
        shown_as = (by_alias and field.serialization_alias) or name
        if name not in veiled:
            if shown_as in rest:
                written[shown_as] = rest.pop(shown_as)
        elif not field.exclude:
            written[shown_as] = veiled[name]
    extra = {name: part for name, part in veiled.items() if name not in kind.model_fields}
    return written | rest | extra


def _veiled(value: pydantic.BaseModel) -> dict[str, Any]:
    # Field -> HIDDEN, or the value when something in it is marked: that is then written part by part.
    kind = type(value)
    found: dict[str, Any] = {}
    for name, hide in _view(kind).items():
        part = value.__dict__.get(name)
        if hide:
            found[name] = HIDDEN
        elif not holds_mark(part, _hides_or_writes_itself):
            continue
        elif holds_mark(part):
            found[name] = HIDDEN if _has_serializer(kind, name) else part
        elif kind.__pydantic_decorators__.model_serializers:
            # It writes the error, or has Pydantic write each of its fields.
            if holds_mark(part, in_errors=True):
                found[name] = HIDDEN
        elif not _has_serializer(kind, name):
            found[name] = part
    for name, part in (value.__pydantic_extra__ or {}).items():
        if holds_mark(part, _hides_or_writes_itself):
            found[name] = part
    return found


def is_secret(field: Any) -> bool:
    # a mark in the annotation tells nothing to the value, which may be a plain str
    return any(map(_marked, field.metadata)) or _sensitive_type(field.annotation, {})


def is_secret_type(hint: Any) -> bool:
    """Say whether an annotation is marked sensitive, or has in it what is."""
    return _sensitive_type(hint, {})


def echoed_model(model: Any, raw: Mapping[str, Any]) -> Any:
    """Return what *model* says of the fields of which no part may be echoed because of what *raw* gives them.

    An error inside of a field has a part of its value: that part does not tell where it was taken from.
    """
    quiet = {name for name, value in raw.items() if holds_mark(value, _marked)}
    if not quiet:
        return model
    fields = {
        name: field
        for name, field in model.model_fields.items()
        if quiet.isdisjoint((name, field.alias, *_aliases(field.validation_alias)))
    }
    return SimpleNamespace(model_fields=fields)


def _aliases(alias: Any) -> tuple[Any, ...]:
    if isinstance(alias, pydantic.AliasChoices):
        return tuple(name for choice in alias.choices for name in _aliases(choice))
    return (alias.path[0],) if isinstance(alias, pydantic.AliasPath) else (alias,)


# Marks. A type marked ``__foobara_sensitive__`` is hidden, and so is a field with such a mark in its
# annotation, whose value knows nothing of it. What is ``__foobara_masked__`` besides has text and JSON that
# may be shown.


def shown(value: Any) -> str:
    """Return ``repr(value)``; of what holds something marked sensitive, only where it is."""
    return _shown(value, 0)


def named(value: Any) -> str:
    """Return what a message calls *value* that should have been a class or a type: never its text."""
    if isinstance(value, type):
        return value.__name__
    if typing.get_origin(value) is not None:
        return str(value)
    name = getattr(value, "__name__", None)
    if isinstance(name, str) and callable(value):
        return name
    return kind_of(value)


def kind_of(value: Any) -> str:
    """Return the name of the class of *value* with its article, for messages: "a str", "an int"."""
    kind = type(value).__name__
    return f"{'an' if kind.lower().startswith(tuple('aeiou')) else 'a'} {kind}"


def _shown(value: Any, depth: int) -> str:
    if not holds_mark(value):
        return repr(value)
    kind = type(value)
    if depth < MAX_SHOWN:
        if kind is dict:
            parts = [
                f"{_shown(key, depth + 1)}: {_shown(part, depth + 1)}" for key, part in list(value.items())
            ]
            return f"{{{', '.join(parts)}}}"
        if kind is list or kind is tuple:
            inside = ", ".join([_shown(part, depth + 1) for part in list(value)])
            if kind is list:
                return f"[{inside}]"
            return f"({inside},)" if len(value) == 1 else f"({inside})"
    return HIDDEN if _hides(kind) else f"{kind.__qualname__}({HIDDEN})"


def _hides(kind: Any) -> bool:
    return _marked(kind) and not getattr(kind, "__foobara_masked__", False)


def _hides_or_writes_itself(kind: Any) -> bool:
    # Pydantic would write an error as a dataclass.
    return _hides(kind) or is_error(kind)


def holds_mark(value: Any, hides: Callable[[Any], bool] = _hides, in_errors: bool = False) -> bool:
    """Say whether JSON or repr of *value* would show something marked; also when nobody can tell.

    Of an error only with *in_errors*: it hides what is marked by itself.
    """
    try:
        return _holds_mark(value, hides, in_errors)
    except Exception:
        return True


def _holds_mark(value: Any, hides: Callable[[Any], bool], in_errors: bool) -> bool:
    seen: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind in _HARMLESS or id(part) in seen:
            continue
        seen[id(part)] = part
        if kind is dict:
            waiting += part
            waiting += part.values()
            continue
        if kind is list or kind is tuple:
            waiting += part
            continue
        if hides(kind):
            return True
        if isinstance(part, pydantic.BaseModel):
            for name, hide in _view(kind).items():
                if hide:
                    return True
                waiting.append(part.__dict__.get(name))
            waiting.extend((part.__pydantic_extra__ or {}).values())
        elif isinstance(part, Mapping):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set | frozenset | deque):
            if hasattr(kind, "_fields") and any(_view(kind).values()):
                return True
            waiting.extend(part)
        elif isinstance(part, Enum):
            waiting.append(part.value)
        elif in_errors and is_error(kind):
            waiting += part.context, part.cause
        elif by_fields(kind):
            if any(_view(kind).values()):
                return True
            waiting.extend(getattr(part, field.name, None) for field in dataclasses.fields(kind))
    return False


def _marked(mark: Any) -> bool:
    # what fails to answer may be a secret
    try:
        return bool(getattr(mark, "__foobara_sensitive__", False))
    except Exception:
        return True


# In the class itself, since a validator refers to its model: a table keyed by it weakly would keep it.
_VIEW_SLOT = "__foobara_accel_marks__"


def _view(cls: type) -> dict[str, bool]:
    """Return the fields of a model, dataclass or named tuple that may show something marked.

    True: the annotation has a mark; False: look at the value.
    """
    own = cls.__dict__
    kept = own.get(_VIEW_SLOT)
    # A model that is rebuilt has another validator; the kept one is held: no other takes its identity.
    validator = own.get("__pydantic_validator__")
    if kept is not None and kept[0] is validator:
        return kept[1]  # type: ignore[no-any-return]
    found = {
        name: verdict for name, hint in _hints(cls).items() if (verdict := _verdict(hint, {})) is not None
    }
    try:
        setattr(cls, _VIEW_SLOT, (validator, found))
    except (AttributeError, TypeError):  # a class that cannot be changed
        pass
    return found


def marked_defaults(cls: Any) -> set[str]:
    """Return the fields of a model or dataclass whose defaults show something marked."""
    declared = getattr(cls, "__pydantic_fields__", None) or {}
    found = {
        name
        for name, hide in _view(cls).items()
        if hide or (name in declared and holds_mark(declared[name].default))
    }
    # One that was not validated is not of the type that hides it.
    return found | {
        name for name, field in declared.items() if holds_plain(field.default) and is_secret(field)
    }


def holds_plain(data: Any) -> bool:
    """Say whether *data* is, or has in it, what hides nothing of itself: a text, bytes, a number."""
    if isinstance(data, list | tuple | set | frozenset):
        return any(map(holds_plain, data))
    if isinstance(data, dict):
        return any(map(holds_plain, (*data, *data.values())))
    return isinstance(data, str | bytes | int | float)


def _hints(cls: Any) -> dict[str, Any]:
    declared = cls.__dict__.get("__pydantic_fields__")
    if isinstance(declared, dict):
        return {name: _Marks(field.annotation, field.metadata) for name, field in declared.items()}
    try:
        hints = get_type_hints(cls, include_extras=True)
    except Exception:
        hints = _readable_hints(cls)
    if by_fields(cls):
        return {field.name: hints.get(field.name, Any) for field in dataclasses.fields(cls)}
    return {name: hints.get(name, Any) for name in getattr(cls, "_fields", hints)}


def _readable_hints(cls: type) -> dict[str, Any]:
    # A name that is imported for type checkers alone is no secret: what it names has to say so by its value.
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        known = vars(sys.modules.get(base.__module__, typing))
        for name, hint in getattr(base, "__annotations__", {}).items():
            holder: Any = SimpleNamespace(__annotations__={name: hint})
            try:
                found |= get_type_hints(holder, known, dict(vars(base)), include_extras=True)
            except Exception:
                found[name] = _UNREADABLE if "Annotated" in str(hint) else Any
    return found


class _Marks:
    __slots__ = ("__metadata__", "__origin__")

    def __init__(self, origin: Any, metadata: Iterable[Any]) -> None:
        self.__origin__ = origin
        self.__metadata__ = tuple(metadata)


class _Unreadable:
    __foobara_sensitive__ = True


_UNREADABLE = _Unreadable()


def _verdict(hint: Any, seen: dict[int, Any]) -> bool | None:
    """Judge an annotation: True has a mark, None can show none, False is known by the value alone."""
    if id(hint) not in seen:
        seen[id(hint)] = hint, None  # a type that holds itself adds nothing by that
        seen[id(hint)] = hint, _judged(hint, seen)
    return seen[id(hint)][1]  # type: ignore[no-any-return]


def _judged(hint: Any, seen: dict[int, Any]) -> bool | None:
    if hint is None or hint is Ellipsis or hint is NoneType:
        return None
    if _marked(hint):
        return None if getattr(hint, "__foobara_masked__", False) else True
    metadata = getattr(hint, "__metadata__", ())
    if any(_marked(mark) for mark in metadata):
        # The mark of a check of numbers says that they are sensitive, and leaves a masked type its mask.
        masks = getattr(hint.__origin__, "__foobara_masked__", False) and not any(map(_hides, metadata))
        return None if masks else True
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return None
    if metadata or isinstance(hint, _Marks):
        inner = _verdict(hint.__origin__, seen)
        # SerializeAsAny has pydantic-core ask the value instead of the type
        return False if inner is None and any(map(_asks_the_value, metadata)) else inner
    alias = getattr(hint, "__value__", getattr(hint, "__supertype__", None))
    if alias is not None:
        return _verdict(alias, seen)
    if origin in _CONTAINERS:
        return _worst(_verdict(part, seen) for part in typing.get_args(hint))
    if origin is None and isinstance(hint, type):
        return _verdict_on_class(hint, seen)
    return False


def _verdict_on_class(cls: Any, seen: dict[int, Any]) -> bool | None:
    if cls in _HARMLESS or issubclass(cls, _secrets()) or cls.__module__ in _HARMLESS_MODULES:
        return None
    if issubclass(cls, Enum):
        return None
    if issubclass(cls, dict) and hasattr(cls, "__total__"):
        return _worst(
            _verdict(part, seen) for part in _hints(cls).values()
        )  # its values are plain dicts: they know no mark
    if issubclass(cls, pydantic.BaseModel):
        config = cls.model_config
        if config.get("extra") == "allow" or config.get("polymorphic_serialization"):
            return False
    elif not by_fields(cls):
        return False
    inner = _worst(_verdict(part, seen) for part in _hints(cls).values())
    return None if inner is None else False


def _worst(verdicts: Iterable[bool | None]) -> bool | None:
    found = set(verdicts)
    return True if True in found else False if False in found else None


def _asks_the_value(mark: Any) -> bool:
    kind: Any = pydantic.SerializeAsAny  # for type checkers an Annotated
    return mark is kind or isinstance(mark, kind)


def _has_serializer(cls: Any, name: str) -> bool:
    if name not in cls.model_fields:
        return False
    for each in cls.__pydantic_decorators__.field_serializers.values():
        if name in each.info.fields or "*" in each.info.fields:
            return True
    field = cls.model_fields[name]
    return _has_writer(_Marks(field.annotation, field.metadata), {})


def _has_writer(hint: Any, seen: dict[int, Any]) -> bool:
    if id(hint) in seen:
        return False
    seen[id(hint)] = hint
    if isinstance(hint, pydantic.PlainSerializer | pydantic.WrapSerializer):
        return True
    parts = [getattr(hint, name, None) for name in _NESTED]
    for listed in _LISTED:
        parts.extend(_listed_in(hint, listed))
    return any(_has_writer(part, seen) for part in parts if part is not None)


_HARMLESS = frozenset({str, int, float, bool, complex, bytes, NoneType, date, datetime, time, timedelta})
_HARMLESS_MODULES = frozenset({"decimal", "uuid", "ipaddress", "pathlib", "pathlib._local", "fractions"})
_CONTAINERS = frozenset(
    {typing.Union, UnionType, list, tuple, set, frozenset, dict, deque, defaultdict, OrderedDict}
    | {
        abc.Sequence,
        abc.MutableSequence,
        abc.Mapping,
        abc.MutableMapping,
        abc.Set,
        abc.Iterable,
        abc.Collection,
    }
)


# Severity and text for people


def rank(error: Any) -> int:
    """Return how severe *error* is, 0 the mildest; a severity unknown to ErrorSeverity ranks below all."""
    severity = error.severity
    return _RANKS.get(severity.value if isinstance(severity, Enum) else severity, -1)


def sentence(messages: Sequence[str]) -> str:
    """Join messages as ``a``, ``a and b``, ``a, b and c``."""
    if len(messages) < 2:
        return "".join(messages)
    return f"{', '.join(messages[:-1])} and {messages[-1]}"


def human_readable(errors: Iterable[Any]) -> str:
    """List errors for a person: number, path, message, context and suggestion."""
    blocks: list[str] = []
    for number, error in enumerate(errors, 1):
        where = ".".join(map(piece, error.path)) or "general"
        lines = [f"{number}. [{where}] {piece(error.message)}"]
        context = error.context
        if context:
            pairs = context.items() if isinstance(context, Mapping) else [("value", context)]
            lines.append("   Context: {" + ", ".join(f"{_repr(k)}: {_repr(v)}" for k, v in pairs) + "}")
        if error.suggestion:
            lines.append(f"   Suggestion: {piece(error.suggestion)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(["Errors:", *blocks]) if blocks else "No errors"


def _repr(value: object) -> str:
    try:
        return shown(value)
    except Exception:
        return text(value)


def summary(errors: Sequence[Any]) -> dict[str, Any]:
    """Count errors: total, fatal and by category."""
    by_category: dict[Any, int] = {}
    for error in errors:
        by_category[error.category] = by_category.get(error.category, 0) + 1
    return {
        "total": len(errors),
        "fatal": sum(1 for error in errors if error.is_fatal),
        "by_category": by_category,
    }


# Problem details (RFC 9457)

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_STATUS_OF_SYMBOL = {
    **dict.fromkeys(
        ("not_authenticated", "authentication_failed", "token_expired", "invalid_token", "session_expired"),
        401,
    ),
    **dict.fromkeys(("not_allowed", "forbidden", "insufficient_permissions", "permission_denied"), 403),
    **dict.fromkeys(("not_found", "record_not_found", "file_not_found"), 404),
    **dict.fromkeys(
        ("already_exists", "record_not_unique", "stale_record", "invalid_state", "cannot_delete")
        + ("cannot_update", "deadlock", "file_already_exists"),
        409,
    ),
    "rate_limit_exceeded": 429,
    **dict.fromkeys(("execution_error", "transaction_error", "internal_error", "configuration_error"), 500),
    **dict.fromkeys(("external_service_error", "connection_failed", "api_error", "network_error"), 502),
    **dict.fromkeys(("service_unavailable", "resource_exhausted", "cancelled"), 503),
    "timeout": 504,
}
_STATUS_OF_CATEGORY = {
    **dict.fromkeys(("system", "infrastructure"), 500),
    **dict.fromkeys(("external", "network", "api"), 502),
    "authentication": 401,
    **dict.fromkeys(("auth", "authorization"), 403),
}


def status(error: Any) -> int:
    """Return the HTTP status for one error: by its symbol (not for data errors), else by its category."""
    category = text(error.category.value if isinstance(error.category, Enum) else error.category)
    if category in ("data", "validation", "input"):
        return 422
    return _STATUS_OF_SYMBOL.get(text(error.symbol)) or _STATUS_OF_CATEGORY.get(category, 422)


def pointer(path: Iterable[object]) -> str:
    """Return the RFC 6901 JSON pointer of *path*; an empty path is the whole document, ``""``."""
    return "".join("/" + piece(part).replace("~", "~0").replace("/", "~1") for part in path)


def problem(errors: Sequence[Any]) -> dict[str, Any] | None:
    """Return the RFC 9457 problem document for *errors*, None when there are none.

    Status: the highest 5xx, else 401, else 403, else that of the first error.
    """
    if not errors:
        return None
    statuses = [status(error) for error in errors]
    worst = max(statuses)
    code = worst if worst >= 500 else next((s for s in (401, 403) if s in statuses), statuses[0])
    detail = piece(errors[0].message)
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more)"
    help_url = errors[0].help_url if len(errors) == 1 else None
    return {
        "type": piece(help_url) if help_url else "about:blank",
        "title": _TITLES[code],
        "status": code,
        "detail": detail,
        "errors": [
            {"pointer": pointer(e.path), "symbol": piece(e.symbol), "detail": piece(e.message)}
            for e in errors
        ],
    }


# Validation errors


def validation_rows(error: Any, echo_inputs: bool, model: Any) -> list[tuple[str, tuple[str, ...], str, Any]]:
    """Return (symbol, path, message, context or None) per pydantic error, in pydantic's order.

    The context holds the offending input only when *echo_inputs* is set and *model* declares the field and
    neither its type nor the value is sensitive; without it pydantic's messages repeat nothing of it either.
    """
    if not isinstance(error, ValidationError):
        raise TypeError(
            f"errors_from_validation expects a pydantic ValidationError, not {type(error).__name__}"
        )
    rows: list[tuple[str, tuple[str, ...], str, Any]] = []
    contexts: list[dict[str, Any]] | None = None
    for row in error.errors(include_url=False, include_context=False, include_input=echo_inputs):
        loc = row["loc"]
        path = tuple([part if type(part) is str else str(part) for part in loc])
        if len(path) > 1:
            path = _without_keys(model, path)
        context = {"input": row["input"]} if echo_inputs and _may_echo(model, row) else None
        message = row["msg"]
        if context is None and _may_repeat(row["type"], message):
            if contexts is None:
                contexts = [
                    each.get("ctx", {}) for each in error.errors(include_url=False, include_input=False)
                ]
            message = _quiet(row["type"], message, contexts[len(rows)])
        rows.append((row["type"], path, message, context))
    return rows


def exception_text(error: BaseException) -> str:
    """Return the text of *error* as the message of an execution error; pydantic's own without the input."""
    try:
        return _text_without_input(error)
    except Exception:
        return f"{type(error).__name__} (its text cannot be read)"


def told_by(error: BaseException) -> str:
    """Return the text of *error*, pydantic's own without the input; never raises."""
    try:
        return str.__str__(_text_without_input(error))
    except Exception:
        return text(error)


# What the statement was given, as SQLAlchemy's errors end with it, up to a link. It may have lines of its
# own, and its line ends may be escaped by an exception that repeats it.
_SQL_PARAMETERS = r"\[parameters:.*?(?=(?:\\n|\n)\(Background|\Z)"


def _text_without_input(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return _listed(error)
    found = str(error)
    for each in _behind(error):
        if isinstance(each, ValidationError) and (theirs := str(each)) in found:
            found = found.replace(theirs, _listed(each))
    if "[parameters:" in found:
        found = re.sub(_SQL_PARAMETERS, "[parameters: hidden]", found, flags=re.S)
    return found


def _behind(error: BaseException) -> Iterable[BaseException]:
    # The exceptions that *error* was made of, whose texts it may repeat.
    seen: dict[int, BaseException] = {}
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen[id(each)] = each
            waiting += (each.__cause__, each.__context__)
            if isinstance(each.args, tuple):
                waiting += each.args
    return seen.values()


def _listed(error: ValidationError) -> str:
    rows = validation_rows(error, False, None)
    listed = "; ".join(f"{'.'.join(path)}: {message}" if path else message for _, path, message, _ in rows)
    count = f"{len(rows)} validation error{'' if len(rows) == 1 else 's'}"
    return f"{count} for {error.title}: {listed}"


class _Repeat:
    def __init__(self, template: str, told: str = "", detail: str = "", end: str = "") -> None:
        self.template = template
        self.told = told or template
        # Of this part of the context only what stands before *end* is told.
        self.detail, self.end = detail, end


_OF_TAGS = "found using {discriminator} does not match any of the expected tags: {expected_tags}"
# Pydantic's messages that repeat something of the input, by type. Of what an exception of the given object
# says, the exception's class is told.
_REPEATS = {
    "union_tag_invalid": _Repeat("Input tag '{tag}' " + _OF_TAGS, "Input tag " + _OF_TAGS),
    "zoneinfo_str": _Repeat("invalid timezone: {value}", "invalid timezone"),
    "import_error": _Repeat("Invalid python path: {error}", "Invalid python path"),
    "byte_size_unit": _Repeat("could not interpret byte unit: {unit}", "could not interpret byte unit"),
    "bytes_invalid_encoding": _Repeat(
        "Data should be valid {encoding}: {encoding_error}", "Data should be valid {encoding}"
    ),
    "timezone_offset": _Repeat(
        "Timezone offset of {tz_expected} required, got {tz_actual}",
        "Timezone offset of {tz_expected} required",
    ),
    "uuid_parsing": _Repeat("Input should be a valid UUID, {error}", detail="error", end="[:,] found `"),
    "get_attribute_error": _Repeat("Error extracting attribute: {error}", detail="error", end=": "),
    "iteration_error": _Repeat("Error iterating over object, error: {error}", detail="error", end=": "),
    "mapping_type": _Repeat("Input should be a valid mapping, error: {error}", detail="error", end=": "),
    "datetime_object_invalid": _Repeat("Invalid datetime object, got {error}", detail="error", end=": "),
    "value_error": _Repeat("value is not a valid email address: {reason}", detail="reason", end=r": | \("),
}


def _may_repeat(kind: str, message: str) -> bool:
    if kind != "value_error":
        return kind in _REPEATS
    return message.startswith(("value is not", "Value error, '"))


def _quiet(kind: str, message: str, context: dict[str, Any]) -> str:
    repeat = _REPEATS[kind]
    error = context.get("error")
    # What decodes an encoded text raises one; its words have characters of that.
    if isinstance(error, UnicodeError) and message == f"Value error, {error}":
        return "Value error, text that cannot be decoded"
    try:
        if repeat.template.format_map(context) != message:
            return message  # a validator's own words
        if repeat.detail:
            context[repeat.detail] = re.split(repeat.end, context[repeat.detail], maxsplit=1)[0]
        return repeat.told.format_map(context)
    except Exception:  # a validator's own context
        return message


def _without_keys(model: Any, path: tuple[str, ...]) -> tuple[str, ...]:
    # In a path stand the keys of mappings, and such a key may be what is to be hidden.
    if model is None:
        # Nothing tells what is a name there. A key that was refused is none, nor is what has many digits.
        shown = [HIDDEN if sum(map(str.isdigit, part)) > 5 else part for part in path]
        return (*shown[:-2], HIDDEN, path[-1]) if path[-1] == "[key]" else tuple(shown)
    names = {"[key]"}
    field = (getattr(model, "model_fields", None) or {}).get(path[0])
    hint = model if field is None else field.annotation
    if not _sensitive_keys(hint, names, {}):
        return path
    known = [part in names or (part.isdecimal() and len(part) < 6) for part in path[1:]]
    return (path[0], *[part if shown else HIDDEN for part, shown in zip(path[1:], known, strict=True)])


def _sensitive_keys(hint: Any, names: set[str], seen: dict[int, Any]) -> bool:
    """Say whether *hint* holds a mapping with sensitive keys; adds the fields of its models to *names*."""
    if id(hint) in seen:
        return False
    seen[id(hint)] = hint
    parts: list[Any] = [getattr(hint, name, None) for name in _NESTED]
    for name in _LISTED:
        parts.extend(_listed_in(hint, name))
    fields = getattr(hint, "model_fields", None)
    if isinstance(hint, type) and isinstance(fields, dict):
        for name, field in fields.items():
            names.update((name, *_aliases(field.validation_alias), *_aliases(field.alias)))
            parts.append(field.annotation)
    elif isinstance(hint, type):
        try:
            parts.extend(_items_of(hint))
            names.update(getattr(hint, "__annotations__", ()))
        except Exception:  # a name that is not known
            return True
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    found = isinstance(origin, type) and issubclass(origin, Mapping) and bool(arguments)
    found = found and _sensitive_type(arguments[0], {})
    # All parts are looked into, whatever is found: their names may be shown.
    return any([found, *[_sensitive_keys(part, names, seen) for part in parts if part is not None]])


def _may_echo(model: Any, row: Any) -> bool:
    loc = row["loc"]
    if model is None or row["type"] == "missing" or not loc:
        return False
    field = _field(model, loc[0])
    return field is not None and not _sensitive_type(field.annotation, {}) and not _sensitive(row["input"], 0)


def _field(model: Any, name: object) -> Any:
    fields = getattr(model, "model_fields", None) or {}
    field = fields.get(name)
    if field is not None:
        marks = [field.annotation, *field.metadata]
        return None if any(_marked(mark) for mark in marks) else field
    for field in fields.values():
        if name in (field.alias, field.validation_alias) and not any(_marked(m) for m in field.metadata):
            return field
    return None


def _sensitive_type(hint: Any, seen: dict[int, Any]) -> bool:
    # The annotation of a field, with everything nested in it: unions, containers, models. What was seen is
    # kept alive: a type made on the way must not take the place of a freed one, and be passed over with it.
    if id(hint) in seen:
        return False
    seen[id(hint)] = hint
    if _marked(hint):
        return True
    if isinstance(hint, type) and issubclass(hint, _secrets()):
        return True
    fields = getattr(hint, "model_fields", None)
    if isinstance(hint, type) and isinstance(fields, dict):
        return any(
            _sensitive_type(f.annotation, seen) or any(_marked(m) for m in f.metadata)
            for f in fields.values()
        )
    if isinstance(hint, type):
        try:
            return any(_sensitive_type(part, seen) for part in _items_of(hint))
        except Exception:  # a name that is not known
            return True
    parts = [getattr(hint, name, None) for name in _NESTED]
    for name in _LISTED:
        parts.extend(_listed_in(hint, name))
    return any(_sensitive_type(part, seen) for part in parts if part is not None)


# Of a generic alias, a ``type X = ...`` alias, a NewType and a TypeVar.
_NESTED = ("__origin__", "__value__", "__supertype__", "__bound__")
_LISTED = ("__args__", "__metadata__", "__constraints__")


def _listed_in(hint: Any, name: str) -> tuple[Any, ...]:
    # The classes of such hints have descriptors there.
    found = getattr(hint, name, ())
    return found if isinstance(found, tuple) else ()


def _items_of(cls: type) -> Iterable[Any]:
    # A model is asked for its fields; these are what else Pydantic looks into.
    if (
        by_fields(cls)
        or (issubclass(cls, dict) and hasattr(cls, "__total__"))
        or (issubclass(cls, tuple) and hasattr(cls, "_fields"))
    ):
        return get_type_hints(cls, include_extras=True).values()
    return ()


def _secrets() -> tuple[type, ...]:
    return (pydantic.Secret, pydantic.SecretStr, pydantic.SecretBytes)


def _sensitive(value: Any, depth: int) -> bool:
    if isinstance(value, _secrets()) or _marked(type(value)):
        return True
    if depth > 8:
        return True
    if isinstance(value, Mapping):
        return any(_sensitive(part, depth + 1) for pair in value.items() for part in pair)
    kind: Any = type(value)
    parts: Iterable[Any] = ()
    if isinstance(value, pydantic.BaseModel):
        parts = [*value.__dict__.values(), *(value.__pydantic_extra__ or {}).values()]
    elif by_fields(kind):
        parts = [getattr(value, field.name, None) for field in dataclasses.fields(kind)]
    elif isinstance(value, list | tuple | set | frozenset):
        if not hasattr(kind, "_fields"):
            return any(_sensitive(part, depth + 1) for part in value)
        parts = value
    else:
        return isinstance(value, Enum) and _sensitive(value.value, depth + 1)
    return _sensitive_type(kind, {}) or any(_sensitive(part, depth + 1) for part in parts)


# Subclasses

NO_OWN_DICT = object()
_asked: set[tuple[int, int]] = set()


def own_dict(error: Any, inherited: object) -> Any:
    """Return what the ``to_dict`` of a subclass says of *error*, or NO_OWN_DICT.

    There is none when the class has *inherited* it, and while it is being asked already: by a closed chain of
    causes.
    """
    if type(error).to_dict is inherited:
        return NO_OWN_DICT
    asking = get_ident(), id(error)
    if asking in _asked:
        return NO_OWN_DICT
    _asked.add(asking)
    try:
        return error.to_dict()
    finally:
        _asked.discard(asking)


def extras(value: object, base: type) -> dict[str, Any]:
    """Return what a subclass of *base* added to *value*: its ``__dict__`` and its own slots."""
    kind = type(value)
    if kind is base:
        return {}
    found: dict[str, Any] = dict(getattr(value, "__dict__", ()))
    own = set(copyreg._slotnames(base))  # type: ignore[attr-defined]
    for name in copyreg._slotnames(kind):  # type: ignore[attr-defined]
        if name not in own and hasattr(value, name):
            found[name] = getattr(value, name)
    return found


def set_extras(value: object, found: Mapping[str, Any]) -> None:
    """Put back what :func:`extras` returned."""
    for name, part in found.items():
        object.__setattr__(value, name, part)


# Errors as dataclasses

# Nothing reads more of it than this; ``repr`` False: an error shows itself.
ERROR_PARAMS = SimpleNamespace(
    init=True,
    repr=False,
    eq=True,
    order=False,
    unsafe_hash=False,
    frozen=False,
    match_args=True,
    kw_only=False,
    slots=False,
    weakref_slot=False,
)


class ErrorFields:
    """The ``__dataclass_fields__`` of the error class: made when someone asks, as hardly any program does."""

    def __get__(self, error: object, owner: type) -> dict[str, dataclasses.Field[Any]]:
        return _error_fields()


@functools.cache
def _error_fields() -> dict[str, dataclasses.Field[Any]]:
    def quiet(**default: Any) -> Any:
        return dataclasses.field(repr=False, **default)  # for a __repr__ that the decorator wrote after all

    made: Any = dataclasses.make_dataclass(
        "FoobaraError",
        [
            ("category", str, quiet(default="data")),
            ("symbol", str, quiet(default="")),
            ("path", tuple[str, ...], quiet(default=())),
            ("message", str, quiet(default="")),
            ("context", dict[str, Any], quiet(default_factory=dict)),
            ("runtime_path", tuple[str, ...], quiet(default=())),
            ("is_fatal", bool, quiet(default=False)),
            ("severity", ErrorSeverity, quiet(default=ErrorSeverity.ERROR)),
            ("suggestion", str | None, quiet(default=None)),
            ("help_url", str | None, quiet(default=None)),
            ("cause", Any, quiet(default=None)),
            ("stack_trace", str | None, quiet(default=None)),
        ],
    )
    fields: dict[str, dataclasses.Field[Any]] = made.__dataclass_fields__
    return fields


def keep_text(cls: Any, base: Any) -> None:
    """Have *cls*, derived from the error class *base*, keep the ``__repr__`` of *base* when it inherits that.

    Only what a class has itself is kept by ``@dataclass``, whose own ``__repr__`` shows what is marked.
    """
    ours = base.__repr__
    if "__repr__" in vars(cls):
        return
    for each in cls.__mro__:
        found = vars(each).get("__repr__", ours)
        if found is not ours:  # somebody's own, maybe behind one that was put here
            if cls.__repr__ is ours:
                cls.__repr__ = found
            return
        if each is base:
            cls.__repr__ = ours
            return


def error_text(error: Any) -> str:
    """Return the repr of *error*: its twelve fields and those that a dataclass derived from it adds."""
    kind = type(error)
    usual = _error_fields()
    names: Iterable[str] = usual
    hidden: Mapping[str, bool] = {}
    if kind.__dataclass_fields__ is not usual:
        names = [
            field.name for field in dataclasses.fields(kind) if field.repr or usual.get(field.name) is field
        ]
        hidden = _view(kind)
    parts = [f"{name}={HIDDEN if hidden.get(name) else _part_text(getattr(error, name))}" for name in names]
    return f"{kind.__qualname__}({', '.join(parts)})"


def _part_text(value: Any) -> str:
    return repr(value) if is_error(type(value)) else shown(value)


def is_error(kind: type) -> bool:
    """Say whether *kind* is the error class of a twin, or derived from it."""
    return hasattr(kind, "__foobara_error__")


def by_fields(kind: type) -> bool:
    """Say whether *kind* is a dataclass, and no error: an error knows what of it is written."""
    return dataclasses.is_dataclass(kind) and not is_error(kind)


def replaced(error: Any, changes: Mapping[str, Any]) -> Any:
    """Set the fields in *changes* on *error* and return it; TypeError for what is no field."""
    names = type(error).__dataclass_fields__
    for name, value in changes.items():
        if name not in names:
            raise TypeError(f"{type(error).__name__} has no field {name!r}; it has {', '.join(names)}")
        setattr(error, name, value)
    return error


# Typed outcomes


class OutcomeAlias(GenericAlias):
    """``CommandOutcome[T]``: an outcome made through it has its result validated as a T, None excepted."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        made: Any = super().__call__  # type: ignore[misc]
        return _validated(self, made(*args, **kwargs))

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name != "from_result":
            return found
        return lambda *args, **kwargs: _validated(self, found(*args, **kwargs))

    def __getitem__(self, items: Any) -> Any:
        origin: Any = self.__origin__
        return OutcomeAlias(origin, super().__getitem__(items).__args__)

    def __reduce__(self) -> Any:
        return OutcomeAlias, (self.__origin__, self.__args__)


def _validated(alias: Any, outcome: Any) -> Any:
    if outcome.is_failure() or outcome.result is None:
        return outcome
    try:
        validator = _outcome_validator(alias)
    except TypeError:  # arguments that do not hash
        validator = _outcome_validator.__wrapped__(alias)
    return validator.validate_python(outcome)


@functools.lru_cache(maxsize=256)
def _outcome_validator(alias: Any) -> Any:
    # A class that Pydantic knows nothing of is what isinstance says.
    try:
        title = repr(alias).removeprefix(f"{alias.__origin__.__module__}.")
        return pydantic.TypeAdapter(alias, config={"arbitrary_types_allowed": True, "title": title})
    except pydantic.PydanticUserError:
        raise  # says what to do
    except Exception as error:
        given = ", ".join(map(named, alias.__args__))
        raise TypeError(f"CommandOutcome[...] takes the type of a result, given {given}") from error


# Pydantic fields


def _error_shape() -> core_schema.CoreSchema:
    field = core_schema.typed_dict_field
    words = core_schema.list_schema(
        core_schema.union_schema([core_schema.str_schema(), core_schema.int_schema()])
    )
    maybe = core_schema.nullable_schema(core_schema.str_schema())
    optional = {
        "key": core_schema.str_schema(),
        "path": words,
        "runtime_path": words,
        "context": core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema()),
        "is_fatal": core_schema.bool_schema(),
        "severity": core_schema.literal_schema([s.value for s in ErrorSeverity]),
        "suggestion": maybe,
        "help_url": maybe,
        "cause": core_schema.any_schema(),
    }
    return core_schema.typed_dict_schema(
        {
            "category": field(core_schema.str_schema()),
            "symbol": field(core_schema.str_schema()),
            "message": field(core_schema.str_schema()),
            **{name: field(schema, required=False) for name, schema in optional.items()},
        }
    )


def error_schema(cls: Any) -> Any:
    """Return the pydantic schema of an error: an instance, or the dict ``to_dict`` makes."""
    shape = _error_shape()

    def parse(data: dict[str, Any]) -> Any:
        try:
            return cls.from_dict(data)
        except (AttributeError, TypeError) as error:
            raise ValueError(f"not an error: {error}") from error

    def dump(error: Any, info: Any) -> Any:
        import json

        # a context may hold what JSON lacks
        return json.loads(error.to_json_bytes()) if info.mode == "json" else error.to_dict()

    # What is written keeps to no shape, a subclass may have a to_dict of its own; the JSON schema has one.
    written = {**shape, "serialization": core_schema.simple_ser_schema("any")}
    return _instance_or(cls, core_schema.no_info_after_validator_function(parse, shape), dump, written)


def collection_schema(cls: Any, error: Any, from_list: Callable[[list[Any]], Any]) -> Any:
    """Return the pydantic schema of a collection: an instance, or a list of errors."""
    shape = core_schema.list_schema(error)

    def dump(collection: Any, info: Any) -> Any:
        return collection.all()

    return _instance_or(cls, core_schema.no_info_after_validator_function(from_list, shape), dump, shape)


def _instance_or(cls: Any, parsed: Any, dump: Callable[[Any, Any], Any], shape: Any) -> Any:
    instance = core_schema.is_instance_schema(cls)
    return core_schema.json_or_python_schema(
        json_schema=parsed,
        python_schema=core_schema.union_schema([instance, parsed], mode="left_to_right"),
        serialization=core_schema.plain_serializer_function_ser_schema(
            dump, info_arg=True, return_schema=shape
        ),
    )


def outcome_schema(cls: Any, result: Any, error: Any, build: Callable[[Any, dict[str, Any]], Any]) -> Any:
    """Return the pydantic schema of an outcome: an instance, or what ``to_dict`` makes; result validated."""
    field = core_schema.typed_dict_field
    metadata = core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
    untyped = result["type"] == "any"
    shape = core_schema.typed_dict_schema(
        {
            "success": field(core_schema.bool_schema()),
            "result": field(result, required=False),
            "errors": field(core_schema.list_schema(error), required=False),
            "metadata": field(metadata, required=False),
        }
    )

    def validate(value: Any, handler: Callable[[Any], dict[str, Any]]) -> Any:
        if not isinstance(value, cls):
            return build(cls, handler(value))
        if value.is_failure():
            return value
        before = value.result
        after = handler({"success": True, "result": before})["result"]
        return value if after is before else cls(result=after, metadata=value.metadata)

    def dump(value: Any, info: Any) -> dict[str, Any]:
        found = {"success": True, "result": value.result, "metadata": value.metadata}
        if value.is_failure():
            found = {"success": False, "errors": value.errors, "metadata": value.metadata}
        if info.mode == "json":
            # A declared type writes its result; what has none is written as to_json_bytes does.
            for name in ("result", "metadata"):
                if name in found and (name == "metadata" or untyped) and holds_mark(found[name]):
                    found[name] = _plain(cls, found[name])
        return found

    return core_schema.no_info_wrap_validator_function(
        validate,
        shape,
        serialization=core_schema.plain_serializer_function_ser_schema(
            dump, info_arg=True, return_schema=shape
        ),
    )


def _plain(cls: Any, value: Any) -> Any:
    import json

    return json.loads(cls(result=value).to_json_bytes())["result"]
