"""What a command says about itself: its schema, its manifest and its reflection."""

from __future__ import annotations

import inspect
import json
import threading
from dataclasses import dataclass, field, fields
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from .._builds import build_lock
from .declared import errors_of, names_of
from .inputs import model_of
from .naming import class_of

__all__ = [
    "CommandManifest",
    "command_manifest",
    "describe",
    "description_of",
    "inputs_schema",
    "is_async_command",
    "manifest_bytes",
    "name_of",
    "owners_of",
    "possible_errors_of",
    "reflect",
    "result_schema",
]

# The schema lives in the model's own namespace: a table keyed weakly by the model would be kept alive by its
# own values, because a validator refers to its model.
_SCHEMA_SLOT = "__foobara_accel_schema__"

_lock = threading.Lock()
_bytes: WeakKeyDictionary[type[Any], tuple[str, dict[str, Any], bytes]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class CommandManifest:
    """The reflection of one command class: plain data, safe to keep after the class has gone."""

    name: str
    full_name: str
    description: str = ""
    inputs_schema: dict[str, Any] = field(default_factory=dict)
    result_schema: dict[str, Any] | None = None
    domain: str | None = None
    organization: str | None = None
    possible_errors: list[dict[str, Any]] = field(default_factory=list)
    is_async: bool = False
    tags: list[str] = field(default_factory=list)

    @classmethod
    def from_command(cls, command_class: type[Any]) -> CommandManifest:
        """Return the reflection of *command_class*."""
        command_class = class_of(command_class)
        domain, organization = owners_of(command_class)
        return cls(
            name=command_class.__name__,
            full_name=command_class.full_name(),
            description=description_of(command_class),
            inputs_schema=inputs_schema(command_class),
            result_schema=result_schema(command_class),
            domain=domain,
            organization=organization,
            possible_errors=[_copied(error) for error in possible_errors_of(command_class).values()],
            is_async=is_async_command(command_class),
            tags=[str(tag) for tag in names_of(command_class, "_tags")],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a new dict; nested dicts and lists are copies."""
        return {item.name: _copy(getattr(self, item.name)) for item in fields(self)}


def name_of(value: Any) -> str | None:
    """Return the name of a domain or organization given by name or as an object with ``name``, else None."""
    if not value:
        return None
    if isinstance(value, str):
        return value
    name = getattr(value, "name", None)
    return name if isinstance(name, str) and name else None


def owners_of(cls: type[Any]) -> tuple[str | None, str | None]:
    """Return the names of the domain and of the organization of *cls*.

    A domain given as an object brings its own organization, unless the class names one.
    """
    domain, organization = getattr(cls, "_domain", None), getattr(cls, "_organization", None)
    if not organization and domain and not isinstance(domain, str):
        organization = getattr(domain, "organization", None)
    return name_of(domain), name_of(organization)


def is_async_command(cls: type[Any]) -> bool:
    """Say whether *cls* is an async command; of what is derived from neither kind, ``execute`` tells."""
    known = getattr(cls, "_is_async", None)
    return inspect.iscoroutinefunction(getattr(cls, "execute", None)) if known is None else bool(known)


def describe(cls: type[Any]) -> str:
    """Return the description that *cls* declares, its own docstring, or an inherited ``_description``.

    The docstring of a base class is never used: it describes that base.
    """
    own = cls.__dict__.get("_description")
    if own:
        return str(own)
    doc = cls.__dict__.get("__doc__")
    if isinstance(doc, str) and doc.strip():
        return inspect.cleandoc(doc)
    inherited = getattr(cls, "_description", None)
    return str(inherited) if inherited else ""


def possible_errors_of(cls: type[Any]) -> dict[str, dict[str, Any]]:
    """Return symbol -> {symbol, message, context} for the errors *cls* and its bases declare.

    A class may declare ``_possible_errors`` as a list of tuples ``(symbol, message)``, or have it as the dict
    that ``possible_error`` makes; the most derived one of a symbol wins. Raises TypeError for anything else.
    """
    return errors_of(cls)


def inputs_schema(cls: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of the inputs of *cls*; the caller may change what it gets.

    Computed once per inputs model, and again after the model is rebuilt. Raises TypeError when the inputs
    type is not a Pydantic model.
    """
    return _copied(_model_schema(model_of(class_of(cls))))


def result_schema(cls: type[Any]) -> dict[str, Any] | None:
    """Return the JSON schema of the result of *cls*, or None when it is not a Pydantic model."""
    result = cls.result_type() if hasattr(cls, "result_type") else None
    return _copied(_model_schema(result)) if _is_model(result) else None


def command_manifest(cls: type[Any]) -> dict[str, Any]:
    """Return the manifest of *cls* as plain data that the caller may change."""
    cls = class_of(cls)
    return _assemble(_head(cls), inputs_schema(cls))


def manifest_bytes(cls: type[Any]) -> bytes:
    """Return ``command_manifest(cls)`` as compact ASCII JSON.

    Written again only when something in the manifest has changed. Values JSON does not have are written as
    their ``str``; raises ValueError for a NaN or an infinity in an error's context.
    """
    cls = class_of(cls)
    head, schema = _head(cls), _model_schema(model_of(cls))
    key = _dumps(head)
    with _lock:
        kept = _bytes.get(cls)
    if kept is not None and kept[0] == key and kept[1] is schema:
        return kept[2]
    data = _dumps(_assemble(head, schema)).encode("ascii")
    with _lock:
        _bytes[cls] = (key, schema, data)
    return data


def reflect(cls: type[Any]) -> CommandManifest:
    """Return the reflection of *cls*."""
    return CommandManifest.from_command(cls)


def description_of(cls: type[Any]) -> str:
    """Return what ``cls.description()`` says, without the indentation of a docstring."""
    method = getattr(cls, "description", None)
    # CPython 3.13 strips a docstring's indentation when it compiles, earlier versions do not.
    return inspect.cleandoc(str(method() or "")) if callable(method) else describe(cls)


def _head(cls: type[Any]) -> dict[str, Any]:
    domain, organization = owners_of(cls)
    head: dict[str, Any] = {
        "name": cls.full_name(),
        "description": description_of(cls),
        "organization": organization,
        "domain": domain,
        "depends_on": [_dependency(item) for item in names_of(cls, "_depends_on")],
        "inputs_type": None,
        "result_type": {"type": str(cls.result_type()) if hasattr(cls, "result_type") else "typing.Any"},
        "possible_errors": _copied(possible_errors_of(cls)),
    }
    if is_async_command(cls):
        head["async"] = True
    return head


def _assemble(head: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**head, "inputs_type": {"type": "attributes", "schema": schema}}


def _dependency(item: Any) -> str:
    if isinstance(item, type) and callable(getattr(item, "full_name", None)):
        return str(item.full_name())  # type: ignore[attr-defined]
    return name_of(item) or str(item)


def _dumps(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), default=str, allow_nan=False)


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _model_schema(model: Any) -> dict[str, Any]:
    kept = model.__dict__.get(_SCHEMA_SLOT)
    # A rebuilt model has another validator; the kept one is held, so its identity cannot be taken over.
    if kept is not None and kept[0] is model.__dict__.get("__pydantic_validator__"):
        return kept[1]  # type: ignore[no-any-return]
    # Loaded with the first schema: most programs never ask for one.
    from .schemas import WithoutMarkedDefaults

    with build_lock:
        schema: dict[str, Any] = model.model_json_schema(schema_generator=WithoutMarkedDefaults)
    setattr(model, _SCHEMA_SLOT, (model.__dict__.get("__pydantic_validator__"), schema))
    return schema


def _copied(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) for key, value in schema.items()}


def _copy(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(item) for item in node] if isinstance(node, list) else node
