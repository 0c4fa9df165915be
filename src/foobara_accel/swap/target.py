"""foobara_py as it is loaded: its modules and the classes whose methods can be replaced."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

__all__ = ["ROOT", "HalfImportedError", "Target", "find", "is_there", "load", "underlying", "version"]

ROOT = "foobara_py"

# Module by module what is looked at, under foobara_py's names. The first nine must be there.
_NAMES: dict[str, str] = {
    "core.errors": "FoobaraError ErrorCollection ErrorSeverity ErrorCategory Symbols",
    "core.outcome": "CommandOutcome Success Failure",
    "core.state_machine": "CommandState CommandStateMachine Halt STATE_NAMES TERMINAL_STATES CAN_FAIL_STATES"
    " VALID_TRANSITIONS EMPTY_TRANSITION_SET",
    "core.callbacks_enhanced": "CallbackCondition RegisteredCallback EnhancedCallbackRegistry"
    " EnhancedCallbackExecutor",
    "core.transactions": "TransactionContext TransactionConfig TransactionRegistry NoOpTransactionHandler"
    " SQLAlchemyTransactionHandler",
    "core.utils": "validate_with_model extract_inputs_type extract_result_type",
    "core.command.concerns": "TypesConcern NamingConcern ErrorsConcern InputsConcern ValidationConcern"
    " ExecutionConcern SubcommandConcern TransactionConcern StateConcern MetadataConcern CallbacksConcern",
    "core.command.base": "Command CommandMeta",
    "core.command.async_command": "AsyncCommand",
    "core.command.simple": "SimpleCommand AsyncSimpleCommand",
    "core.registry": "CommandRegistry DomainRegistry TypeRegistry get_default_registry",
    "domain.domain": "Domain Organization GlobalDomain DomainDependencyError",
    "domain.domain_mapper": "DomainMapper DomainMapperRegistry",
    "types.type_declarations": "FoobaraType TypeProcessor Caster Validator Transformer"
    " StringCaster IntegerCaster FloatCaster BooleanCaster DateCaster DateTimeCaster UUIDCaster ListCaster"
    " DictCaster RequiredValidator MinLengthValidator MaxLengthValidator MinValueValidator MaxValueValidator"
    " PatternValidator OneOfValidator EmailValidator URLValidator RangeValidator NotEmptyValidator"
    " UniqueItemsValidator ContainsValidator StripWhitespaceTransformer LowercaseTransformer"
    " UppercaseTransformer TitleCaseTransformer RoundTransformer ClampTransformer DefaultTransformer"
    " TruncateTransformer SlugifyTransformer NormalizeWhitespaceTransformer",
}
_REQUIRED = tuple(_NAMES)[:9]


class HalfImportedError(ImportError):
    """foobara_py is being imported by the code that asks for it, so its classes are not all there yet."""


@dataclass(frozen=True, slots=True)
class Target:
    """A loaded foobara_py. Its classes are attributes under its own names; one that it lacks is None."""

    modules: Mapping[str, ModuleType]
    classes: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.classes[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}") from None

    def attribute(self, key: str) -> Any:
        """Return what the class dictionary holds under *key* (``Class.attribute``), unbound; or None."""
        owner, _, name = key.partition(".")
        found = self.classes.get(owner)
        return vars(found).get(name) if isinstance(found, type) else None

    def original(self, key: str) -> FunctionType:
        """Return a copy of the function under *key* that runs foobara_py's own code for good.

        The function itself runs the replacement while that is switched on. LookupError: it is no function.
        """
        function = underlying(self.attribute(key))
        if function is None:
            raise LookupError(f"{key} is no function")
        from .exchange import original_code

        copy = FunctionType(
            original_code(function),
            function.__globals__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        copy.__qualname__ = function.__qualname__
        return copy


def underlying(attribute: Any) -> FunctionType | None:
    """Return the function behind what a class dictionary holds; None where there is none of Python."""
    if isinstance(attribute, (classmethod, staticmethod)):
        attribute = attribute.__func__
    elif isinstance(attribute, property):
        attribute = attribute.fget
    return attribute if type(attribute) is FunctionType else None


def is_there() -> bool:
    """Whether importing foobara_py would find one; nothing is imported to know it."""
    if ROOT in sys.modules:
        return True
    for finder in list(sys.meta_path):
        # Asking one that waits for foobara_py would be its import.
        if getattr(finder, "waits", False) or not hasattr(finder, "find_spec"):
            continue
        if finder.find_spec(ROOT, None, None) is not None:
            return True
    return False


def load(finished: bool = False) -> None:
    """Import what `find` looks at.

    Raises what importing foobara_py raises, and HalfImportedError when it is this very thread that is
    importing it; with *finished* its package has been executed, though its import has not returned.
    """
    importlib.import_module(ROOT)
    if not finished and _is_initializing(ROOT):
        raise HalfImportedError(f"{ROOT} is still being imported: install() before or after that", name=ROOT)
    for name in _REQUIRED:
        importlib.import_module(f"{ROOT}.{name}")
    for name in tuple(_NAMES)[len(_REQUIRED) :]:
        try:
            importlib.import_module(f"{ROOT}.{name}")
        except ImportError:
            # What needs that module is refused part by part.
            continue
    for name in _NAMES:
        if _is_initializing(f"{ROOT}.{name}"):
            raise HalfImportedError(f"{ROOT}.{name} is still being imported", name=f"{ROOT}.{name}")


def find() -> Target:
    """Return the foobara_py of ``sys.modules``; what is not there, or not a part of it, is None."""
    modules = dict(_loaded())
    classes: dict[str, Any] = {}
    for place, names in _NAMES.items():
        module = modules.get(place)
        for name in names.split():
            classes[name] = getattr(module, name, None)
    return Target(MappingProxyType(modules), MappingProxyType(classes))


def version(target: Target) -> str:
    """Return the version that the package metadata states, else the one of the module, else ``unknown``."""
    from importlib.metadata import PackageNotFoundError, version as of

    try:
        return of("foobara-py")
    except PackageNotFoundError:
        return str(getattr(target.modules.get(""), "__version__", "unknown"))


def _loaded() -> Iterator[tuple[str, ModuleType]]:
    for name in ("", *_NAMES):
        module = sys.modules.get(f"{ROOT}.{name}" if name else ROOT)
        if isinstance(module, ModuleType):
            yield name, module


def _is_initializing(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))
