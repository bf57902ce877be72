"""What all models of the file are: frozen dataclasses, whose fields are the keys of a mapping of the file.

How a key is written and read stands in the annotation of its field, and what else is said of it in `key`. Annotations
stay text until something is read (reading.py) or described (json_schema.py): a topology that was read before, that of a
running lab, needs no parsers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

from labctl.frozen import by_fields

M = TypeVar("M", bound="Model")
ModelClass = Any
"""type[Model], which mypy does not take for hashable."""


def key(*, default: Any = MISSING, description: str = "", examples: Iterable[Any] = (), **more: Any) -> Any:
    """Return a field that a file can have.

    `more` are its bounds, as of markers.Bounded.
    """
    facts = {"description": description, "examples": [*examples], **more}
    return field(default_factory=dict, metadata=facts) if default == {} else field(default=default, metadata=facts)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(key, field))
class Model:
    """The base of all: made by keyword, never changed. A field that is no `key` is in no file: labctl fills it in."""

    CALLED: ClassVar[str] = ""
    """What messages call a mapping of this kind."""

    ALSO: ClassVar[Any] = None
    """The type of another form in which it may be written; `in_full` returns what that stands for."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls, called: str = "") -> None:
        super().__init_subclass__()
        cls.CALLED = called
        by_fields(cls, kw_only=True)

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return the mapping that is meant by what is written: itself, where there is no shorter form."""
        return written

    @classmethod
    def read(cls, written: object) -> Self:
        """Return what the plain values of a file say. Raise ValueError where they are wrong by themselves."""
        from labctl.topology.reading import read  # which loads the parsers

        model, broken = read(cls, written)
        if model is None:
            raise ValueError("; ".join(f"{'.'.join(map(str, one.path))}: {one.what}" for one in broken))
        return model

    def written(self) -> dict[str, Any]:
        """Return it as the plain values of a file; a key is absent where the value is what an absent one means."""
        model: ModelClass = type(self)
        values = {word: (each, getattr(self, each.name)) for word, each in keys_of(model).items()}
        return {word: _plain(value) for word, (each, value) in values.items() if value != absent_value(each)}

    def replace(self, **values: Any) -> Self:
        """Return the same with other values in some fields. They are of the model, and not judged again."""
        return made(type(self), {**vars(self), **values})


def made(cls: type[M], values: Mapping[str, Any]) -> M:
    """Return a model of values that are right, one for each of its fields."""
    model = object.__new__(cls)
    vars(model).update(values)
    return model


@cache
def keys_of(cls: ModelClass) -> Mapping[str, Field[Any]]:
    """Return the fields of a model by the keys of a file: `from_` is `from`, which is a word of Python."""
    return {each.name.removesuffix("_"): each for each in fields(cls) if each.metadata}


def absent_value(of: Field[Any]) -> Any:
    """Return what a field is where its key is absent, MISSING where it may not be."""
    return of.default if of.default_factory is MISSING else of.default_factory()


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.written()
    if isinstance(value, dict):
        return {str(name): _plain(below) for name, below in value.items()}
    if type(value) in (list, tuple):
        return [_plain(below) for below in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
