"""What is known about an inputs model, written down once for both twins.

`analyze` reads the core schema that pydantic compiled for a model and answers which of three ways may
build an instance: 1, the guard's field table; 2, pydantic-core's inner field validator; 3, the model's
own validator. Each schema dict is held against a whitelist of keys *and* values: what is not known here
is refused, with the reason, so a newer pydantic or an unusual model is slower and never different.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from inspect import getattr_static
from threading import RLock
from typing import TYPE_CHECKING, Any, get_origin
from weakref import WeakValueDictionary

import pydantic  # its names are looked up when used: BaseModel costs as much to import as the rest of it
from pydantic_core import SchemaValidator

from .._backend import executor, guards
from .._builds import build_lock

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..types._known import Known

__all__ = [
    "TESTED_PYDANTIC",
    "FieldSpec",
    "InputsSpec",
    "analyze",
    "approve_guard",
    "builder_for",
    "forced_builder",
    "guard_status",
    "model_of",
    "self_test",
]

TESTED_PYDANTIC = ("2.10", "2.11", "2.12", "2.13", "2.14")

INT, FLOAT, STR, BOOL, NONE, ANY, CARD, IBAN, PHONE, HTML, CALL = range(1, 12)
_CODES = {"int": INT, "float": FLOAT, "str": STR, "bool": BOOL, "none": NONE, "any": ANY}
_OWN_CODES = {"card": CARD, "iban": IBAN, "phone": PHONE, "html": HTML, "call": CALL}
_SCALARS = (int, float, str, bool, type(None))
_I64 = (-(2**63), 2**63 - 1)
_LENGTH = 2**31 - 1
_EXACT_DOUBLE = 2**53
_IS_ABSTRACT = 1 << 20  # Py_TPFLAGS_IS_ABSTRACT
_SLOTS = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


_Call = Callable[[Any], Any]


class _Refused(Exception):
    """Why a model or field is not known here."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a guarded model: exact type, bounds (inclusive) or lengths, default.

    ``known`` is what a type of this package says about itself (``types._known``). ``bounded`` says whether
    ``lo..hi``, ``flo..fhi`` or the lengths mean anything; ``finite`` refuses nan and infinity; ``judged``
    says that what a value outside the range violates is known by the side it is on.
    """

    name: str
    code: int
    optional: bool = False
    required: bool = True
    default: Any = None
    bounded: bool = False
    finite: bool = False
    judged: bool = False
    lo: int = _I64[0]
    hi: int = _I64[1]
    flo: float = -math.inf
    fhi: float = math.inf
    min_length: int = 0
    max_length: int = _LENGTH
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class InputsSpec:
    """A model as the twins need it; ``reason`` says why ``level`` is not 1."""

    model: type[BaseModel]
    validator: Any
    level: int
    reason: str = ""
    fields: tuple[FieldSpec, ...] = ()
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    config: Mapping[str, Any] | None = field(default=None, repr=False)

    def validation(self) -> tuple[bool, _Call, _Call]:
        """Return (do the calls give the instance itself, the call for a dict, the call for JSON).

        Calls that do not give the instance give its dict, its extra values and the names that were set.
        """
        if self.level < 3:
            inner: Any = _build_inner(self.schema, self.config)
            return False, inner.validate_python, inner.validate_json
        return True, *self.whole()

    def whole(self) -> tuple[_Call, _Call]:
        """Return the calls of the model's own validator, for a dict and for JSON."""
        if type(self.validator) is SchemaValidator:
            return self.validator.validate_python, self.validator.validate_json
        late = _Late(self.model)
        return late.from_dict, late.from_json


def _build_inner(schema: Any, config: Any) -> SchemaValidator:
    try:
        # exactly the schema the model was built from, even if a nested model was rebuilt since
        return SchemaValidator(schema, config, _use_prebuilt=False)
    except TypeError:  # pydantic < 2.13 has no such parameter
        return SchemaValidator(schema, config)


