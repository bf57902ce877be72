"""Frozen dataclasses that are quick to define.

dataclass() writes and compiles the source of each method for each class, which is a fifth of a start of labctl. What
compares, hashes and shows values is the same for all classes, so it is written here, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Return a class as a dataclass whose values are never changed, are equal by their fields, and can be keys."""
    return by_fields(dataclass(frozen=True, eq=False, repr=False)(cls))


def by_fields(cls: type[T]) -> type[T]:
    """Have the values of a dataclass compared, hashed and shown by all of its fields; return the class."""
    names = [each.name for each in fields(cls)]  # type: ignore[arg-type]  # a dataclass
    values = attrgetter("__class__", *names)

    def equal(self: T, other: object) -> bool:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    def hash_(self: T) -> int:
        return hash(values(self))

    def shown(self: T) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    methods: dict[str, Any] = {"__eq__": equal, "__hash__": hash_, "__repr__": shown}
    for name, method in methods.items():
        setattr(cls, name, method)
    return cls
