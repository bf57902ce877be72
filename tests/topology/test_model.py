"""The model and its schema: what was loaded can be written and loaded again; editors know what labctl knows."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from labctl.errors import UsageError
from labctl.topology.load import load, loads
from labctl.topology.model import Topology, json_schema
from labctl.topology.shipped import find, names


@pytest.mark.parametrize("name", names())
def test_what_is_written_again_loads_as_the_same(name: str) -> None:
    topology = load(find(name))
    written = topology.as_record()
    assert loads(written, "again.yaml") == topology
    assert Topology.of_record(written) == topology


def shipped(name: str) -> Any:
    return yaml.safe_load(find(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", names())
def test_the_schema_accepts_what_ships(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(shipped(name), json_schema())
    json.dumps(json_schema())


@pytest.mark.parametrize("path", [(), ("namespaces", "siteA"), ("ttun", 0), ("checks", 0), ("checks", 0, "ping")])
def test_the_schema_refuses_an_unknown_key(path: tuple[str | int, ...]) -> None:
    topology = shipped("two-site")
    below = topology
    for step in path:
        below = below[step]
    below["colour"] = "red"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(topology, json_schema())


def test_the_shipped_topologies_have_the_names_of_their_files() -> None:
    assert {"single-host", "two-site"} < set(names())
    assert [load(find(name)).name for name in names()] == names()


@pytest.mark.parametrize("name", ["two-sites", "nothing", "", "two\0site"])
def test_an_unknown_name_is_told_what_there_is(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(name)
    assert ", single-host, " in str(caught.value)
    assert ("did you mean 'two-site'?" in str(caught.value)) == (name in ("two-sites", "two\0site"))


def test_a_path_stays_a_path(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(find("./two-site")) == "two-site"  # is not there; `load` says so
    assert find("lab.yaml").name == "lab.yaml"
    (tmp_path / "two-site").mkdir()
    assert find("two-site").suffix == ".yaml", "a directory does not hide what ships"
    (tmp_path / "mine").write_text("name: mine")
    assert str(find("mine")) == "mine"
