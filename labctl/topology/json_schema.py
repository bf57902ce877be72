"""The JSON Schema (2020-12) of a model, for editors: every key with its description, as the annotations have it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, Field
from typing import Any, Literal, Union

from labctl.topology.form import Form, form_of, forms_of, is_model
from labctl.topology.markers import Bounded
from labctl.topology.model.base import ModelClass, absent_value, keys_of

Schema = dict[str, Any]
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_BOUNDS = {
    "number": {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"},
    "string": {"min_length": "minLength", "max_length": "maxLength"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "object": {"min_length": "minProperties", "max_length": "maxProperties"},
}
_BOUNDS["integer"] = _BOUNDS["number"]


def schema_of_file(model: ModelClass, name: str) -> Schema:
    """Return the JSON Schema (2020-12) of a file that holds a model; `name` is its identifier, an URN."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, **schema_of(model)}


def schema_of(model: ModelClass) -> Schema:
    """Return the JSON Schema of a model, with a definition of each that is in it."""
    known: dict[str, Schema] = {}
    for each in _within(model, {model: None}):
        known[each.__name__] = _object(each)
    whole = known.pop(model.__name__)
    return {"$defs": dict(sorted(known.items())), **whole} if known else whole


def _within(model: ModelClass, seen: dict[ModelClass, None]) -> dict[ModelClass, None]:
    """Return a model and all that are in it."""
    for form in forms_of(model).values():
        for each in _models(form):
            if each not in seen:
                seen[each] = None
                _within(each, seen)
    return seen


def _models(form: Form) -> Iterator[ModelClass]:
    if is_model(form.type):
        yield form.type
    elif form.origin in (tuple, dict, Union):
        for each in form.inside:
            if each is not Ellipsis:
                yield from _models(form_of(each))


def _object(model: ModelClass) -> Schema:
    keys = keys_of(model)
    properties = {word: _property(word, keys[word], form) for word, form in forms_of(model).items()}
    required = [word for word, field in keys.items() if absent_value(field) is MISSING]
    return {
        "additionalProperties": False,
        "description": inspect.cleandoc(model.__doc__ or ""),
        "properties": properties,
        **({"required": required} if required else {}),
        "title": model.__name__,
        "type": "object",
    }


def _property(word: str, field: Field[Any], form: Form) -> Schema:
    """Return the schema of a key: what is said of the key counts more than what is said of its type."""
    found, default = _of(form), absent_value(field)
    if default is not MISSING:
        found["default"] = [*default] if isinstance(default, tuple) else default
    for fact in ("description", "examples"):
        if field.metadata[fact]:
            found[fact] = field.metadata[fact]
    if not (is_model(form.type) or hasattr(form.type, "_fields")):
        found["title"] = word.replace("_", " ").title()
    return dict(sorted(found.items()))


def _of(form: Form) -> Schema:
    if form.optional:
        return {"anyOf": [_of(form._replace(optional=False)), {"type": "null"}]}
    found = dict(form.described.schema) if form.described else _of_type(form)
    return dict(sorted((found | _bounds(found, form.bounded)).items()))


def _of_type(form: Form) -> Schema:
    if is_model(form.type):
        also = form.type.ALSO
        return _any_of(_reference(form.type), _of(form_of(also))) if also else _reference(form.type)
    if form.kinds is not None:
        kinds = {forms_of(model)["kind"].inside[0]: _reference(model)["$ref"] for model in form.inside}
        discriminator = {"mapping": dict(sorted(kinds.items())), "propertyName": "kind"}
        return {"discriminator": discriminator, "oneOf": [*map(_reference, form.inside)]}
    if form.origin is tuple:
        return {"items": _of(form_of(form.inside[0])), "type": "array"}
    if form.origin is dict:
        return _mapping(*map(form_of, form.inside))
    if form.origin is Literal:
        choices = [*form.inside]
        return {"type": "string", **({"const": choices[0]} if len(choices) == 1 else {"enum": choices})}
    if form.origin is Union:
        return _any_of(*(_of(form_of(each)) for each in form.inside))
    return {"type": _TYPES[form.type]} if form.type in _TYPES else {}


def _mapping(name: Form, below: Form) -> Schema:
    names, values = _of(name), _of(below) or True
    names.pop("type")
    pattern = names.pop("pattern", None)
    found: Schema = {"patternProperties": {pattern: values}} if pattern else {"additionalProperties": values}
    return {**found, "type": "object", **({"propertyNames": names} if names else {})}


def _any_of(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas]}


def _reference(model: ModelClass) -> Schema:
    return {"$ref": f"#/$defs/{model.__name__}"}


def _bounds(schema: Schema, bounded: Bounded) -> Schema:
    """Return what bounds a value, in the words of JSON Schema."""
    words = _BOUNDS.get(schema["type"], {}) if isinstance(schema.get("type"), str) else {}
    values = bounded._asdict()
    return {words[name]: values[name] for name in words if values[name] not in (None, Bounded._field_defaults[name])}
