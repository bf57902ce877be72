"""pydantic's errors in the words of a person who writes topology files.

pydantic finds every broken value at once and says where; what it says ("Input should be a valid tuple") speaks of
Python. Here each of its error types becomes a `Broken`: the path in the file, what is wrong and what would be right.
The keys, their descriptions and an example of each are in the model, so nothing is written twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from labctl.topology.model import (
    Check,
    Dns,
    Engine,
    Exec,
    ExecLine,
    File,
    Http,
    Impair,
    Interface,
    LabHost,
    LossBounds,
    Namespace,
    Nc,
    Neighbour,
    NextHop,
    Ping,
    Program,
    Ready,
    Route,
    RouteLookup,
    RttBounds,
    Rule,
    Throughput,
    Topology,
    TunnelEndpoint,
)
from labctl.topology.model.base import OF_NO_FILE
from labctl.topology.unknown_names import did_you_mean, listed, nearest
from labctl.topology.values import shape
from labctl.topology.yaml_tree import Key, Path

_KEY = "[key]"  # how pydantic ends a location that means the key of a mapping itself

_KINDS: dict[str, type[BaseModel]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(Interface)[0])
}

_TYPES = {
    "dict_type": "a mapping (KEY: VALUE)",
    "model_type": "a mapping (KEY: VALUE)",
    "model_attributes_type": "a mapping (KEY: VALUE)",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_PROBES: dict[str, tuple[type[BaseModel], str]] = {
    "ping": (Ping, "a ping"),
    "nc": (Nc, "an nc"),
    "throughput": (Throughput, "a throughput"),
    "exec": (Exec, "an exec"),
    "http": (Http, "an http"),
    "dns": (Dns, "a dns"),
    "route": (RouteLookup, "a route"),
}

_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
}


ModelAt = Callable[[Path, tuple[str | int, ...]], tuple[type[BaseModel], str]]
"""Return the model of the mapping at a path of a file, and what messages call it; pydantic's own location besides."""


@dataclass(frozen=True)
class Broken:
    """A value that is wrong by itself."""

    path: Path
    what: str
    hint: str
    cut: Path  # what to leave out so that the rest of the file can be read
    meant: Path  # where the value would stand were it right: what is missed there is a consequence


def worded(errors: Iterable[ErrorDetails], models: ModelAt | None = None) -> Iterator[Broken]:
    """Yield every error once: not that a key is missing where it is there, misspelled.

    `models` says what is at a path of another kind of file than a topology.
    """
    found = [(error, _worded(error, *_place(error["loc"], error["type"]), models or model_at)) for error in errors]
    misspelled = {broken.meant for error, broken in found if error["type"] == "extra_forbidden"}
    for error, broken in found:
        if error["type"] != "missing" or (*broken.cut, error["loc"][-1]) not in misspelled:
            yield broken


def _place(location: tuple[str | int, ...], type_: str) -> tuple[Path, bool]:
    """Return the path in the file, where pydantic adds the kind of an interface, and whether its key is meant."""
    match location:
        case ("namespaces", _, "interfaces", _, kind, *rest) if kind != _KEY:
            location = (*location[:4], *rest)
    if location[-1:] == (_KEY,) and type_ != "extra_forbidden":
        return location[:-1], True
    return location, False


