"""FoobaraError, ErrorCollection and CommandOutcome in Python. Twin of ``ext/errors.pyx``.

1. Storage: an error is six fields and, once one of the six others is not what it nearly always is, an object
   with those; its key, its context dict and its JSON are made when someone asks.
2. A collection may hold a pydantic ValidationError, or rows, that nobody has looked at, and converts then.
3. An outcome of a command holds the command's own collection and copies its list at the first look.
4. JSON is built as str and encoded once; an error of the usual types takes one f-string, and one look at all
   the text that went into these tells whether a character needed an escape.
"""

from __future__ import annotations

import importlib
from _thread import RLock
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from copy import deepcopy
from dataclasses import Field
from functools import partial
from math import isfinite
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Never, Self, TypeVar, cast, get_args

from .. import _reports
from .._vocabulary import ErrorSeverity

try:
    from _json import encode_basestring as quote  # json.encoder's own, without the decoder's patterns
except ImportError:
    from json.encoder import encode_basestring as quote

__all__ = [
    "CommandOutcome",
    "ErrorCollection",
    "FoobaraError",
    "append_new",
    "deferred_collection",
    "errors_from_validation",
    "fail",
    "make_error",
    "new_collection",
    "succeed",
]

ResultT = TypeVar("ResultT", covariant=True)
OtherT = TypeVar("OtherT")
ErrorT = TypeVar("ErrorT", bound="FoobaraError")
OutcomeT = TypeVar("OutcomeT", bound="CommandOutcome[Any]")

ERROR = ErrorSeverity.ERROR
WARNING = ErrorSeverity.WARNING
CRITICAL = ErrorSeverity.CRITICAL
FATAL = ErrorSeverity.FATAL
SPECIAL = bytes(range(32)) + b'"\\'  # what JSON text may not contain as it is
EMPTY: tuple[str, ...] = ()
MOST_HEADS = 1024  # kept of each kind: a command may make up symbols
FEW = 4  # errors from which on usual_json is worth its tables
LONG = 2500  # bytes from which on a search per character of SPECIAL beats one look at every byte
CLOSE = '},"is_fatal":false,"severity":"error"}'  # what follows the context of a usual error
SKIPPED = len(f'","context":{{{CLOSE},')  # what stands before an error that follows another
PARTS = 6  # pieces of text per error in usual_json
MANY = 16  # errors in a collection before it finds them by identity

new = object.__new__
piece = _reports.piece
key_text = _reports.key_text
int_text = _reports.int_text
simplify = _reports.simplify
shown = _reports.shown
rank = _reports.rank


# Fields


def as_path(value: Any, name: str) -> Any:
    # tuples and strings are kept; lists and other iterables become tuples
    if type(value) is tuple or isinstance(value, tuple | str):
        return value
    if value is None:
        return ()
    # bytes would become numbers, a dict would lose its values and a set has no order
    if isinstance(value, bytes | bytearray | Mapping | Set):
        raise TypeError(f"{name} must be a tuple or list of names, not {type(value).__name__}")
    try:
        return tuple(value)
    except TypeError:
        raise TypeError(f"{name} must be a tuple or list of names, not {type(value).__name__}") from None


def as_context(value: Any) -> Any:
    # dicts are kept, also those of a subclass; other mappings are copied
    if value is None or type(value) is dict or isinstance(value, dict):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"context must be a dict or another mapping, not {type(value).__name__}")


def as_metadata(value: Any) -> dict[str, Any] | None:
    # always a copy
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"metadata must be a dict or another mapping, not {type(value).__name__}")
    return dict(value)


def part(value: object) -> str:
    # one piece of a key, as a str
    return value if type(value) is str else piece(value)


def _restore_error(
    cls: type[FoobaraError] | None, fields: tuple[Any, ...], extras: dict[str, Any]
) -> FoobaraError:
    # by public attributes: the class of a pickle may be a subclass of the other twin's error
    if cls is None:
        cls = FoobaraError
    error = cls.__new__(cls)
    error._rare = None
    if isinstance(error, FoobaraError):  # the setters may be the subclass's own
        error._path = as_path(fields[2], "path")
        error._context = as_context(fields[4])
        error._runtime_path = as_path(fields[5], "runtime_path")
    (
        error.category,
        error.symbol,
        error.path,
        error.message,
        error.context,
        error.runtime_path,
        error.is_fatal,
        severity,
        error.suggestion,
        error.help_url,
        error.cause,
        error.stack_trace,
    ) = fields
    error.severity = ErrorSeverity(severity[0]) if type(severity) is tuple else severity
    _reports.set_extras(error, extras)
    return error


class Rare:
    """The fields of an error that hardly any error sets."""

    __slots__ = ("cause", "help_url", "is_fatal", "severity", "stack_trace", "suggestion")

    is_fatal: Any
    severity: Any
    suggestion: Any
    help_url: Any
    cause: Any
    stack_trace: Any

    def __init__(
        self,
        is_fatal: Any,
        severity: Any,
        suggestion: Any,
        help_url: Any,
        cause: Any,
        stack_trace: Any,
    ) -> None:
        self.is_fatal = is_fatal
        self.severity = severity
        self.suggestion = suggestion
        self.help_url = help_url
        self.cause = cause
        self.stack_trace = stack_trace


def rare_field(name: str, default: Any, doc: str) -> Any:
    # an attribute that is kept in the error's Rare
    def get(error: FoobaraError) -> Any:
        held = error._rare
        return default if held is None else getattr(held, name)

    def put(error: FoobaraError, value: Any) -> None:
        with making:  # of two threads that each set a field, one makes the object
            held = getattr(error, "_rare", None)  # unset in an object that was made by __new__ alone
            if held is None:
                error._rare = held = None if value is default else Rare(False, ERROR, None, None, None, None)
            if held is not None:
                setattr(held, name, value)

    return property(get, put, doc=doc)


def rare(
    is_fatal: Any, severity: Any, suggestion: Any, help_url: Any, cause: Any, stack_trace: Any
) -> Rare | None:
    # None when each is what it nearly always is
    if (
        is_fatal is False
        and severity is ERROR
        and suggestion is None
        and help_url is None
        and cause is None
        and stack_trace is None
    ):
        return None
    return Rare(is_fatal, severity, suggestion, help_url, cause, stack_trace)


making = RLock()  # held while an object keeps what a first look made, for as long as that takes


