"""Frozen dataclasses that are quick to define.

dataclass() writes and compiles the source of each method for each class, which is two fifths of a start of labctl. What
compares, hashes and shows values, and keeps them as they are, is the same for all classes, so it is written here, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Return a class as a dataclass whose values are never changed, are equal by their fields, and can be keys."""
    return by_fields(cls, kw_only=False)


def by_fields(cls: type[T], *, kw_only: bool) -> type[T]:
    """Return a class as `frozen` does; the fields of its values are named where they are made, if `kw_only` says so."""
    cls.__doc__ = cls.__doc__ or cls.__name__  # else dataclass() works out a signature to show there
    dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
    names = [each.name for each in fields(cls)]  # type: ignore[arg-type]  # a dataclass
    values = attrgetter("__class__", *names)

    def equal(self: T, other: object) -> bool:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    def hash_(self: T) -> int:
        return hash(values(self))

    def shown(self: T) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    methods: dict[str, Any] = {
        "__init__": vars(cls).get("__init__") or _maker(cls),
        "__eq__": equal,
        "__hash__": hash_,
        "__repr__": shown,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    for name, method in methods.items():
        setattr(cls, name, method)
    return cls


def _maker(cls: type[T]) -> Callable[..., None]:
    """Return what takes the fields of a dataclass, as the constructor does that dataclass() writes."""
    every = fields(cls)  # type: ignore[arg-type]  # a dataclass
    known: dict[str, Any] = {"set_": object.__setattr__, "absent": MISSING}
    taken, lines = ["self"], ["pass"]
    for each in sorted(every, key=attrgetter("kw_only")):
        name, value = each.name, each.name
        if each.kw_only and "*" not in taken:
            taken.append("*")
        if each.default_factory is not MISSING:
            known[f"new_{name}"] = each.default_factory
            name, value = f"{name}=absent", f"new_{name}() if {name} is absent else {name}"
        elif each.default is not MISSING:
            known[f"usual_{name}"] = each.default
            name = f"{name}=usual_{name}"
        taken.append(name)
        lines.append(f"set_(self, {each.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(taken)}): {'; '.join(lines)}", known)
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _refuse(_: object, name: str, *__: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")
