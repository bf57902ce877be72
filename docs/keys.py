"""The tables of docs/topology.md, made from the JSON Schema of the model: `python -m docs.keys` writes them.

A table stands between `<!-- keys: NAME... -->` and `<!-- end -->`, where each NAME is a definition of the schema, or
Topology for the file as a whole. Several names make one table, which says of each key which kinds have it.
A key whose value is an object of its own links to the heading above the table of that object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labctl.topology.model import json_schema

PAGE = Path(__file__).parent / "topology.md"
MARKED = re.compile(r"<!-- keys: ([\w ]+) -->\n.*?<!-- end -->", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

Schema = dict[str, Any]


def definitions() -> dict[str, Schema]:
    """Return every object that a topology file can contain, by the name of its model."""
    schema = json_schema()
    return {"Topology": schema, **schema["$defs"]}


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def filled(page: str) -> str:
    """Return the page with its tables as the model has them."""
    known, links = definitions(), dict(_links(page))

    def table(found: re.Match[str]) -> str:
        rows = "\n".join(_table({name: known[name] for name in found[1].split()}, links))
        return f"<!-- keys: {found[1]} -->\n\n{rows}\n\n<!-- end -->"

    return MARKED.sub(table, page)


def _links(page: str) -> Iterator[tuple[str, str]]:
    """Yield every model that has a table, and the link to the heading above that."""
    for found in MARKED.finditer(page):
        heading = HEADING.findall(page, 0, found.start())[-1]
        for name in found[1].split():
            yield name, f"[{heading.lower()}](#{anchor(heading)})"


def _table(models: Mapping[str, Schema], links: Mapping[str, str]) -> Iterator[str]:
    columns = ("key", *(("kinds",) if len(models) > 1 else ()), "value", "where absent", "meaning")
    yield _row(columns)
    yield "|" + "---|" * len(columns)
    for key in dict.fromkeys(key for model in models.values() for key in model["properties"]):
        owners = [model for model in models.values() if key in model["properties"]]
        kinds = "all" if len(owners) == len(models) else ", ".join(map(_kind, owners))
        found = _merged([model["properties"][key] for model in owners])
        absent = "required" if key in owners[0].get("required", ()) else _shown(found.get("default"))
        cells = (_value(found, links), absent, found.get("description", ""))
        yield _row((f"`{key}`", *((kinds,) if len(models) > 1 else ()), *cells))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _kind(model: Schema) -> str:
    return f"`{model['properties']['kind']['const']}`"


def _merged(same: list[Schema]) -> Schema:
    """Return one key of several models, where they differ in no more than a constant."""
    constants = [found["const"] for found in same if "const" in found]
    return {**same[0], "enum": constants} if constants else same[0]


def _shown(default: Any) -> str:
    if default in (None, "", []) or isinstance(default, dict):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(found: Schema, links: Mapping[str, str]) -> str:
    """Return what can be written for a key: its words, its bounds or an example."""
    found = {**found, **next((one for one in found.get("anyOf", ()) if one.get("type") != "null"), {})}
    if "$ref" in found:
        return links[found["$ref"].rpartition("/")[2]]
    if "enum" in found:
        return ", ".join(f"`{word}`" for word in found["enum"])
    if "oneOf" in found:
        return links[found["oneOf"][0]["$ref"].rpartition("/")[2]]
    match found.get("type"):
        case "array":
            return f"a list: {_value(found['items'], links)}"
        case "object":
            return f"by name: {_value(found['additionalProperties'], links)}"
        case "boolean":
            return "`true`, `false`"
        case "integer" | "number":
            return _bounds(found)
    example = next(iter(found.get("examples", ())), None)
    return "text" if example is None else f"as `{example}`"


def _bounds(found: Schema) -> str:
    """Return from where to where a number goes."""
    if "exclusiveMinimum" in found:
        return f"above {found['exclusiveMinimum']}, to {found['maximum']}"
    return f"{found['minimum']} to {found['maximum']}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