class FoobaraError:
    """One error of a command: where (path, runtime path), what (category, symbol, message) and how bad."""

    __module__ = "foobara_accel.core.errors"
    __hash__: ClassVar[None] = None  # type: ignore[assignment]
    __match_args__ = (
        "category",
        "symbol",
        "path",
        "message",
        "context",
        "runtime_path",
        "is_fatal",
        "severity",
        "suggestion",
        "help_url",
        "cause",
        "stack_trace",
    )
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]] = _reports.ErrorFields()  # type: ignore[assignment]
    __dataclass_params__: ClassVar[Any] = _reports.ERROR_PARAMS
    __foobara_error__: ClassVar[bool] = True

    _path: tuple[str, ...]
    _runtime_path: tuple[str, ...]
    _context: dict[str, Any] | None
    _rare: Rare | None
    category: Any
    symbol: Any
    message: Any
    if TYPE_CHECKING:
        # Plain, as a subclass may put a plain value in place of one; without slots, which have none of them.
        is_fatal: bool
        severity: ErrorSeverity
        suggestion: str | None
        help_url: str | None
        cause: Any
        stack_trace: str | None
    else:
        __slots__ = (
            "__weakref__",
            "_context",
            "_path",
            "_rare",
            "_runtime_path",
            "category",
            "message",
            "symbol",
        )
        is_fatal = rare_field("is_fatal", False, "Whether the command could not go on.")
        severity = rare_field("severity", ERROR, "How bad it is.")
        suggestion = rare_field("suggestion", None, "What the caller may do about it, or None.")
        help_url = rare_field("help_url", None, "Where to read more, or None.")
        cause = rare_field("cause", None, "The error behind this one, or None.")
        stack_trace = rare_field("stack_trace", None, "The stack trace as text, or None.")

    def __init__(
        self,
        category: str = "data",
        symbol: str = "",
        path: Iterable[Any] | None = (),
        message: str = "",
        context: Mapping[str, Any] | None = None,
        runtime_path: Iterable[Any] | None = (),
        is_fatal: bool = False,
        severity: ErrorSeverity = ERROR,
        suggestion: str | None = None,
        help_url: str | None = None,
        cause: FoobaraError | None = None,
        stack_trace: str | None = None,
    ) -> None:
        self.category = category
        self.symbol = symbol
        self._path = as_path(path, "path")
        self.message = message
        self._context = None if context is None else as_context(context)
        self._runtime_path = as_path(runtime_path, "runtime_path")
        self._rare = rare(is_fatal, severity, suggestion, help_url, cause, stack_trace)

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        _reports.keep_text(cls, FoobaraError)
        if not hasattr(cls, "__getattr__"):
            cls.__getattr__ = unset_field  # type: ignore[attr-defined]

    @property
    def path(self) -> tuple[str, ...]:
        """Where in the inputs: a tuple of names; a str is kept as it was given."""
        return self._path

    @path.setter
    def path(self, value: Iterable[Any] | None) -> None:
        self._path = as_path(value, "path")

    @property
    def runtime_path(self) -> tuple[str, ...]:
        """The symbols of the commands around the one that failed, outermost first."""
        return self._runtime_path

    @runtime_path.setter
    def runtime_path(self, value: Iterable[Any] | None) -> None:
        self._runtime_path = as_path(value, "runtime_path")

    @property
    def context(self) -> dict[str, Any]:
        """Details of the error; the dict is created at the first look."""
        found = self._context
        return first_context(self) if found is None else found

    @context.setter
    def context(self, value: Mapping[str, Any] | None) -> None:
        self._context = as_context(value)

    # Factories

    @classmethod
    def data_error(
        cls, /, symbol: str, path: Iterable[Any], message: str, suggestion: str | None = None, **context: Any
    ) -> Self:
        """An input that is wrong; ``severity`` and ``is_fatal`` go by name, other names are context."""
        return build(cls, "data", symbol, path, message, suggestion, None, context)

    @classmethod
    def validation_error(
        cls, /, symbol: str, path: Iterable[Any], message: str, suggestion: str | None = None, **context: Any
    ) -> Self:
        """The same as :meth:`data_error`."""
        return build(cls, "data", symbol, path, message, suggestion, None, context)

    @classmethod
    def runtime_error(
        cls,
        /,
        symbol: str,
        message: str,
        is_fatal: bool = False,
        suggestion: str | None = None,
        **context: Any,
    ) -> Self:
        """Something that went wrong while running; critical when fatal."""
        context["is_fatal"] = is_fatal
        refuse_severity(context)
        return build(
            cls, "runtime", symbol, (), message, suggestion, CRITICAL if is_fatal else ERROR, context
        )

    @classmethod
    def domain_error(
        cls,
        /,
        symbol: str,
        message: str,
        path: Iterable[Any] = (),
        suggestion: str | None = None,
        **context: Any,
    ) -> Self:
        """A rule of the domain that does not hold."""
        return build(cls, "domain", symbol, path, message, suggestion, None, context)

    @classmethod
    def system_error(
        cls,
        /,
        symbol: str,
        message: str,
        is_fatal: bool = True,
        suggestion: str | None = None,
        **context: Any,
    ) -> Self:
        """A failure of the system itself: fatal, or critical when *is_fatal* is False."""
        context["is_fatal"] = is_fatal
        refuse_severity(context)
        return build(cls, "system", symbol, (), message, suggestion, FATAL if is_fatal else CRITICAL, context)

    @classmethod
    def auth_error(cls, /, symbol: str, message: str, suggestion: str | None = None, **context: Any) -> Self:
        """A caller who is not known, or not allowed to do this."""
        return build(cls, "auth", symbol, (), message, suggestion, None, context)

    @classmethod
    def external_error(
        cls,
        /,
        symbol: str,
        message: str,
        service: str | None = None,
        suggestion: str | None = None,
        **context: Any,
    ) -> Self:
        """A failure of another service, whose name goes to ``context["service"]``; a warning."""
        refuse_severity(context)
        if service:
            context["service"] = service
        return build(cls, "external", symbol, (), message, suggestion, WARNING, context)

    @classmethod
    def from_exception(
        cls, exception: BaseException, symbol: str = "exception", category: str = "runtime"
    ) -> Self:
        """Describe an exception: its text (Pydantic's without input), its type and module in the context."""
        kind = type(exception)
        context = {"exception_type": kind.__name__, "exception_module": kind.__module__}
        return cls(category=category, symbol=symbol, message=_reports.told_by(exception), context=context)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build an error from what :meth:`to_dict` returned; TypeError for anything but a mapping."""
        if not isinstance(data, Mapping):
            raise TypeError(f"from_dict takes a dict as to_dict returns, not {type(data).__name__}")
        severity = data.get("severity", ERROR)
        cause = data.get("cause")
        return cls(
            category=data.get("category", "data"),
            symbol=data.get("symbol", ""),
            path=data.get("path", ()),
            message=data.get("message", ""),
            context=dict(as_context(data.get("context")) or {}),
            runtime_path=data.get("runtime_path", ()),
            is_fatal=data.get("is_fatal", False),
            severity=severity if isinstance(severity, ErrorSeverity) else ErrorSeverity(severity),
            suggestion=data.get("suggestion"),
            help_url=data.get("help_url"),
            cause=FoobaraError.from_dict(cause) if isinstance(cause, dict) else cause,
        )

    # Derived

    def key(self) -> str:
        """Return ``outer>inner>category.path.symbol`` of the present fields; an empty path is ``root``."""
        if type(self) is FoobaraError:
            names, outer = self._path, self._runtime_path
        else:
            names, outer = where(self)
        path = ".".join([part(p) for p in names]) if names else "root"
        tail = ".".join([part(self.category), path, part(self.symbol)])
        if not outer:
            return tail
        return ">".join([part(p) for p in outer]) + ">" + tail

    @property
    def error_code(self) -> str:
        """``category.path.symbol``; an empty path adds nothing."""
        return ".".join([part(self.category), *[part(p) for p in path_of(self)], part(self.symbol)])

    def with_runtime_path_prefix(self, *prefix: str) -> Self:
        """Return a copy with *prefix* in front of the runtime path; the context dict is shared."""
        copy = clone(self, True)
        if type(copy) is FoobaraError:
            copy._runtime_path = prefix + tuple(self._runtime_path)
        else:
            copy.runtime_path = prefix + tuple(outer_of(self))
        return copy

    def with_path_prefix(self, *prefix: str) -> Self:
        """Return a copy with *prefix* in front of the path; the context dict is shared."""
        copy = clone(self, True)
        if type(copy) is FoobaraError:
            copy._path = prefix + tuple(self._path)
        else:
            copy.path = prefix + tuple(path_of(self))
        return copy

    def with_cause(self, cause: FoobaraError | None) -> Self:
        """Return a copy whose cause is *cause*; the context dict is shared."""
        copy = clone(self, True)
        copy.cause = cause
        return copy

    def with_suggestion(self, suggestion: str | None) -> Self:
        """Return a copy with this suggestion; the context dict is shared."""
        copy = clone(self, True)
        copy.suggestion = suggestion
        return copy

    def with_help_url(self, help_url: str | None) -> Self:
        """Return a copy with this help URL; the context dict is shared."""
        copy = clone(self, True)
        copy.help_url = help_url
        return copy

    def get_error_chain(self) -> list[FoobaraError]:
        """Return this error, its cause, the cause's cause and so on; a cycle ends the list."""
        chain: list[FoobaraError] = [self]
        seen = {id(self)}
        cause = self.cause
        while isinstance(cause, FoobaraError) and id(cause) not in seen:
            seen.add(id(cause))
            chain.append(cause)
            cause = cause.cause
        return chain

    def get_root_cause(self) -> FoobaraError:
        """Return the last error of :meth:`get_error_chain`."""
        return self.get_error_chain()[-1]

    # Output

    def to_dict(self) -> dict[str, Any]:
        """Return a dict: optional members only when set, the context dict itself, no stack trace."""
        return error_dict(self)

    def to_json_bytes(self) -> bytes:
        """Return :meth:`to_dict` as compact UTF-8 JSON; values JSON lacks are converted."""
        return encode(errors_json((self,), []))

    def to_problem(self) -> dict[str, Any]:
        """Return the RFC 9457 problem document of this one error."""
        return cast(dict[str, Any], _reports.problem([self]))

    # Protocols

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return same_error(self, other)

    @recursive_repr("...")
    def __repr__(self) -> str:
        return _reports.error_text(self)

    def __copy__(self) -> Self:
        return clone(self, True)

    def __replace__(self, /, **changes: Any) -> Self:
        return cast(Self, _reports.replaced(clone(self, True), changes))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = clone(self, False)
        memo[id(self)] = copy
        copy._path = deepcopy(self._path, memo)
        copy._context = deepcopy(self._context, memo)
        copy._runtime_path = deepcopy(self._runtime_path, memo)
        copy.cause = deepcopy(self.cause, memo)
        _reports.set_extras(copy, deepcopy(_reports.extras(self, FoobaraError), memo))
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        restore = importlib.import_module("foobara_accel.core.errors")._restore_error
        kind = type(self)
        severity: Any = self.severity
        if isinstance(severity, ErrorSeverity):
            severity = (severity.value,)
        fields = (
            self.category,
            self.symbol,
            self._path,
            self.message,
            self._context,
            self._runtime_path,
            self.is_fatal,
            severity,
            self.suggestion,
            self.help_url,
            None,
            self.stack_trace,
        )
        given = (None if kind is FoobaraError else kind, fields, _reports.extras(self, FoobaraError))
        cause = self.cause
        if cause is None:
            return restore, given
        # Not among what the error is made of: it may lead back to this error. Put by a function of its own,
        # as a subclass may have a __setstate__.
        put_cause = importlib.import_module("foobara_accel.core.errors")._restore_cause
        return restore, given, cause, None, None, put_cause

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return _reports.error_schema(cls)