def _worded(error: ErrorDetails, path: Path, is_key: bool, models: ModelAt) -> Broken:
    value, context, type_ = error["input"], error.get("ctx", {}), error["type"]
    at, cut, meant = path, path, path
    name = repr(path[-1]) if path and isinstance(path[-1], str) else f"an item of {path[-2]!r}" if path else "the file"
    match type_:
        case "mistake":
            what, hint = context["what"], context["hint"]
            at = _to_key(path) if is_key else path
        case "extra_forbidden":
            model, noun = models(path[:-1], error["loc"])
            known, key = _fields(model), str(path[-1])
            what, hint = f"unknown key {key!r} in {noun}", did_you_mean(key, known)
            at, meant = _to_key(path), (*path[:-1], nearest(key, known) or key)
        case "missing":
            model, noun = models(path[:-1], error["loc"])
            what, hint = f"the key {name} is missing in {noun}", _example(str(path[-1]), _fields(model)[str(path[-1])])
            at = cut = meant = path[:-1]
        case "union_tag_not_found":
            what = "the key 'kind' is missing in an interface"
            hint = f"for example kind: dummy; known here: {listed([*_KINDS])}"
            misspelled = nearest("kind", map(str, value)) if isinstance(value, dict) else None
            if misspelled:
                what, hint = f"unknown key {misspelled!r} in an interface", "did you mean 'kind'?"
                at = _to_key((*path, misspelled))
        case "union_tag_invalid":
            kind = value["kind"]
            what, hint = f"there is no interface of kind {shape(kind)}", did_you_mean(str(kind), _KINDS)
            at = (*path, "kind")
        case "literal_error":
            choices = re.findall("'([^']*)'", context["expected"])
            what, hint = f"{name} cannot be {shape(value)}", did_you_mean(str(value), choices)
        case "too_short":
            what, hint = f"{name} is empty", "write some, or leave the key out"
            if path == ("namespaces",):
                hint = "a lab has at least one namespace, for example siteA: {}"
        case "string_too_short":
            what, hint = f"{name} is empty", "write some text, or leave the key out"
        case "string_too_long":
            what, hint = f"{name} has {len(value)} characters", f"at most {context['max_length']} are allowed"
        case _ if type_ in _BOUNDS:
            bound, words = _BOUNDS[type_]
            what, hint = f"{name} is {value}", f"it must be {words} {context[bound]:.10g}"
        case _ if type_ in _TYPES:
            what = f"{name} must be {_TYPES[type_]}, found {shape(value)}"
            hint = _right_form(type_, value, path[-1]) if path else "it begins with `name:` and `namespaces:`"
        case _:
            what, hint = f"{name} cannot be {shape(value)}", error["msg"]
    return Broken(at, what, hint, cut, meant)


def _to_key(path: Path) -> Path:
    return (*path[:-1], Key(path[-1]))


def _right_form(type_: str, value: Any, key: str | int) -> str:
    if type_ == "string_type" and isinstance(value, (bool, int, float)):
        return f'put it in quotes: "{shape(value)}"'
    if key in ("loss", "rtt"):
        return f"for example {key}: {{at_most: {value}}}"
    if type_ == "model_attributes_type":
        return "for example {kind: dummy}"
    if type_ == "tuple_type" and isinstance(value, (str, int)):
        return f"a list of one: [{shape(value)}]"
    return ""


def _example(key: str, field: FieldInfo) -> str:
    example = json.dumps(field.examples[0]) if field.examples else "..."
    plain = example.strip('"')
    return f"for example {key}: {example if ':' in plain and example != plain else plain}"


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the keys that a file has for them."""
    return {
        field.alias or name: field for name, field in model.model_fields.items() if OF_NO_FILE not in field.metadata
    }


def model_at(path: Path, location: tuple[str | int, ...]) -> tuple[type[BaseModel], str]:
    """Return the model of the mapping at a path, and what messages call it."""
    match path:
        case ("namespaces", _, "interfaces", _):
            kind = str(location[4])  # where pydantic names it
            return _KINDS[kind], f"an interface of kind {kind}"
        case ("namespaces", _, "routes", _):
            return Route, "a route"
        case ("namespaces", _, "routes", _, "nexthops", _):
            return NextHop, "a next hop"
        case ("namespaces", _, "rules", _):
            return Rule, "a rule"
        case ("namespaces", _, "neighbours", _):
            return Neighbour, "a neighbour"
        case ("namespaces", _, "exec", _):
            return ExecLine, "an exec line"
        case ("namespaces", _, "files", _):
            return File, "a file"
        case ("namespaces", _, "programs", _):
            return Program, "a program"
        case ("namespaces", _, "programs", _, "ready"):
            return Ready, "`ready`"
        case ("namespaces", _):
            return Namespace, "a namespace"
        case ("hosts", _):
            return LabHost, "a host"
        case ("ttun", _, "engine"):
            return Engine, "an engine"
        case ("ttun", _, "impair" | "impair_in"):
            return Impair, "an impairment"
        case ("ttun", _):
            return TunnelEndpoint, "an endpoint of ttun"
        case ("checks", _, "ping", "loss"):
            return LossBounds, "a loss"
        case ("checks", _, "ping", "rtt"):
            return RttBounds, "a round-trip time"
        case ("checks", _, kind) if kind in _PROBES:
            return _PROBES[str(kind)]
        case ("checks", _):
            return Check, "a check"
    return Topology, "a topology"
