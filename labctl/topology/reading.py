"""Plain values to a model: what a file says, and every value in it that is wrong by itself, in a person's words.

A reader is made for each type, once it is met, from how it is annotated (form.py). It returns what a value is read as,
and adds what is wrong with it to a list. A model is made when none of its fields has added anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from labctl.topology.form import Form, form_of, forms_of, is_model
from labctl.topology.markers import Kinds, Parsed
from labctl.topology.model.base import Model, ModelClass, absent_value, keys_of, made
from labctl.topology.paths import Key, Path
from labctl.topology.scalars import SCALARS, Unfit
from labctl.topology.unknown_names import did_you_mean, listed, nearest
from labctl.topology.values import Mistaken, shape

M = TypeVar("M", bound=Model)


class Broken(NamedTuple):
    """A value that is wrong by itself."""

    path: Path
    what: str
    hint: str
    cut: Path  # what to leave out so that the rest of the file can be read
    meant: Path  # where the value would stand were it right: what is missed there is a consequence


Reader = Callable[[Any, Path, list[Broken]], Any]


def read(cls: type[M], value: object) -> tuple[M | None, list[Broken]]:
    """Return the model that plain values are, None where they are wrong, and what is wrong with them."""
    broken: list[Broken] = []
    model: ModelClass = cls
    found = _model(model)(value, (), broken)
    return (None if broken else found), broken


def _reader(form: Form) -> Reader:
    """Return what reads a value of some form."""
    read = _of_type(form)
    for parsed in form.parsed:
        read = _parsing(parsed, read)
    if not form.optional:
        return read
    return lambda value, path, broken: None if value is None else read(value, path, broken)


def _of_type(form: Form) -> Reader:
    if is_model(form.type):
        return _model(form.type)
    if form.kinds is not None:
        return _one_of(form.kinds, form.inside)
    if form.origin is tuple:
        return _list(form)
    if form.origin is dict:
        return _mapping(form)
    if form.origin is Literal:
        return _choice(form.inside)
    kinds = form.inside or (form.type,)
    return _scalar(form, kinds) if all(kind in SCALARS for kind in kinds) else _as_it_is


def _as_it_is(value: Any, path: Path, broken: list[Broken]) -> Any:
    """Return a value that its parser has read, or that may be anything."""
    return value


def _parsing(parsed: Parsed, read: Reader) -> Reader:
    def parse(value: Any, path: Path, broken: list[Broken]) -> Any:
        try:
            value = parsed.parse(value)
        except Mistaken as mistaken:
            return broken.append(_at(path, mistaken.what, mistaken.hint))
        return read(value, path, broken)

    return parse


def _scalar(form: Form, kinds: tuple[Any, ...]) -> Reader:
    def scalar(value: Any, path: Path, broken: list[Broken]) -> Any:
        unfit = None
        for kind in kinds if type(value) not in kinds else (type(value),):
            try:
                return SCALARS[kind](value, form.bounded)
            except Unfit as found:
                unfit = unfit or found
        assert unfit is not None
        broken.append(_at(path, f"{_name(path)} {unfit.what}", unfit.hint))

    return scalar


def _choice(choices: tuple[str, ...]) -> Reader:
    def choice(value: Any, path: Path, broken: list[Broken]) -> Any:
        if isinstance(value, str) and value in choices:
            return value
        broken.append(_at(path, f"{_name(path)} cannot be {shape(value)}", did_you_mean(str(value), choices)))

    return choice


def _list(form: Form) -> Reader:
    read = _reader(form_of(form.inside[0]))

    def items(value: Any, path: Path, broken: list[Broken]) -> Any:
        if not isinstance(value, list | tuple):
            hint = f"a list of one: [{shape(value)}]" if isinstance(value, str | int) else ""
            return broken.append(_at(path, f"{_name(path)} must be a list, found {shape(value)}", hint))
        _bound_size(value, form, path, broken)
        return tuple([read(item, (*path, index), broken) for index, item in enumerate(value)])

    return items


def _mapping(form: Form) -> Reader:
    read_name, read = (_reader(form_of(each)) for each in form.inside)

    def mapping(value: Any, path: Path, broken: list[Broken]) -> Any:
        if not isinstance(value, dict):
            return broken.append(_no_mapping(value, path))
        _bound_size(value, form, path, broken)
        found = {}
        for name, below in value.items():
            wrong: list[Broken] = []
            key = read_name(name, (*path, name), wrong)
            broken += [one._replace(path=_to_key(one.path)) for one in wrong]
            found[key] = read(below, (*path, name), broken)
        return found

    return mapping


def _bound_size(value: Any, form: Form, path: Path, broken: list[Broken]) -> None:
    least, most = form.bounded.min_length, form.bounded.max_length
    if len(value) < least:
        few = "is empty" if not value else f"has {len(value)} items"
        hint = form.bounded.where_empty if not value else f"it has at least {least}"
        broken.append(_at(path, f"{_name(path)} {few}", hint))
    elif most is not None and len(value) > most:
        broken.append(_at(path, f"{_name(path)} has {len(value)} items", f"it has {most} at most"))


def _one_of(kinds: Kinds, models: tuple[ModelClass, ...]) -> Reader:
    known = {get_args(forms_of(model)["kind"].type)[0]: model for model in models}

    def one_of(value: Any, path: Path, broken: list[Broken]) -> Any:
        if not isinstance(value, dict):
            return broken.append(_no_mapping(value, path, f"for example {kinds.example}"))
        if "kind" not in value:
            return broken.append(_without_kind(value, path))
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in known:
            what, hint = f"there is no {kinds.called.split()[1]} of kind {shape(kind)}", did_you_mean(str(kind), known)
            return broken.append(Broken((*path, "kind"), what, hint, path, path))
        return _model(known[kind])(value, path, broken)

    def _without_kind(value: dict[str, Any], path: Path) -> Broken:
        if misspelled := nearest("kind", value):
            what, hint = f"unknown key {misspelled!r} in {kinds.called}", "did you mean 'kind'?"
            return Broken(_to_key((*path, misspelled)), what, hint, path, path)
        example = kinds.example.strip("{}")
        return _at(
            path,
            f"the key 'kind' is missing in {kinds.called}",
            f"for example {example}; known here: {listed([*known])}",
        )

    return one_of


@cache
def _model(cls: ModelClass) -> Reader:
    """Return the reader of a model; those of its fields are made when one is read."""

    def model(value: Any, path: Path, broken: list[Broken]) -> Any:
        if isinstance(value, cls):
            return value
        try:
            value = cls.in_full(value)
            if not isinstance(value, dict):
                return broken.append(
                    _no_mapping(value, path, "" if path else "it begins with `name:` and `namespaces:`")
                )
            before = len(broken)
            values = _fields(cls, value, path, broken)
            return None if len(broken) > before else _whole(made(cls, values))
        except Mistaken as mistaken:
            return broken.append(_at(path, mistaken.what, mistaken.hint))

    return model


def _whole(model: Model) -> Model:
    """Return a model whose fields are right, unless it has something against them together. Raise Mistaken."""
    check = getattr(model, "__post_init__", None)
    if check is not None:
        check()
    return model


def _fields(cls: ModelClass, value: Mapping[str, Any], path: Path, broken: list[Broken]) -> dict[str, Any]:
    """Return the fields of a model, those that are written first, in the order in which they are."""
    known, misspelled, values = _readers(cls), set(), {}
    for word, below in value.items():
        if word in known:
            field, read = known[word]
            values[field.name] = read(below, (*path, word), broken)
        else:
            near = nearest(word, known)
            misspelled.add(near)
            at, what = (*path, word), f"unknown key {word!r} in {cls.CALLED}"
            broken.append(Broken(_to_key(at), what, did_you_mean(word, known), at, (*path, near or word)))
    for word, (field, _) in known.items():
        if word not in value:
            values[field.name] = absent_value(field)
            if values[field.name] is MISSING and word not in misspelled:  # it is there, misspelled
                hint = f"for example {word}: {_example(field)}"
                broken.append(_at(path, f"the key {word!r} is missing in {cls.CALLED}", hint))
    return {**values, **_of_no_file(cls)}


@cache
def _readers(cls: ModelClass) -> Mapping[str, tuple[Field[Any], Reader]]:
    keys = keys_of(cls)
    return {word: (keys[word], _reader(form)) for word, form in forms_of(cls).items()}


@cache
def _of_no_file(cls: ModelClass) -> Mapping[str, Any]:
    """Return the fields that no file has, as they are then."""
    others = cls.__dataclass_fields__.keys() - {field.name for field in keys_of(cls).values()}
    return {name: absent_value(cls.__dataclass_fields__[name]) for name in others}


def _example(field: Field[Any]) -> str:
    examples = field.metadata["examples"]
    example = json.dumps(examples[0]) if examples else "..."
    plain = example.strip('"')
    return example if ":" in plain and example != plain else plain


def _no_mapping(value: Any, path: Path, hint: str = "") -> Broken:
    return _at(path, f"{_name(path)} must be a mapping (KEY: VALUE), found {shape(value)}", hint)


def _at(path: Path, what: str, hint: str) -> Broken:
    return Broken(path, what, hint, path, path)


def _name(path: Path) -> str:
    if not path:
        return "the file"
    return repr(path[-1]) if isinstance(path[-1], str) else f"an item of {path[-2]!r}"


def _to_key(path: Path) -> Path:
    return (*path[:-1], Key(path[-1]))