def unset_field(error: FoobaraError, name: str) -> Any:
    # A subclass may have fields or slots of its own in place of these, or an __init__ that sets none: what it
    # does not set is then the default. The class itself goes without, as every look would pay for it.
    try:
        return STARTS[name]
    except KeyError:
        kind = type(error).__name__
        raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=error) from None


STARTS: dict[str, Any] = {
    "_context": None,
    "_path": (),
    "_rare": None,
    "_runtime_path": (),
    "category": "data",
    "message": "",
    "symbol": "",
}


# A subclass may have an attribute of its own in place of one of these.


def path_of(error: FoobaraError) -> Any:
    return error._path if type(error) is FoobaraError else as_path(error.path, "path")


def outer_of(error: FoobaraError) -> Any:
    return error._runtime_path if type(error) is FoobaraError else as_path(error.runtime_path, "runtime_path")


def where(error: FoobaraError) -> tuple[Any, Any]:
    return path_of(error), outer_of(error)


def first_context(error: FoobaraError) -> dict[str, Any]:
    with making:
        found = error._context
        if found is None:
            error._context = found = {}
    return found


def refuse_severity(context: dict[str, Any]) -> None:
    if "severity" in context:
        raise TypeError("severity follows from is_fatal and the kind of error; it cannot be passed")


def build(
    cls: type[ErrorT],
    category: str,
    symbol: Any,
    path: Any,
    message: Any,
    suggestion: Any,
    severity: Any,
    context: dict[str, Any],
) -> ErrorT:
    # what the factories share: path, severity and is_fatal travel in the keyword arguments
    if "category" in context:
        raise TypeError("the factory decides the category; it cannot be passed")
    is_fatal = context.pop("is_fatal", False)
    if "path" in context:
        path = context.pop("path")
    if severity is None:
        severity = context.pop("severity", None)
        if severity is None:
            severity = FATAL if is_fatal else ERROR
    runtime_path = context.pop("runtime_path", ())
    help_url = context.pop("help_url", None)
    if cls is FoobaraError:
        error = make_error(category, symbol, path, message, context or None, runtime_path, is_fatal, severity)
        if suggestion is not None:
            error.suggestion = suggestion
        if help_url is not None:
            error.help_url = help_url
        return cast(ErrorT, error)
    return cls(
        category=category,
        symbol=symbol,
        path=path,
        message=message,
        context=context,
        runtime_path=runtime_path,
        is_fatal=is_fatal,
        severity=severity,
        suggestion=suggestion,
        help_url=help_url,
    )


def clone(error: ErrorT, share: bool) -> ErrorT:
    kind = type(error)
    copy = FoobaraError.__new__(FoobaraError) if kind is FoobaraError else kind.__new__(kind)
    context = error._context
    if share and context is None:
        context = first_context(error)
    copy.category = error.category
    copy.symbol = error.symbol
    copy._path = error._path
    copy.message = error.message
    copy._context = context
    copy._runtime_path = error._runtime_path
    held = error._rare
    copy._rare = held and rare(
        held.is_fatal, held.severity, held.suggestion, held.help_url, held.cause, held.stack_trace
    )
    if kind is not FoobaraError:
        _reports.set_extras(copy, _reports.extras(error, FoobaraError))
    return cast(ErrorT, copy)


def same_error(a: FoobaraError, b: FoobaraError) -> bool:
    # causes are followed in a loop: a chain may be long, or closed
    seen = None
    while True:
        if a is b:
            return True
        plain = type(a) is FoobaraError  # b is of the same type
        if not (
            a.category == b.category
            and a.symbol == b.symbol
            and (a._path == b._path and a._runtime_path == b._runtime_path if plain else where(a) == where(b))
            and a.message == b.message
            and ((a._context if plain else a.context) or {}) == ((b._context if plain else b.context) or {})
            and a.is_fatal == b.is_fatal
            and a.severity == b.severity
            and a.suggestion == b.suggestion
            and a.help_url == b.help_url
            and a.stack_trace == b.stack_trace
        ):
            return False
        if not isinstance(a.cause, FoobaraError) or type(a.cause) is not type(b.cause):
            return bool(a.cause == b.cause)
        a, b = a.cause, b.cause
        if seen is None:
            seen = set()
        if (id(a), id(b)) in seen:
            return True
        seen.add((id(a), id(b)))


