"""The tables of keys in the pages, made from the JSON Schema of what they tell of: `python -m docs.keys` writes them.

A table stands between `<!-- keys: NAME... -->` and `<!-- end -->`, where each NAME is a definition of the schema, or
the name of the file as a whole. Several names make one table, which says of each key which kinds have it.
A key whose value is an object of its own links to the heading above the table of that object, in this page or in the
one about topologies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labctl.learn.lesson.model import json_schema as schema_of_lessons
from labctl.topology.model import json_schema as schema_of_topologies
from labctl.topology.model.inventory import json_schema as schema_of_inventories

TOPOLOGY, LESSONS, HOSTS = (Path(__file__).parent / name for name in ("topology.md", "lessons.md", "hosts.md"))
PAGES = {
    TOPOLOGY: ("Topology", schema_of_topologies),
    LESSONS: ("Lesson", schema_of_lessons),
    HOSTS: ("Inventory", schema_of_inventories),
}
MARKED = re.compile(r"<!-- keys: ([\w ]+) -->\n.*?<!-- end -->", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

Schema = dict[str, Any]


def definitions(page: Path) -> dict[str, Schema]:
    """Return every object that a file can contain of which a page tells, by the name of its model."""
    name, schema_of = PAGES[page]
    schema = schema_of()
    return {name: schema, **schema["$defs"]}


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def filled(page: Path) -> str:
    """Return a page with its tables as the model has them."""
    text, known = page.read_text(), definitions(page)
    links = dict((*_links(TOPOLOGY, TOPOLOGY.name), *_links(page, "")))

    def table(found: re.Match[str]) -> str:
        rows = "\n".join(_table({name: known[name] for name in found[1].split()}, links))
        return f"<!-- keys: {found[1]} -->\n\n{rows}\n\n<!-- end -->"

    return MARKED.sub(table, text)


def _links(page: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield every model that has a table in a page, and the link to the heading above that, by the name of the page."""
    text = page.read_text()
    for found in MARKED.finditer(text):
        heading = HEADING.findall(text, 0, found.start())[-1]
        for model in found[1].split():
            yield model, f"[{heading.lower()}]({name}#{anchor(heading)})"


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
    written = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    if len(written) > 1:
        return " or ".join(_value(one, links) for one in written)
    found = {**found, **next(iter(written), {})}
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
            below = found.get("additionalProperties")
            return f"by name: {_value(below, links)}" if isinstance(below, dict) else "a mapping"
        case "boolean":
            return "`true`, `false`"
        case "integer" | "number":
            return _bounds(found)
    example = next(iter(found.get("examples", ())), None)
    return "text" if example is None else f"as `{example}`"


def _bounds(found: Schema) -> str:
    """Return from where to where a number goes."""
    if "maximum" not in found:
        return "a number"
    if "exclusiveMinimum" in found:
        return f"above {found['exclusiveMinimum']}, to {found['maximum']}"
    return f"{found['minimum']} to {found['maximum']}"


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(filled(each))
