"""JSON schemas that show no secret; loaded with the first of them, for what it imports is slow to load."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from .._reports import marked_defaults

__all__ = ["WithoutMarkedDefaults"]


class WithoutMarkedDefaults(GenerateJsonSchema):
    """Pydantic's generator, without the defaults of fields that are or hold what is marked sensitive.

    Pydantic writes a default as it is, and that of a field marked ``__foobara_sensitive__`` may be a plain
    ``str``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By identity: nothing in the schema of a default tells whose it is.
        self._marked: dict[int, Any] = {}

    def model_schema(self, schema: Any) -> Any:
        """Return the JSON schema of a model."""
        self._look(schema)
        return super().model_schema(schema)

    def dataclass_schema(self, schema: Any) -> Any:
        """Return the JSON schema of a dataclass."""
        self._look(schema)
        return super().dataclass_schema(schema)

    def named_tuple_schema(self, schema: Any) -> Any:
        """Return the JSON schema of a named tuple."""
        self._hide(schema["cls"], schema["fields"])
        return super().named_tuple_schema(schema)

    def call_schema(self, schema: Any) -> Any:
        """Return the JSON schema of a call, which is what earlier Pydantic makes of a named tuple."""
        if isinstance(schema["function"], type):
            self._hide(schema["function"], schema["arguments_schema"]["arguments_schema"])
        return super().call_schema(schema)

    def default_schema(self, schema: Any) -> Any:
        """Return the JSON schema of something with a default; that of a marked field is left out."""
        if id(schema) in self._marked:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def _look(self, schema: Any) -> None:
        fields: Any = schema["schema"]
        while isinstance(fields, dict) and "fields" not in fields:
            fields = fields.get("schema")
        self._hide(schema["cls"], fields["fields"] if fields else {"root": schema["schema"]})

    def _hide(self, cls: type[Any], fields: Any) -> None:
        named = fields if isinstance(fields, dict) else {each["name"]: each for each in fields}
        for name in marked_defaults(cls):
            inner = named.get(name)
            # Validators may stand around a default.
            while inner is not None and inner.get("type") != "default":
                inner = inner.get("schema")
            if inner is not None:
                self._marked[id(inner)] = inner