def severity_text(severity: Any) -> Any:
    return severity.value if isinstance(severity, ErrorSeverity) else severity


def dict_of(error: FoobaraError) -> dict[str, Any]:
    # as error.to_dict(), which a class of its own may have overridden
    if type(error) is FoobaraError:
        return error_dict(error)
    own = _reports.own_dict(error, FoobaraError.to_dict)
    return error_dict(error) if own is _reports.NO_OWN_DICT else cast(dict[str, Any], own)


def error_dict(error: FoobaraError) -> dict[str, Any]:
    first: dict[str, Any] = {}
    outer: dict[str, Any] | None = None
    seen: set[int] | None = None
    while True:
        if type(error) is FoobaraError:
            names, outside = error._path, error._runtime_path
        else:
            names, outside = where(error)
        this = {
            "key": error.key(),
            "category": error.category,
            "symbol": error.symbol,
            "path": list(names),
            "runtime_path": list(outside),
            "message": error.message,
            "context": error.context,
            "is_fatal": error.is_fatal,
            "severity": severity_text(error.severity),
        }
        if error.suggestion:
            this["suggestion"] = error.suggestion
        if error.help_url:
            this["help_url"] = error.help_url
        if outer is None:
            first = this
        else:
            outer["cause"] = this
        outer = this
        cause = error.cause
        if not isinstance(cause, FoobaraError):
            if cause:
                this["cause"] = cause
            return first
        if seen is None:
            seen = {id(error)}
        if id(cause) in seen:
            return first
        if type(cause) is not FoobaraError:
            own = _reports.own_dict(cause, FoobaraError.to_dict)
            if own is not _reports.NO_OWN_DICT:
                this["cause"] = own
                return first
        seen.add(id(cause))
        error = cause


# Collection


