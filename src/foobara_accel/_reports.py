"""What errors tell the outside, once for both twins: JSON forms of any value, problem documents, text.

A leaf like ``_vocabulary``: it knows errors only by their attributes and imports neither twin.
"""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from types import GenericAlias
from typing import Any, get_type_hints

import pydantic  # its names are looked up when used: BaseModel and SecretStr load most of it
from pydantic_core import ValidationError, core_schema

from ._vocabulary import ErrorSeverity

CIRCULAR = "<circular>"
TOO_DEEP = "<too deep>"
HIDDEN = "**********"
MAX_DEPTH = 100

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


def key_text(key: object) -> str:
    """Return the JSON object key for a dict key, as :mod:`json` spells the scalars."""
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
        return text(value)


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
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return text(value)


def _model(value: pydantic.BaseModel) -> Any:
    try:
        return value.__pydantic_serializer__.to_json(value)
    except Exception:
        fields = type(value).model_fields
        return {
            name: HIDDEN if _secret(field) else getattr(value, name)
            for name, field in fields.items()
            if not field.exclude
        }


def _secret(field: Any) -> bool:
    # a mark in the annotation tells nothing to the value, which may be a plain str
    return any(map(_marked, field.metadata)) or _sensitive_type(field.annotation, {})


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
        where = ".".join(map(text, error.path)) or "general"
        lines = [f"{number}. [{where}] {text(error.message)}"]
        context = error.context
        if context:
            pairs = context.items() if isinstance(context, Mapping) else [("value", context)]
            lines.append("   Context: " + ", ".join(f"{key_text(k)}={_repr(v)}" for k, v in pairs))
        if error.suggestion:
            lines.append(f"   Suggestion: {text(error.suggestion)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(["Errors:", *blocks]) if blocks else "No errors"


def _repr(value: object) -> str:
    try:
        return repr(value)
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
    return "".join("/" + text(part).replace("~", "~0").replace("/", "~1") for part in path)


def problem(errors: Sequence[Any]) -> dict[str, Any] | None:
    """Return the RFC 9457 problem document for *errors*, None when there are none.

    Status: the highest 5xx, else 401, else 403, else that of the first error.
    """
    if not errors:
        return None
    statuses = [status(error) for error in errors]
    worst = max(statuses)
    code = worst if worst >= 500 else next((s for s in (401, 403) if s in statuses), statuses[0])
    detail = text(errors[0].message)
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more)"
    help_url = errors[0].help_url if len(errors) == 1 else None
    return {
        "type": text(help_url) if help_url else "about:blank",
        "title": _TITLES[code],
        "status": code,
        "detail": detail,
        "errors": [
            {"pointer": pointer(e.path), "symbol": text(e.symbol), "detail": text(e.message)} for e in errors
        ],
    }


# Validation errors


def validation_rows(error: Any, echo_inputs: bool, model: Any) -> list[tuple[str, tuple[str, ...], str, Any]]:
    """Return (symbol, path, message, context or None) per pydantic error, in pydantic's order.

    The context holds the offending input only when *echo_inputs* is set and *model* declares the field and
    neither its type nor the value is sensitive; without it the message names no tag of a union either.
    """
    if not isinstance(error, ValidationError):
        raise TypeError(
            f"errors_from_validation expects a pydantic ValidationError, not {type(error).__name__}"
        )
    rows: list[tuple[str, tuple[str, ...], str, Any]] = []
    for row in error.errors(include_url=False, include_context=False, include_input=echo_inputs):
        loc = row["loc"]
        path = tuple([part if type(part) is str else str(part) for part in loc])
        context = {"input": row["input"]} if echo_inputs and _may_echo(model, row) else None
        message = row["msg"]
        if context is None and row["type"] == "union_tag_invalid":
            message = _without_tag(message, error, len(rows))
        rows.append((row["type"], path, message, context))
    return rows


def exception_text(error: Exception) -> str:
    """Return the text of *error* as the message of an execution error; pydantic's own without the input."""
    try:
        if not isinstance(error, ValidationError):
            return str(error)
        rows = validation_rows(error, False, None)
        listed = "; ".join(
            f"{'.'.join(path)}: {message}" if path else message for _, path, message, _ in rows
        )
        count = f"{len(rows)} validation error{'' if len(rows) == 1 else 's'}"
        return f"{count} for {error.title}: {listed}"
    except Exception:
        return f"{type(error).__name__} (its text cannot be read)"


def _without_tag(message: str, error: ValidationError, place: int) -> str:
    # the one message of pydantic-core that repeats a value of the input
    context = error.errors(include_url=False, include_input=False)[place].get("ctx", {})
    start = f"Input tag '{context.get('tag')}' found"
    return f"Input tag found{message[len(start) :]}" if message.startswith(start) else message


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


def _marked(mark: Any) -> bool:
    # what fails to answer may be a secret
    try:
        return bool(getattr(mark, "__foobara_sensitive__", False))
    except Exception:
        return True


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
        parts.extend(getattr(hint, name, ()))
    return any(_sensitive_type(part, seen) for part in parts if part is not None)


# Of a generic alias, a ``type X = ...`` alias, a NewType and a TypeVar.
_NESTED = ("__origin__", "__value__", "__supertype__", "__bound__")
_LISTED = ("__args__", "__metadata__", "__constraints__")


def _items_of(cls: type) -> Iterable[Any]:
    # A model is asked for its fields; these are what else Pydantic looks into.
    if (
        dataclasses.is_dataclass(cls)
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
        return any(_sensitive(part, depth + 1) for part in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return any(_sensitive(part, depth + 1) for part in value)
    return False


# Subclasses


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


# Typed outcomes


class OutcomeAlias(GenericAlias):
    """``CommandOutcome[T]``: an outcome made through it has its result validated as a T, None excepted."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
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
    return pydantic.TypeAdapter(alias, config={"arbitrary_types_allowed": True})


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

    return _instance_or(cls, core_schema.no_info_after_validator_function(parse, shape), dump, shape)


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

    def dump(value: Any) -> dict[str, Any]:
        if value.is_failure():
            return {"success": False, "errors": value.errors, "metadata": value.metadata}
        return {"success": True, "result": value.result, "metadata": value.metadata}

    return core_schema.no_info_wrap_validator_function(
        validate,
        shape,
        serialization=core_schema.plain_serializer_function_ser_schema(dump, return_schema=shape),
    )