class _Late:
    """Looks the validator up at each call: a model that is not built yet, or one behind a plugin."""

    __slots__ = ("_model",)

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def from_dict(self, raw: dict[str, Any]) -> Any:
        return self._model.__pydantic_validator__.validate_python(raw)

    def from_json(self, data: str | bytes | bytearray) -> Any:
        return self._model.__pydantic_validator__.validate_json(data)


# -- the whitelist ---------------------------------------------------------------------------


def _known(where: str, schema: Any, keys: Mapping[str, Callable[[Any], bool]]) -> None:
    """Refuse *schema* unless every key is known and its value is one that changes nothing."""
    if type(schema) is not dict:
        raise _Refused(f"{where}: not a plain dict")
    for key, value in schema.items():
        if key not in keys:
            raise _Refused(f"{where}: {key!r}")
        if not keys[key](value):
            raise _Refused(f"{where}: {key}={value!r:.60}")


def _anything(_: Any) -> bool:
    return True


def _flag(value: Any) -> bool:
    return value is True or value is False


def _none_or_false(value: Any) -> bool:
    return value is None or value is False


def _text(value: Any) -> bool:
    return type(value) is str


def _is(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and value in allowed


def _int_bound(value: Any) -> bool:
    return type(value) is int and _I64[0] <= value <= _I64[1]


def _float_bound(value: Any) -> bool:
    if type(value) is int:
        return abs(value) <= _EXACT_DOUBLE
    return type(value) is float and math.isfinite(value)


def _length(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LENGTH


# serialisation and JSON schema read these; validation does not
_PASSIVE: dict[str, Callable[[Any], bool]] = {"metadata": _anything, "serialization": _anything, "ref": _text}

_MODEL = {
    **_PASSIVE,
    "type": _is("model"),
    "cls": _anything,
    "generic_origin": _anything,
    "schema": _anything,
    "config": _anything,
    "custom_init": _none_or_false,
    "root_model": _none_or_false,
    "post_init": lambda value: value is None,
    "frozen": _flag,
    "revalidate_instances": _is("never", "always", "subclass-instances"),  # for instances; ours are dicts
}
_CONFIG = {
    "title": _text,
    "strict": _flag,
    "extra_fields_behavior": _is("ignore"),
    "hide_input_in_errors": _flag,
    "loc_by_alias": _flag,
    "revalidate_instances": _is("never", "always", "subclass-instances"),
    "ser_json_timedelta": _anything,
    "ser_json_temporal": _anything,
    "ser_json_bytes": _anything,
    "ser_json_inf_nan": _anything,
    "val_json_bytes": _anything,
    "serialize_by_alias": _flag,
    "polymorphic_serialization": _flag,
}
_FIELDS = {
    **_PASSIVE,
    "type": _is("model-fields"),
    "model_name": _text,
    "fields": _anything,
    "computed_fields": lambda value: type(value) is list,
    "extra_behavior": _is("ignore"),
}
_FIELD: dict[str, Callable[[Any], bool]] = {
    "type": _is("model-field"),
    "metadata": _anything,
    "schema": _anything,
    "frozen": _flag,
    "serialization_alias": _anything,
    "serialization_exclude": _anything,
    "serialization_exclude_if": _anything,
}
_DEFAULT = {
    **_PASSIVE,
    "type": _is("default"),
    "schema": _anything,
    "default": _anything,
    "validate_default": _none_or_false,
    "copy_default": _none_or_false,
    "on_error": _is("raise"),
    "default_factory_takes_data": _none_or_false,
}
_NULLABLE = {**_PASSIVE, "type": _is("nullable"), "schema": _anything, "strict": _flag}
_TYPES: dict[str, dict[str, Callable[[Any], bool]]] = {
    "int": {"strict": _flag, "ge": _int_bound, "gt": _int_bound, "le": _int_bound, "lt": _int_bound},
    "float": {
        "strict": _flag,
        "allow_inf_nan": _flag,
        "ge": _float_bound,
        "gt": _float_bound,
        "le": _float_bound,
        "lt": _float_bound,
    },
    "str": {"strict": _flag, "min_length": _length, "max_length": _length},
    "bool": {"strict": _flag},
    "none": {},
    "any": {},
}
_TYPES = {name: {**_PASSIVE, "type": _is(name), **keys} for name, keys in _TYPES.items()}


# -- one field ---------------------------------------------------------------------------------


def _field(name: Any, schema: Any) -> FieldSpec:
    if type(name) is not str:
        raise _Refused(f"field {name!r}: its name is not a plain str")
    where = f"field {name!r}"
    _known(where, schema, _FIELD)
    inner = schema["schema"]
    found: dict[str, Any] = {}
    if isinstance(inner, dict) and inner.get("type") == "default":
        _known(where, inner, _DEFAULT)
        if "default" not in inner:
            raise _Refused(f"{where}: default that is not a scalar")
        found.update(required=False, default=inner["default"])
        inner = inner["schema"]
    if isinstance(inner, dict) and inner.get("type") == "nullable":
        _known(where, inner, _NULLABLE)
        found["optional"] = True
        inner = inner["schema"]
    kind: Any = inner.get("type") if isinstance(inner, dict) else None
    known = _own(inner) if type(kind) is str and kind.startswith("function-") else None
    if known is None and kind not in _TYPES:
        raise _Refused(f"{where}: type {kind!r}")
    scalars = _SCALARS if known is None or known.cls is None else (*_SCALARS, known.cls)
    if not found.get("required", True) and type(found["default"]) not in scalars:
        raise _Refused(f"{where}: default that is not a scalar")
    if known is not None:
        return FieldSpec(sys.intern(name), _OWN_CODES[known.kind], known=known, **found)
    _known(where, inner, _TYPES[kind])
    found.update(_limits(_CODES[kind], inner))
    return FieldSpec(sys.intern(name), _CODES[kind], **found)


def _own(schema: Any) -> Known | None:
    """What a type of this package says of a field with *schema*; None for any other type.

    Asked is the owner of each function in it, the outermost first.
    """
    inner = schema
    while type(inner) is dict and type(inner.get("function")) is dict:
        owner: Any = getattr(inner["function"].get("function"), "__self__", None)
        if getattr_static(owner, "__foobara_guard__", None) is not None:
            from ..types._known import Known

            found = owner.__foobara_guard__(schema)
            return found if type(found) is Known else None
        inner = inner.get("schema")
    return None


def _limits(code: int, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Bounds as one inclusive range; an empty range is kept, and nothing passes it."""
    if code == INT:
        steps = {"ge": 0, "gt": 1, "le": 0, "lt": -1}
        bounds = {key: schema[key] + step for key, step in steps.items() if key in schema}
        low = max(bounds.get("ge", _I64[0]), bounds.get("gt", _I64[0]))
        high = min(bounds.get("le", _I64[1]), bounds.get("lt", _I64[1]))
        if low > _I64[1] or high < _I64[0]:
            raise _Refused("a bound that no C long satisfies")
        return {"lo": low, "hi": high, "bounded": bool(bounds), "judged": _one_a_side(bounds)}
    if code == FLOAT:
        reals = {key: float(schema[key]) for key in ("ge", "gt", "le", "lt") if key in schema}
        # v > g means v >= the next double above g, for a finite g and any v that is not nan
        over = math.nextafter(reals["gt"], math.inf) if "gt" in reals else -math.inf
        under = math.nextafter(reals["lt"], -math.inf) if "lt" in reals else math.inf
        return {
            "flo": max(reals.get("ge", -math.inf), over),
            "fhi": min(reals.get("le", math.inf), under),
            "bounded": bool(reals),
            "judged": _one_a_side(reals),
            "finite": schema.get("allow_inf_nan") is False,
        }
    if code == STR:
        lengths = {key: schema[key] for key in ("min_length", "max_length") if key in schema}
        judged = lengths.get("min_length", 0) <= lengths.get("max_length", _LENGTH)
        return {**lengths, "bounded": bool(lengths), "judged": judged}
    return {}


def _one_a_side(bounds: Mapping[str, Any]) -> bool:
    return not ({"ge", "gt"} <= bounds.keys() or {"le", "lt"} <= bounds.keys())


# -- one model ---------------------------------------------------------------------------------


def _stock(model: type[BaseModel]) -> None:
    """Refuse a model whose instances pydantic does not build the plain way."""
    if not isinstance(model, type) or not issubclass(model, pydantic.BaseModel):
        raise _Refused("not a pydantic model")
    if getattr_static(model, "__new__") is not getattr_static(object, "__new__"):
        raise _Refused("its own __new__")
    if getattr_static(model, "__init__") is not getattr_static(pydantic.BaseModel, "__init__"):
        raise _Refused("its own __init__")
    if getattr_static(type(model), "__call__") is not getattr_static(type(pydantic.BaseModel), "__call__"):
        raise _Refused("a metaclass with its own __call__")
    for name in _SLOTS:
        if getattr_static(model, name) is not getattr_static(pydantic.BaseModel, name):
            raise _Refused(f"its own {name}")
    if model.__flags__ & _IS_ABSTRACT:
        raise _Refused("an abstract class")


def _inner(model: type[BaseModel]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the core schema of the fields and the config, for a model that level 2 may build."""
    schema: Any = model.__dict__.get("__pydantic_core_schema__")
    shared: dict[str, Any] | None = None
    if type(schema) is dict and schema.get("type") == "definitions":
        shared, schema = schema, schema["schema"]  # models used more than once; recursive ones are refs
    if type(schema) is not dict or schema.get("type") != "model":
        raise _Refused("a recursive model, or validators around the model")
    _known("model", schema, _MODEL)
    if schema["cls"] is not model:
        raise _Refused("the schema of another class")
    inner, config = schema["schema"], schema.get("config")
    if type(inner) is not dict or inner.get("type") != "model-fields":
        raise _Refused("validators around the fields")
    if type(config) is not dict or type(config.get("title")) is not str:
        raise _Refused("a config without title")
    if inner.get("from_attributes") or config.get("from_attributes"):
        raise _Refused("from_attributes")
    if shared is not None:
        inner = {"type": "definitions", "schema": inner, "definitions": shared["definitions"]}
    return inner, config


def _table(inner: dict[str, Any], config: dict[str, Any]) -> tuple[FieldSpec, ...]:
    _known("config", config, _CONFIG)
    _known("fields", inner, _FIELDS)
    if type(inner["fields"]) is not dict:
        raise _Refused("fields: not a plain dict")
    if len(inner["fields"]) > guards.FIELD_LIMIT:
        raise _Refused(f"more than {guards.FIELD_LIMIT} fields")
    return tuple(_field(name, schema) for name, schema in inner["fields"].items())


def analyze(model: type[BaseModel]) -> InputsSpec:
    """Return how instances of *model* may be built; a model that is not built yet is built first."""
    return _analyze(model, _state())


def _analyze(model: type[BaseModel], guard: _Guard) -> InputsSpec:
    if type(model.__dict__.get("__pydantic_validator__")) is not SchemaValidator:
        with build_lock:
            # depth 0: names come from the model's module and its own parent namespace, never from our frames.
            # Without *force* it does nothing where another thread was faster.
            model.model_rebuild(raise_errors=False, _parent_namespace_depth=0)
    validator = model.__dict__.get("__pydantic_validator__")
    if type(validator) is not SchemaValidator:
        shown = type(model.__pydantic_validator__).__name__
        return InputsSpec(model, model.__pydantic_validator__, 3, f"validator of type {shown}")
    if not guard.on:
        return InputsSpec(model, validator, 3, guard.reason)
    try:
        _stock(model)
        inner, config = _inner(model)
    except _Refused as refused:
        return InputsSpec(model, validator, 3, str(refused))
    try:
        fields = _table(inner, config)
    except _Refused as refused:
        return InputsSpec(model, validator, 2, str(refused), schema=inner, config=config)
    return InputsSpec(model, validator, 1, "", fields, inner, config)


def model_of(command_class: Any) -> type[BaseModel]:
    """Return the inputs type of *command_class*. Raises TypeError unless it is a Pydantic model."""
    name = command_class.__qualname__
    method = command_class.inputs_type
    if isinstance(method, type) or not callable(method):
        given = "a class" if isinstance(method, type) else type(method).__name__
        raise TypeError(
            f"{name}.inputs_type is {given} where a method belongs; "
            "declare class YourCommand(Command[YourInputs, YourResult])"
        )
    model = method()
    if isinstance(model, type) and issubclass(model, pydantic.BaseModel) and model is not pydantic.BaseModel:
        return model
    # Never the repr of an instance: it may hold a secret.
    named = model is None or isinstance(model, type) or get_origin(model) is not None
    raise TypeError(
        f"{name}.inputs_type() returned {model if named else f'an instance of {type(model).__name__}'}: "
        "inputs must be a Pydantic model, a class derived from BaseModel; "
        "declare class YourCommand(Command[YourInputs, YourResult])"
    )


# a builder owns its model, so the cache must not own the builder: plans do
_builders: WeakValueDictionary[int, guards.InputsBuilder] = WeakValueDictionary()


def builder_for(model: type[BaseModel]) -> guards.InputsBuilder:
    """Return the builder of *model*, made anew when the model's validator was replaced.

    Kept only while somebody holds it.
    """
    builders = _builders  # that of now: approve_guard begins another one, which must get none from before
    found = builders.get(id(model))
    if found is not None and found.model is model and found.validator is model.__pydantic_validator__:
        return found
    made = guards.InputsBuilder(analyze(model), builder_for)
    builders[id(model)] = made
    return made


def forced_builder(model: type[BaseModel]) -> guards.InputsBuilder:
    """Return a builder of *model* with the guard on, whatever was decided; plans made meanwhile use it.

    For ``check`` and its own models. Raises ImportError where BaseModel keeps its parts elsewhere.
    """
    made = guards.InputsBuilder(_analyze(model, _Guard(True, "")), builder_for)
    _builders[id(model)] = made
    return made


# -- may the guard be used at all ----------------------------------------------------------------


@dataclass(slots=True)
class _Guard:
    on: bool
    reason: str
    decided: bool = True


_guard = _Guard(False, "not decided", decided=False)
_deciding = RLock()


def _state() -> _Guard:
    """Whether the guard is on: decided with the first model, as the self-test loads most of pydantic."""
    if not _guard.decided:
        with _deciding:
            if not _guard.decided:
                _decide()
    return _guard


def guard_status() -> tuple[bool, str]:
    """Return whether levels 1 and 2 are in use, and why."""
    guard = _state()
    return guard.on, guard.reason


def approve_guard() -> None:
    """Use the guard on a pydantic that is newer than the tested ones, after ``check`` passed on it.

    Commands that have run already use it from their next run on. It stays off where the self-test differs.
    """
    global _builders
    with _deciding:
        difference = self_test()
        _set(not difference, difference or "approved by check")
        _builders = WeakValueDictionary()
    executor.bump_epoch()


def _set(on: bool, reason: str) -> None:
    _guard.on, _guard.reason, _guard.decided = on, reason, True


# Of each field of the sample, values on either side of each bound; every one is held against pydantic alone,
# as one that is refused would hide another in the same call that is let pass. Of those that are refused for
# the same reason there are two: the second is what a verdict learnt from the first has to tell.
_EDGES: dict[str, tuple[Any, ...]] = {
    "whole": (-7, -6, -5, 4, 5, 6, True, 1.0, "2", "a", "b", None, 2**70),
    "count": (-1, 0, 1, 9, 10, 11),
    "real": (-1.5, -0.5, -0.0, 0.5, 1.0, 1.5, math.nan, 1, "?", "!", []),
    "share": (-0.5, 0.0, 5e-324, 1.0, 1.5, 2.5, None, True),
    "finite": (math.inf, -math.inf, math.nan, 1e308),
    "text": ("", "a", "abc", "abcd", "abcde", "\u20ac", "\ud800", b"b", None, 1),
    "flag": (True, False, 1, None, "a"),
    "nothing": (None, 0),
    "anything": (object, [1]),
    "other": (1,),
}


def self_test() -> str:
    """Build a model with every kind of bound each way; return what differs, or nothing."""

    class Sample(pydantic.BaseModel):
        whole: int = pydantic.Field(ge=-5, lt=5)
        count: int = pydantic.Field(1, gt=0, le=9)
        real: float = pydantic.Field(0.5, ge=0, lt=1)
        share: float | None = pydantic.Field(None, gt=0, le=1)
        finite: float = pydantic.Field(0.0, allow_inf_nan=False)
        text: str = pydantic.Field("x", min_length=1, max_length=3)
        flag: bool = False
        nothing: None = None
        anything: Any = None

    given: list[dict[str, Any]] = [{"whole": 1, name: value} for name in _EDGES for value in _EDGES[name]]
    given += [{}, {"count": 2}, {"anything": 1, "whole": 4}, {"whole": 5, "text": "abcd", "real": "?"}]
    spec = _analyze(Sample, _Guard(True, ""))
    if spec.level != 1:
        return f"a plain model is not recognised: {spec.reason}"
    # At level 2 pydantic-core decides about the values; a few show how the instance is put together.
    inner = InputsSpec(Sample, spec.validator, 2, "self-test", (), spec.schema, spec.config)
    for known, arguments in ((spec, given), (inner, given[-4:])):
        try:
            builder = guards.InputsBuilder(known, None)
        except ImportError as error:  # BaseModel keeps its parts elsewhere
            return str(error)
        for raw in arguments:
            difference = _differs(builder, raw)
            if difference:
                return f"level {known.level} differs from pydantic: {difference}"
    return ""


def _differs(builder: guards.InputsBuilder, raw: dict[str, Any]) -> str:
    """Return what *builder* makes of *raw* by one of its ways and pydantic otherwise, or nothing."""
    validator = builder.validator
    theirs = _seen(validator.validate_python, raw)
    verdict = [(each["loc"], each["type"], each["msg"]) for each in theirs[1]] if len(theirs) == 2 else theirs
    pairs = [(_seen(builder.build_dict, raw), theirs)]
    judged = _seen(lambda given: _judged(builder, given), raw)
    pairs.append((judged, verdict if isinstance(judged, list) else theirs))
    with suppress(TypeError, ValueError):  # what is no JSON
        data = json.dumps(raw)
        pairs.append((_seen(builder.build_json, data), _seen(validator.validate_json, data)))
    # The texts, as nan is not equal to itself.
    return next((f"{a!r} for {b!r}" for a, b in pairs if a != b and repr(a) != repr(b)), "")


def _judged(builder: guards.InputsBuilder, raw: dict[str, Any]) -> Any:
    made, rows = builder.judge_args(tuple(raw), tuple(raw.values()))
    return made if rows is None else [row[:3] for row in rows]


@cache
def _slot_getters() -> tuple[_Call, ...]:
    return tuple(getattr_static(pydantic.BaseModel, name).__get__ for name in _SLOTS)


def _seen(build: Callable[[Any], Any], raw: Any) -> Any:
    try:
        made = build(dict(raw) if isinstance(raw, dict) else raw)
    except pydantic.ValidationError as error:
        return error.title, error.errors(include_url=False)
    if isinstance(made, list):
        return made
    slots = [get(made) for get in _slot_getters()]
    # As text: 1, 1.0 and True are equal.
    return type(made), repr(list(slots[0].items())), slots[1:]


def _decide() -> None:
    minor = ".".join(pydantic.VERSION.split(".")[:2])
    if minor not in TESTED_PYDANTIC:
        tested = ", ".join(TESTED_PYDANTIC)
        _set(False, f"pydantic {pydantic.VERSION} is not one of {tested}")
        return
    difference = self_test()
    _set(not difference, difference or f"pydantic {pydantic.VERSION}, self-test passed")
