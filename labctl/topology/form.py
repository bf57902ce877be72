"""The annotations of a model, taken apart: what reading.py reads by, and json_schema.py describes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import Field
from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from labctl.topology import fields
from labctl.topology.markers import Bounded, Described, Kinds, Parsed
from labctl.topology.model.base import Model, ModelClass, keys_of


class Form(NamedTuple):
    """What a value may be: of a type, or None, too, where it is optional."""

    type: Any
    optional: bool = False
    parsed: tuple[Parsed, ...] = ()
    described: Described | None = None
    bounded: Bounded = Bounded()
    kinds: Kinds | None = None

    @property
    def origin(self) -> Any:
        """Return the type without what is in its brackets: tuple, dict, Literal, Union."""
        origin = get_origin(self.type)
        return Union if origin is UnionType else origin or self.type

    @property
    def inside(self) -> tuple[Any, ...]:
        """Return what is in the brackets of the type."""
        return get_args(self.type)


def form_of(annotation: Any, bounded: Bounded | None = None) -> Form:
    """Return an annotation taken apart, with the bounds of its key."""
    said: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, said = get_args(annotation)[0], get_args(annotation)[1:]
    form = Form(annotation)
    if form.origin is Union and NoneType in form.inside:
        return form_of(_without_none(form.inside), bounded)._replace(optional=True)
    bounds = bounded or next((one for one in said if isinstance(one, Bounded)), Bounded())
    return Form(
        annotation,
        parsed=tuple(one for one in said if isinstance(one, Parsed)),
        described=next((one for one in said if isinstance(one, Described)), None),
        bounded=bounds,
        kinds=next((one for one in said if isinstance(one, Kinds)), None),
    )


def _without_none(kinds: tuple[Any, ...]) -> Any:
    """Return the union of some types but None."""
    return reduce(or_, (kind for kind in kinds if kind is not NoneType))


@cache
def forms_of(model: ModelClass) -> Mapping[str, Form]:
    """Return the form of each key of a model. Its annotations may have what is in fields.py without importing it."""
    names = {**vars(fields), **vars(sys.modules[model.__module__])}
    hints = get_type_hints(model, localns=names, include_extras=True)
    return {word: form_of(hints[field.name], _bounds_of(field)) for word, field in keys_of(model).items()}


def _bounds_of(field: Field[Any]) -> Bounded | None:
    found = {name: field.metadata[name] for name in Bounded._fields if name in field.metadata}
    return Bounded(**found) if found else None


def is_model(kind: Any) -> bool:
    """Return whether a type is a model."""
    return isinstance(kind, type) and issubclass(kind, Model)