class ErrorCollection:
    """The errors of one command in order of arrival, each object once."""

    __module__ = "foobara_accel.core.errors"
    __slots__ = (
        "__weakref__",
        "_ids",
        "_items",
        "_pending",
        "_pending_echo",
        "_pending_model",
        "_pending_prefix",
    )

    _items: list[FoobaraError] | None
    _pending: Any
    _pending_echo: bool  # set with _pending, like the two below
    _pending_model: Any
    _pending_prefix: Any
    _ids: set[int] | None

    def __new__(cls, *args: Any, **named: Any) -> Self:
        self = new(cls)
        self._items = self._ids = self._pending = None
        return self

    def __init__(self) -> None:
        pass

    def _has_any(self) -> bool:
        if self._pending is not None:
            return True
        items = self._items
        return items is not None and len(items) > 0

    def _list(self) -> list[FoobaraError]:
        if self._pending is not None:
            settle(self)
        items = self._items
        if items is None:
            with making:
                items = self._items
                if items is None:
                    self._items = items = []
        return items

    def _append(self, error: FoobaraError) -> None:
        items = self._items
        if items is None or self._pending is not None:
            items = self._list()
        if self._ids is None:
            for item in items:
                if item is error:
                    return
            items.append(error)
            if len(items) >= MANY:
                self._ids = {id(e) for e in items}
            return
        if id(error) not in self._ids:
            self._ids.add(id(error))
            items.append(error)

    # Changing

    def add(self, error: FoobaraError) -> Self:
        """Add an error unless this object is present; returns the collection. TypeError for another type."""
        self._append(as_error(error))
        return self

    def add_all(self, *errors: FoobaraError) -> Self:
        """Add several errors; returns the collection."""
        for error in errors:
            self._append(as_error(error))
        return self

    def merge(self, errors: Iterable[FoobaraError]) -> Self:
        """Add the errors of a collection or any iterable; returns the collection."""
        for error in list(errors):
            self._append(as_error(error))
        return self

    def clear(self) -> None:
        """Remove every error."""
        held = (self._items, self._pending)  # freed after the lock: that may run any code
        with making:
            self._pending = self._items = self._ids = None
        del held

    def copy(self) -> ErrorCollection:
        """Return a new collection with the same error objects."""
        return collection_of(list(self._list()))

    # Looking

    def has_errors(self) -> bool:
        """Tell whether there is an error."""
        return self._has_any()

    def has_fatal(self) -> bool:
        """Tell whether an error is fatal."""
        return self._items is not None and any(error.is_fatal for error in self._items)

    def is_empty(self) -> bool:
        """Tell whether there is no error."""
        return not self._has_any()

    def count(self) -> int:
        """Return how many errors there are."""
        return self.__len__()

    def __len__(self) -> int:
        if self._pending is not None:
            settle(self)
        items = self._items
        return 0 if items is None else len(items)

    def __bool__(self) -> bool:
        return self._has_any()

    def __iter__(self) -> Iterator[FoobaraError]:
        return iter(list(self._list()))

    def __contains__(self, key: object) -> bool:
        if isinstance(key, FoobaraError):
            return any(error is key for error in self._list())
        return any(error.key() == key for error in self._list())

    def get(self, key: str) -> FoobaraError | None:
        """Return the last error with this key, or None."""
        found = None
        for error in self._list():
            if error.key() == key:
                found = error
        return found

    def first(self) -> FoobaraError | None:
        """Return the first error, or None."""
        items = self._list()
        return items[0] if items else None

    def all(self) -> list[FoobaraError]:
        """Return a new list of the errors."""
        return list(self._list())

    def keys(self) -> list[str]:
        """Return the keys, each once, in order of first arrival."""
        return list(dict.fromkeys([error.key() for error in self._list()]))

    # Choosing

    def at_path(self, path: Any, *rest: Any) -> list[FoobaraError]:
        """Return the errors at exactly this path, given as names or as one list or tuple."""
        wanted = (path, *rest) if isinstance(path, str) else (*as_path(path, "path"), *rest)
        return [error for error in self._list() if tuple(path_of(error)) == wanted]

    def with_symbol(self, symbol: str) -> list[FoobaraError]:
        """Return the errors with this symbol."""
        return [error for error in self._list() if error.symbol == symbol]

    def by_category(self, category: str) -> list[FoobaraError]:
        """Return the errors of this category."""
        return [error for error in self._list() if error.category == category]

    def by_severity(self, severity: ErrorSeverity | str) -> list[FoobaraError]:
        """Return the errors of this severity, given as ErrorSeverity or as its value."""
        return [error for error in self._list() if error.severity == severity]

    def in_runtime_path(self, *prefix: Any) -> list[FoobaraError]:
        """Return the errors whose runtime path starts with *prefix*: names, or one list or tuple."""
        if len(prefix) == 1 and isinstance(prefix[0], list | tuple):
            prefix = tuple(prefix[0])
        n = len(prefix)
        return [error for error in self._list() if tuple(outer_of(error)[:n]) == prefix]

    def fatal_errors(self) -> list[FoobaraError]:
        """Return the fatal errors."""
        return [error for error in self._list() if error.is_fatal]

    def critical_errors(self) -> list[FoobaraError]:
        """Return the errors whose severity is critical or fatal."""
        return [error for error in self._list() if error.severity in (CRITICAL, FATAL)]

    def data_errors(self) -> list[FoobaraError]:
        """Return the errors of category data."""
        return self.by_category("data")

    def runtime_errors(self) -> list[FoobaraError]:
        """Return the errors of category runtime."""
        return self.by_category("runtime")

    def system_errors(self) -> list[FoobaraError]:
        """Return the errors of category system."""
        return self.by_category("system")

    def domain_errors(self) -> list[FoobaraError]:
        """Return the errors of category domain."""
        return self.by_category("domain")

    def auth_errors(self) -> list[FoobaraError]:
        """Return the errors of category auth."""
        return self.by_category("auth")

    def with_suggestions(self) -> list[FoobaraError]:
        """Return the errors that carry a suggestion."""
        return [error for error in self._list() if error.suggestion]

    def group_by_path(self) -> dict[tuple[str, ...], list[FoobaraError]]:
        """Return path -> errors, in order of first arrival."""
        groups: dict[Any, list[FoobaraError]] = {}
        for error in self._list():
            groups.setdefault(path_of(error), []).append(error)
        return groups

    def group_by_category(self) -> dict[str, list[FoobaraError]]:
        """Return category -> errors, in order of first arrival."""
        groups: dict[Any, list[FoobaraError]] = {}
        for error in self._list():
            groups.setdefault(error.category, []).append(error)
        return groups

    def sort_by_severity(self) -> list[FoobaraError]:
        """Return the errors, most severe first; equals keep their order."""
        return sorted(self._list(), key=rank, reverse=True)

    def most_severe(self) -> FoobaraError | None:
        """Return the first of the most severe errors, or None."""
        return max(self._list(), key=rank, default=None)

    # Output

    def messages(self) -> list[str]:
        """Return the messages."""
        return [error.message for error in self._list()]

    def to_sentence(self) -> str:
        """Return the messages as ``a, b and c``."""
        return _reports.sentence([part(message) for message in self.messages()])

    def to_dict(self) -> dict[str, Any]:
        """Return key -> error dict; of errors with the same key the last."""
        return {error.key(): dict_of(error) for error in self._list()}

    def to_list(self) -> list[dict[str, Any]]:
        """Return the error dicts."""
        return [dict_of(error) for error in self._list()]

    def to_json_bytes(self) -> bytes:
        """Return :meth:`to_list` as compact UTF-8 JSON; values JSON lacks are converted."""
        return encode(f"[{errors_json(self._list(), [])}]")

    def to_problem(self) -> dict[str, Any] | None:
        """Return the RFC 9457 problem document, None without errors."""
        return _reports.problem(self._list())

    def to_human_readable(self) -> str:
        """Return a numbered list for a person to read."""
        return _reports.human_readable(self._list())

    def summary(self) -> dict[str, Any]:
        """Return the counts: total, fatal, by_category."""
        return _reports.summary(self._list())

    # Protocols

    @recursive_repr("...")
    def __repr__(self) -> str:
        return f"ErrorCollection({self._list()!r})"

    def __copy__(self) -> ErrorCollection:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> ErrorCollection:
        copy = ErrorCollection.__new__(ErrorCollection)
        memo[id(self)] = copy
        for error in self._list():
            copy._append(deepcopy(error, memo))
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        restore = importlib.import_module("foobara_accel.core.errors")._restore_collection
        return restore, (list(self._list()),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return _reports.collection_schema(cls, handler.generate_schema(FoobaraError), collection_of)


def as_error(error: Any) -> FoobaraError:
    if not isinstance(error, FoobaraError):
        raise TypeError(f"an ErrorCollection holds FoobaraError objects, not {type(error).__name__}")
    return error


def settle(collection: ErrorCollection) -> None:
    # What waits is alone: whoever adds an error converts first. Of threads that convert at the same time the
    # first one's errors stay and the others' are dropped.
    pending, prefix, model = collection._pending, collection._pending_prefix, collection._pending_model
    if pending is None:
        return
    if type(pending) is tuple:
        items = row_errors(pending, prefix)
    else:
        items = validation_errors(pending, prefix, collection._pending_echo, model)
    with making:
        if collection._pending is pending:
            collection._items = items
            collection._pending = collection._pending_model = collection._ids = None


def row_errors(rows: tuple[Any, ...], runtime_path: Any) -> list[FoobaraError]:
    # the context of a row is shared by all collections with that row
    return [
        make_error(
            "data",
            symbol,
            path,
            message,
            None if context is None else dict(context),
            runtime_path,
            False,
            ERROR,
        )
        for path, symbol, message, context in rows
    ]


def validation_errors(error: Any, runtime_path: Any, echo_inputs: bool, model: Any) -> list[FoobaraError]:
    found = []
    for symbol, path, message, context in _reports.validation_rows(error, echo_inputs, model):
        found.append(make_error("data", symbol, path, message, context, runtime_path, False, ERROR))
    return found


# Outcome


class _Subscriptable:
    __slots__ = ()
    __class_getitem__: Any = classmethod(_reports.OutcomeAlias)


if TYPE_CHECKING:

    class _OutcomeBase(Generic[ResultT]): ...

else:
    _OutcomeBase = _Subscriptable


class CommandOutcome(_OutcomeBase[ResultT]):
    """What a command came to: a result, or errors."""

    __module__ = "foobara_accel.core.outcome"
    __slots__ = ("__weakref__", "_collection", "_errors", "_metadata", "_result")
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    _collection: ErrorCollection | None
    _errors: list[FoobaraError] | None
    _metadata: dict[str, Any] | None
    _result: Any

    def __init__(
        self,
        /,
        result: Any = None,
        errors: Iterable[FoobaraError] = (),
        metadata: Mapping[str, Any] | None = None,
        **ignored: Never,
    ) -> None:
        self._result = result
        self._collection = None
        self._errors = as_errors(errors)
        self._metadata = as_metadata(metadata)

    @classmethod
    def from_result(cls, /, result: Any = None, **metadata: Any) -> Self:
        """Return a success; keyword arguments become the metadata."""
        return cls(result=result, metadata=metadata)

    @classmethod
    def from_errors(cls, /, *errors: FoobaraError, **metadata: Any) -> Self:
        """Return a failure with these errors (none: a success); keyword arguments become the metadata."""
        return cls(errors=errors, metadata=metadata)

    @property
    def result(self) -> ResultT:
        """The result; None after a failure."""
        return cast(ResultT, self._result)

    @result.setter
    def result(self, value: Any) -> None:
        self._result = value

    @property
    def errors(self) -> list[FoobaraError]:
        """The errors, a list of this outcome's own."""
        return errors_of(self)

    @errors.setter
    def errors(self, value: Iterable[FoobaraError]) -> None:
        self._errors = as_errors(value)
        self._collection = None

    @property
    def metadata(self) -> dict[str, Any]:
        """What else is known of the run."""
        found = self._metadata
        if found is None:
            with making:
                found = self._metadata
                if found is None:
                    self._metadata = found = {}
        return found

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        self._metadata = as_metadata(value)

    def is_success(self) -> bool:
        """Tell whether there are no errors."""
        return not failed(self)

    def success(self) -> bool:
        """Tell whether there are no errors."""
        return not failed(self)

    def is_failure(self) -> bool:
        """Tell whether there are errors."""
        return failed(self)

    def failure(self) -> bool:
        """Tell whether there are errors."""
        return failed(self)

    def unwrap(self) -> ResultT:
        """Return the result; ValueError with the messages after a failure."""
        if failed(self):
            messages = ", ".join([part(error.message) for error in errors_of(self)])
            raise ValueError(f"Command failed: {messages}")
        return cast(ResultT, self._result)

    def unwrap_or(self, default: OtherT) -> ResultT | OtherT:
        """Return the result, *default* after a failure."""
        return default if failed(self) else cast(ResultT, self._result)

    def map(self, fn: Callable[[ResultT], OtherT]) -> CommandOutcome[OtherT]:
        """Return an outcome with ``fn(result)`` and the same metadata; a failure returns itself."""
        if failed(self):
            return cast("CommandOutcome[Any]", self)
        kind: Any = type(self)
        return cast("CommandOutcome[OtherT]", kind(result=fn(self._result), metadata=self._metadata))

    def flat_map(self, fn: Callable[[ResultT], CommandOutcome[OtherT]]) -> CommandOutcome[OtherT]:
        """Return the outcome ``fn(result)`` returns; a failure returns itself."""
        return cast("CommandOutcome[OtherT]", self) if failed(self) else fn(self._result)

    def add_error(self, error: FoobaraError) -> Self:
        """Add an error; returns the outcome."""
        errors_of(self).append(as_outcome_error(error))
        return self

    # Output

    def to_dict(self) -> dict[str, Any]:
        """Return success, then the result itself or the error dicts, then metadata."""
        if failed(self):
            return {
                "success": False,
                "errors": [dict_of(error) for error in errors_of(self)],
                "metadata": self.metadata,
            }
        return {"success": True, "result": self._result, "metadata": self.metadata}

    def to_json_bytes(self) -> bytes:
        """Return :meth:`to_dict` as compact UTF-8 JSON; values JSON lacks are converted."""
        return outcome_json(self, [self]).encode("utf-8", "backslashreplace")  # encode(), without the call

    def to_problem(self) -> dict[str, Any] | None:
        """Return the RFC 9457 problem document of a failure, None of a success."""
        return _reports.problem(errors_of(self)) if failed(self) else None

    # Protocols

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        if self is other:
            return True
        if (failed(self) or failed(other)) and errors_of(self) != errors_of(other):
            return False
        return bool(self._result == (other)._result and (self._metadata or {}) == ((other)._metadata or {}))

    @recursive_repr("...")
    def __repr__(self) -> str:
        errors = errors_of(self) if failed(self) else []
        return (
            f"{type(self).__qualname__}(result={shown(self._result)}, errors={errors!r}, "
            f"metadata={shown(self._metadata or {})})"
        )

    def __copy__(self) -> Self:
        return outcome_copy(self, self._result, list(errors_of(self)), dict(self._metadata or {}))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = outcome_copy(self, None, [], None)
        memo[id(self)] = copy
        copy._result = deepcopy(self._result, memo)
        copy._errors = deepcopy(errors_of(self), memo)
        copy._metadata = deepcopy(self._metadata, memo)
        _reports.set_extras(copy, deepcopy(_reports.extras(self, CommandOutcome), memo))
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        restore = importlib.import_module("foobara_accel.core.outcome")._restore_outcome
        kind = type(self)
        errors = list(errors_of(self)) if failed(self) else []
        return restore, (
            None if kind is CommandOutcome else kind,
            self._result,
            errors,
            self._metadata,
            _reports.extras(self, CommandOutcome),
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        arguments = get_args(source)
        result = handler.generate_schema(arguments[0] if arguments else Any)
        return _reports.outcome_schema(cls, result, handler.generate_schema(FoobaraError), outcome_from)


def failed(outcome: CommandOutcome[Any]) -> bool:
    collection = outcome._collection  # first: another thread's first look replaces it by a list
    errors = outcome._errors
    if errors is not None:
        return len(errors) > 0
    return collection is not None and collection._has_any()


def errors_of(outcome: CommandOutcome[Any]) -> list[FoobaraError]:
    errors = outcome._errors
    if errors is None:
        collection = outcome._collection
        if collection is None:
            made = []
        else:
            items = collection._items
            made = list(collection._list()) if collection._pending is not None or not items else items.copy()
        with making:
            errors = outcome._errors
            if errors is None:
                outcome._errors = errors = made
                outcome._collection = None
    return errors


def as_errors(errors: Any) -> list[FoobaraError]:
    if isinstance(errors, FoobaraError | str | bytes | dict):
        raise TypeError(f"errors must be an iterable of FoobaraError objects, not {type(errors).__name__}")
    try:
        found = list(errors)
    except TypeError:
        raise TypeError(
            f"errors must be an iterable of FoobaraError objects, not {type(errors).__name__}"
        ) from None
    for error in found:
        as_outcome_error(error)
    return found


def as_outcome_error(error: Any) -> FoobaraError:
    if not isinstance(error, FoobaraError):
        raise TypeError(f"an outcome holds FoobaraError objects, not {type(error).__name__}")
    return error


def outcome_copy(outcome: OutcomeT, result: Any, errors: list[FoobaraError], metadata: Any) -> OutcomeT:
    kind = type(outcome)
    copy = kind.__new__(kind)
    copy._result = result
    copy._collection = None
    copy._errors = errors
    copy._metadata = metadata
    _reports.set_extras(copy, _reports.extras(outcome, CommandOutcome))
    return copy


def outcome_from(cls: Any, parts: dict[str, Any]) -> Any:
    # parts: what validation made of a dict such as to_dict returns
    errors = parts.get("errors") or []
    if parts["success"] and errors:
        raise ValueError("a successful outcome has no errors")
    if not parts["success"] and not errors:
        raise ValueError("a failed outcome needs errors")
    return cls(result=parts.get("result"), errors=errors, metadata=parts.get("metadata"))


def _restore_outcome(
    cls: Any, result: Any, errors: list[FoobaraError], metadata: Any, extras: dict[str, Any]
) -> Any:
    outcome = (CommandOutcome if cls is None else cls).__new__(CommandOutcome if cls is None else cls)
    outcome._result = result
    outcome._collection = None
    outcome._errors = errors
    outcome._metadata = metadata
    _reports.set_extras(outcome, extras)
    return outcome


def collection_of(errors: list[FoobaraError]) -> ErrorCollection:
    # a collection of these error objects
    collection = ErrorCollection.__new__(ErrorCollection)
    for error in errors:
        collection._append(as_error(error))
    return collection


# JSON


def encode(document: str) -> bytes:
    # a lone surrogate has no UTF-8 form; backslashreplace spells it as JSON does
    return document.encode("utf-8", "backslashreplace")


def value_json(value: Any, stack: list[Any]) -> str:
    kind = type(value)
    if value is None:
        return "null"
    if kind is str:
        return quote(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if kind is int:
        return int_json(value)
    if kind is float:
        return float.__repr__(value) if isfinite(value) else "null"
    for outer in stack:
        if outer is value:
            return quote(_reports.CIRCULAR)
    if len(stack) >= _reports.MAX_DEPTH:
        return quote(_reports.TOO_DEEP)
    stack.append(value)
    if kind is dict:
        found = dict_json(value, stack)
    elif kind is list or kind is tuple:
        found = items_json(tuple(value), stack)
    elif issubclass(kind, FoobaraError):
        found = error_json(value, stack)
    elif issubclass(kind, ErrorCollection):
        found = f"[{errors_json(value._list(), stack)}]"
    elif issubclass(kind, CommandOutcome):
        found = outcome_json(value, stack)
    else:
        plain = simplify(value)
        found = plain.decode() if type(plain) is bytes else value_json(plain, stack)
    stack.pop()
    return found


def int_json(value: int) -> str:
    digits = int_text(value)
    return quote(digits) if digits.startswith(("0x", "-0x")) else digits


def dict_json(value: dict[Any, Any], stack: list[Any]) -> str:
    # a copy: converting a value may run code that changes the dict
    pairs = [
        f"{quote(key if type(key) is str else key_text(key))}:{value_json(item, stack)}"
        for key, item in list(value.items())
    ]
    return f"{{{','.join(pairs)}}}"


def items_json(items: tuple[Any, ...], stack: list[Any]) -> str:
    return f"[{','.join([value_json(item, stack) for item in items])}]"


def path_json(path: Any, stack: list[Any]) -> str:
    return items_json(path if type(path) is tuple else tuple(path), stack)


def error_json(error: FoobaraError, stack: list[Any]) -> str:
    # causes are followed in a loop and their braces closed at the end: a chain may be long, or closed
    parts: list[str] = []
    seen: set[int] = set()
    while True:
        if type(error) is FoobaraError:
            context: Any = error._context
        else:
            own = _reports.own_dict(error, FoobaraError.to_dict)
            if own is not _reports.NO_OWN_DICT:
                parts.append(value_json(own, stack))
                break
            context = error.context
        parts += [
            f'{{"key":{quote(part(error.key()))},"category":{value_json(error.category, stack)}',
            f',"symbol":{value_json(error.symbol, stack)},"path":{path_json(path_of(error), stack)}',
            f',"runtime_path":{path_json(outer_of(error), stack)}',
            f',"message":{value_json(error.message, stack)}',
            ',"context":',
            "{}" if context is None else value_json(context, stack),
            f',"is_fatal":{value_json(error.is_fatal, stack)},"severity":',
            value_json(severity_text(error.severity), stack),
        ]
        if error.suggestion:
            parts.append(f',"suggestion":{value_json(error.suggestion, stack)}')
        if error.help_url:
            parts.append(f',"help_url":{value_json(error.help_url, stack)}')
        seen.add(id(error))
        cause = error.cause
        if not isinstance(cause, FoobaraError):
            if cause:
                parts.append(f',"cause":{value_json(cause, stack)}')
            break
        if id(cause) in seen:
            break
        parts.append(',"cause":')
        error = cause
    parts.append("}" * len(seen))
    return "".join(parts)


class Unusual(Exception):
    """Something is not of the types that are written without looking."""


def usual_json(errors: Iterator[FoobaraError]) -> tuple[FoobaraError | None, int, str | None]:
    # Errors whose fields are of the usual types are written up to the first other one, with commas between:
    # that one, how many came before it, their text. Names and messages are put in as they are; one look at
    # all of them then tells whether a character needed an escape. There is no text if that was in a name.
    parts: list[str] = []  # per error: start, names in the key, middle, names in the path, tail, message
    start = lead = middle = bare = tail = bare_tail = pair = done = ""
    last = error = None
    category: Any = parts  # no category, and so on
    symbol = outer = name = category
    plain, kind, string = FoobaraError, type, str
    dotted, quoted = ".".join, '","'.join
    try:
        for error in errors:
            if kind(error) is not plain or error._rare is not None:
                break
            if (
                error.symbol is not symbol
                or error.category is not category
                or error._runtime_path is not outer
            ):
                category, symbol, outer = error.category, error.symbol, error._runtime_path
                lead, middle, bare, tail, bare_tail = place_json(category, symbol, outer)
                start = f'","context":{{{done}{lead}'
            path, message, context = error._path, error.message, error._context
            if kind(message) is not string or kind(path) is not tuple:
                break
            for part in path:
                if kind(part) is not string:
                    raise Unusual
            details = ""
            if context is not None:
                if kind(context) is not dict:
                    break
                try:
                    for key in context:
                        value = context[key]
                        if value is not last or key is not name:
                            pair = pair_json(key, value)
                            name, last = key, value
                        details = f"{details},{pair}" if details else pair
                except (KeyError, RuntimeError):  # another thread changed it meanwhile
                    break
            if path:
                parts += start, dotted(path), middle, quoted(path), tail, message
            else:
                parts += start, "root", bare, "", bare_tail, message
            if details is not done:
                start = f'","context":{{{details}{lead}'
                done = details
        else:
            error = None
    except Unusual:
        pass
    count = len(parts) // PARTS
    names, messages = parts[1::PARTS], parts[5::PARTS]
    if not is_clean("".join(names + messages)):
        if not is_clean("".join(names)):
            return error, count, None
        parts[5::PARTS] = [quote(message)[1:-1] for message in messages]
    if parts:
        parts[0] = parts[0][SKIPPED:]
        parts.append(f'","context":{{{done}{CLOSE}')
    return error, count, "".join(parts)


# By category, symbol and runtime path: what stands between a context and the next path, between the two paths
# and between path and message, the latter two also for errors without a path. Commands have few of these.
places: dict[tuple[str, str, tuple[str, ...]], tuple[str, str, str, str, str]] = {}


def place_json(category: Any, symbol: Any, outer: Any) -> tuple[str, str, str, str, str]:
    # Unusual also if a character needs an escape
    if type(category) is not str or type(symbol) is not str or type(outer) is not tuple:
        raise Unusual
    if outer and not are_names(outer):
        raise Unusual
    place = (category, symbol, outer)
    found = places.get(place)
    if found is None:
        if not is_clean("".join([category, symbol, *outer])):
            raise Unusual
        names = ",".join([f'"{name}"' for name in outer])
        middle = f'.{symbol}","category":"{category}","symbol":"{symbol}","path":['
        tail = f'],"runtime_path":[{names}],"message":"'
        lead = f'{CLOSE},{{"key":"{"".join([name + ">" for name in outer])}{category}.'
        found = (lead, f'{middle}"', middle, f'"{tail}', tail)
        if len(places) < MOST_HEADS:
            places[place] = found
    return found


def pair_json(key: Any, value: Any) -> str:
    # a pair of a context of scalars
    kind = type(value)
    if type(key) is not str:
        raise Unusual
    if kind is int or kind is str or kind is float or kind is bool or value is None:
        return f"{quote(key)}:{value_json(value, [])}"
    raise Unusual


def are_names(path: Any) -> bool:
    if type(path) is not tuple:
        return False
    for name in path:  # noqa: SIM110 (bench case "fifty errors to JSON bytes": no generator)
        if type(name) is not str:
            return False
    return True


def is_clean(text: str) -> bool:
    octets = text.encode("utf-8", "backslashreplace")
    if len(octets) < LONG:
        return len(octets.translate(None, SPECIAL)) == len(octets)
    for character in SPECIAL:  # noqa: SIM110 (bench case "fifty errors to JSON bytes": no call per character)
        if character in octets:
            return False
    return True


# What stands before the message of an error without a path, by category and symbol (bench case "two errors
# to JSON bytes").
heads: dict[tuple[str, str], str] = {}


def few_json(errors: tuple[FoobaraError, ...], stack: list[Any]) -> str:
    # one by one: of a few, none shares enough with another to be worth the tables of usual_json
    drafts: list[str] = []
    for error in errors:
        category, symbol, message, context = error.category, error.symbol, error.message, error._context
        if (
            type(error) is not FoobaraError
            or error._rare is not None
            or type(category) is not str
            or type(symbol) is not str
            or type(message) is not str
            or (context is not None and type(context) is not dict)
        ):
            drafts.append(value_json(error, stack))
        elif error._path is EMPTY and error._runtime_path is EMPTY and not context:
            head = heads.get((category, symbol)) or new_head(category, symbol)
            drafts.append(f'{head}{quote(message)},"context":{{}},"is_fatal":false,"severity":"error"}}')
        else:
            draft = flat_json(error._path, error._runtime_path, category, symbol, message, context)
            drafts.append(draft or value_json(error, stack))
    return ",".join(drafts)


def new_head(category: str, symbol: str) -> str:
    key = quote(f"{category}.root.{symbol}")
    head = f'{{"key":{key},"category":{quote(category)},"symbol":{quote(symbol)}'
    head += ',"path":[],"runtime_path":[],"message":'
    if len(heads) < MOST_HEADS:
        heads[category, symbol] = head
    return head


def flat_json(
    path: Any, outer: Any, category: str, symbol: str, message: str, context: dict[Any, Any] | None
) -> str | None:
    # None when a name is not a str or needs an escape, or the context is not of scalars
    if not (are_names(path) and are_names(outer)):
        return None
    details = ""
    if context:
        try:
            details = ",".join([pair_json(key, value) for key, value in list(context.items())])
        except Unusual:
            return None
    place = f"{category}.{'.'.join(path) if path else 'root'}.{symbol}"
    names = outers = ""
    if path:
        names = '","'.join(path)
        names = f'"{names}"'
    if outer:
        outers = '","'.join(outer)
        outers = f'"{outers}"'
        place = f"{'>'.join(outer)}>{place}"
    key = quote(place)
    if len(key) != len(place) + 2:
        return None
    return (
        f'{{"key":{key},"category":"{category}","symbol":"{symbol}","path":[{names}],"runtime_path":[{outers}],'
        f'"message":{quote(message)},"context":{{{details}}},"is_fatal":false,"severity":"error"}}'
    )


def errors_json(errors: Iterable[FoobaraError], stack: list[Any]) -> str:
    # with commas between, without brackets
    snapshot = tuple(errors)
    # at most an outcome is around it: the usual case of roomy
    if stack and (len(stack) > 1 or type(stack[0]) is not CommandOutcome) and not roomy(stack):
        return ",".join([value_json(error, stack) for error in snapshot])
    if len(snapshot) < FEW:
        return few_json(snapshot, stack)
    drafts: list[str] = []
    rest = iter(snapshot)
    done = 0
    while done < len(snapshot):
        odd, count, text = usual_json(rest)
        if text is None:
            drafts += [value_json(error, stack) for error in snapshot[done : done + count]]
        elif text:
            drafts.append(text)
        if odd is not None:
            drafts.append(value_json(odd, stack))
        done += count + (odd is not None)
    return ",".join(drafts)


def roomy(stack: list[Any]) -> bool:
    # can an error and its context be entered, and is it not being written already?
    for outer in stack:
        if isinstance(outer, FoobaraError):
            return False
    return len(stack) < _reports.MAX_DEPTH - 1


def outcome_json(outcome: CommandOutcome[Any], stack: list[Any]) -> str:
    collection = outcome._collection  # first, as in failed()
    errors = outcome._errors
    if errors is None and collection is not None and (collection._pending is not None or collection._items):
        errors = errors_of(outcome)
    if errors:
        start, main, end = '{"success":false,"errors":[', errors_json(errors, stack), "]"
    else:
        start, main, end = '{"success":true,"result":', value_json(outcome._result, stack), ""
    metadata = "{}" if outcome._metadata is None else value_json(outcome._metadata, stack)
    return f'{start}{main}{end},"metadata":{metadata}}}'


# Construction

# Objects without fields: cheaper than new(FoobaraError).
bare_error: Callable[[], FoobaraError] = partial(new, FoobaraError)
bare_collection: Callable[[], ErrorCollection] = partial(new, ErrorCollection)


def make_error(
    category: Any,
    symbol: Any,
    path: Any,
    message: Any,
    context: Any,
    runtime_path: Any,
    is_fatal: Any,
    severity: Any,
) -> FoobaraError:
    """Return an error from its first eight fields; the context None is an empty one."""
    error = bare_error()
    error.category = category
    error.symbol = symbol
    error._path = path if type(path) is tuple else as_path(path, "path")
    error.message = message
    error._context = context
    error._runtime_path = (
        runtime_path if type(runtime_path) is tuple else as_path(runtime_path, "runtime_path")
    )
    error._rare = (
        None if is_fatal is False and severity is ERROR else Rare(is_fatal, severity, None, None, None, None)
    )
    return error


def new_collection() -> ErrorCollection:
    """Return an empty collection."""
    collection = bare_collection()
    collection._items = collection._ids = collection._pending = None
    return collection


def append_new(
    collection: ErrorCollection | None, category: Any, symbol: Any, path: Any, message: Any, context: Any
) -> ErrorCollection:
    """Append a new error to *collection*, None: a new one; return the collection.

    *path* is a tuple; the context None is an empty one. The error has no runtime path and the severity error.
    """
    error = bare_error()
    error.category = category
    error.symbol = symbol
    error._path = path
    error.message = message
    error._context = context
    error._runtime_path = ()
    error._rare = None
    if collection is None:
        collection = bare_collection()
        collection._items = [error]
        collection._ids = collection._pending = None
        return collection
    items = collection._items
    if items and collection._pending is None and len(items) < MANY - 1:
        items.append(error)  # a new object: it cannot be among them
    else:
        collection._append(error)
    return collection


def deferred_collection(
    validation_error: Any, runtime_path: Iterable[str] = (), echo_inputs: bool = False, model: Any = None
) -> ErrorCollection:
    """Return a collection that converts a pydantic ValidationError when first looked at.

    In its place a tuple of rows (path, symbol, message, context or None) may be given, one per data error.
    """
    collection = new_collection()
    collection._pending = validation_error
    collection._pending_prefix = tuple(runtime_path)
    collection._pending_echo = echo_inputs
    collection._pending_model = model
    return collection


def succeed(result: OtherT) -> CommandOutcome[OtherT]:
    """Return a successful outcome."""
    outcome: CommandOutcome[OtherT] = new(CommandOutcome)
    outcome._result = result
    outcome._collection = outcome._errors = outcome._metadata = None
    return outcome


def fail(result: Any, errors: ErrorCollection) -> CommandOutcome[Any]:
    """Return an outcome that takes its errors from a collection."""
    outcome: CommandOutcome[Any] = new(CommandOutcome)
    outcome._result = result
    outcome._collection = errors
    outcome._errors = outcome._metadata = None
    return outcome


def errors_from_validation(
    exc: Any, runtime_path: Iterable[Any] = (), echo_inputs: bool = False, model: Any = None
) -> list[FoobaraError]:
    """Return a data error per error of a pydantic ValidationError, in its order; TypeError for anything else.

    With *echo_inputs* the context holds the offending input of fields that *model* declares and does not mark
    as sensitive; without a model nothing is echoed.
    """
    return validation_errors(exc, as_path(runtime_path, "runtime_path"), echo_inputs, model)
