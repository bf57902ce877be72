"""Hosts that are kept out of the topology file: what counts, and where each mistake is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import jsonschema
import pytest
import yaml
from hypothesis import event, given
from hypothesis import strategies as st

from labctl import Lab
from labctl.errors import UsageError
from labctl.plan.parts import parts
from labctl.topology.inventory import load_over, spread_over
from labctl.topology.load import load, loads
from labctl.topology.mistakes import TopologyMistakes
from labctl.topology.model import Topology
from labctl.topology.model.inventory import json_schema
from labctl.topology.shipped import find
from tests.topology.near_the_edge import NAMES, NUMBERS, ODD

TWO = "hosts:\n  srv1: {address: 192.0.2.10, namespaces: [siteA]}\n  srv2: {ports: 47000-47099, namespaces: [siteB]}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    return tmp_path


def written(name: str, text: str) -> Path:
    Path(name).write_text(text, encoding="utf-8")
    return Path(name)


def test_an_editor_knows_what_an_inventory_is() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(yaml.safe_load(TWO), json_schema())
    with pytest.raises(jsonschema.ValidationError, match="namespace"):
        jsonschema.validate(yaml.safe_load(TWO.replace("namespaces", "namespace")), json_schema())


def refused(topology: Path, inventory: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load_over(topology, inventory)
    return f"{caught.value.what}\n{caught.value.why}\n{caught.value.hint}"


def test_it_is_as_if_it_stood_in_the_file(here: Path) -> None:
    text = find("two-site").read_text(encoding="utf-8")
    for name, host in (("siteA", "srv1"), ("siteB", "srv2")):
        text = text.replace(f"  {name}:\n", f"  {name}:\n    host: {host}\n", 1)
    same = loads(f"{text}\nhosts: {{srv1: {{address: 192.0.2.10}}, srv2: {{ports: 47000-47099}}}}\n", "same.yaml")
    inventory = written("inventory.yaml", f"{TWO}  srv3:\n")
    assert load_over(find("two-site"), inventory).topology == same
    assert spread_over(load(find("two-site")), inventory).topology == same


def test_it_counts_in_place_of_what_the_file_says(here: Path) -> None:
    spaces = "{siteA: {host: old}, siteB: , c: {host: srv2}}"
    file = written("lab.yaml", f"name: lab\nhosts: {{old: {{}}}}\nnamespaces: {spaces}\n")
    found = load_over(file, written("inventory.yaml", TWO)).topology
    assert [space.host for space in found.namespaces.values()] == ["srv1", "srv2", "srv2"]
    assert list(found.hosts) == ["srv1", "srv2"]


def test_a_mistake_is_told_where_it_stands(here: Path) -> None:
    file = written("lab.yaml", "name: lab\nnamespaces:\n  siteA: {rotes: []}\n  c: {host: srv9}\n")
    inventory = written("inventory.yaml", TWO.replace("ports", "address: 192.0.2.10, ports"))
    assert (
        refused(file, inventory)
        == """\
lab.yaml has 3 mistakes
lab.yaml:3:11: unknown key 'rotes' in a namespace
   3 |   siteA: {rotes: []}
     |           ^
     = did you mean 'routes'?
lab.yaml:4:13: there is no host 'srv9'
   4 |   c: {host: srv9}
     |             ^
     = did you mean 'srv2'?
inventory.yaml:3:64: there is no namespace 'siteB'
   3 |   srv2: {address: 192.0.2.10, ports: 47000-47099, namespaces: [siteB]}
     |                                                                ^
     = did you mean 'siteA'?
"""
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hosts: {srv1: {adress: a}}", "inventory.yaml:1:16: unknown key 'adress' in a host of an inventory"),
        ("hosts: {srv1: {}}\nvars: {}", "inventory.yaml:2:1: unknown key 'vars' in an inventory"),
        ("hosts: {}", "inventory.yaml:1:8: 'hosts' is empty"),
        ("hosts: {srv1: {namespaces: [siteA, siteA]}}",
         "inventory.yaml:1:36: the namespace 'siteA' is on srv1 already"),
        ("hosts: {srv1: {address: 192.0.2.1, namespaces: [siteA]}, srv2: {address: 192.0.2.1, namespaces: [siteB]}}",
         "inventory.yaml:1:74: the address 192.0.2.1 is that of the host 'srv1' already"),
        ("hosts: {srv1: {ssh: '::'}}", "inventory.yaml:1:21: '::' cannot be the address of a host"),
        ("hosts: [\n", "inventory.yaml:2:1: this is no valid YAML"),
    ],
)  # fmt: skip
def test_a_wrong_inventory(here: Path, text: str, told: str) -> None:
    said = refused(find("two-site"), written("inventory.yaml", text))
    assert said.startswith("inventory.yaml has 1 mistake\n") and told in said


def test_an_inventory_that_is_not_there(here: Path) -> None:
    assert "there is no inventory none.yaml" in refused(find("two-site"), Path("none.yaml"))


@pytest.mark.parametrize(
    "listed",
    ["", "1", "[]", '{"all": 1}', '{"all": {"hosts": "srv1"}}', '{"_meta": {"hostvars": {"srv1": 1}}}', "\\377"],
)
def test_what_is_not_as_ansible_lists_an_inventory_has_no_hosts(
    here: Path, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    program = written("ansible-inventory", f"#!/bin/sh\nprintf '%b' '{listed}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}:/usr/bin:/bin")
    assert "inventory.ini has no hosts" in refused(find("two-site"), written("inventory.ini", "[lab]\nsrv1\n"))


def test_without_ansible_its_inventory_is_not_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/none")
    said = refused(find("two-site"), written("inventory.ini", "[lab]\nsrv1\n"))
    assert "there is no program ansible-inventory" in said and "pip install ansible-core" in said


ODD_KEYS = {
    "address": [*ODD["address"], "192.0.2.10", "srv1"],
    "ports": [*ODD["ports"], "47000-47099"],
    "ssh": ODD["ssh"],
    "namespaces": [[], ["siteA", "siteB"], *([name] for name in NAMES)],
}


@st.composite
def inventories(draw: st.DrawFn) -> object:
    """Both sites on hosts, and up to two odd values."""
    names = draw(st.lists(st.sampled_from(["srv1", "srv2", *NAMES]), min_size=1, max_size=3, unique=True))
    hosts: dict[str, object] = {name: {"namespaces": []} for name in names}
    for site in ("siteA", "siteB"):
        host = hosts[draw(st.sampled_from(names))]
        assert isinstance(host, dict)
        host["namespaces"].append(site)
    for key in draw(st.lists(st.sampled_from([*ODD_KEYS]), max_size=2)):
        host = hosts[draw(st.sampled_from(names))]
        assert isinstance(host, dict)
        host[key] = draw(st.sampled_from(ODD_KEYS[key]))
    return draw(st.sampled_from([hosts, hosts, hosts, {**hosts, "srv3": draw(st.sampled_from([None, *NUMBERS]))}]))


@given(hosts=inventories() | st.sampled_from(ODD["hosts"]))
def test_whatever_an_inventory_says_the_lab_can_be_cut_or_it_is_told(hosts: object) -> None:
    topology = find("two-site")
    with TemporaryDirectory() as directory:
        inventory = Path(directory, "inventory.yaml")
        inventory.write_text(json.dumps({"hosts": hosts}), encoding="utf-8")
        try:
            found = load_over(topology, inventory).topology
        except UsageError as error:
            event("wrong")
            assert str(error)
            return
    event("right")
    cut = parts(found)
    assert cut.keys() == found.hosts.keys()
    assert sorted(name for part in cut.values() for name in part.namespaces) == ["siteA", "siteB"]


class TestOfAnsible:
    """One call of its program takes half a second of CPU."""

    @pytest.fixture(autouse=True)
    def _with_ansible(self) -> None:
        pytest.importorskip("ansible.release")

    def test_groups_and_ranges_are_as_ansible_has_them(self, here: Path) -> None:
        inventory = written(
            "inventory.ini",
            "[lab]\nsrv[1:3]\n[lab:vars]\nansible_user=lab\nlabctl_ports=47000-47099\n[all]\n"
            "srv1 ansible_host=192.0.2.10 ansible_port=2222 labctl_namespaces=siteA\n"
            "srv2 labctl_namespaces='siteB, c' labctl_address=10.1.1.1\n",
        )
        file = written("lab.yaml", "name: lab\nnamespaces: {siteA: {}, siteB: {}, c: {}}\n")
        found = load_over(file, inventory).topology
        assert {name: space.host for name, space in found.namespaces.items()} == {
            "siteA": "srv1", "siteB": "srv2", "c": "srv2"
        }  # fmt: skip
        assert {name: host.written() for name, host in found.hosts.items()} == {
            "srv1": {"ssh": "ssh://lab@192.0.2.10:2222", "ports": "47000-47099"},
            "srv2": {"ssh": "lab@srv2", "ports": "47000-47099", "address": "10.1.1.1"},
        }

    def test_a_mistake_is_told_by_host_and_variable(self, here: Path) -> None:
        text = (
            "all:\n  hosts:\n    srv1: {labctl_ports: 9-1, labctl_namespaces: [siteA]}\n    srv2: {ansible_host: -x}\n"
        )
        said = refused(find("two-site"), written("inventory.yaml", text))
        assert "inventory.yaml: srv1: labctl_ports: '9-1' is no range of ports" in said
        assert "inventory.yaml: srv2: ansible_host: '-x' is no destination of ssh" in said


def test_a_topology_that_was_built_is_told_by_its_keys(here: Path) -> None:
    with pytest.raises(TopologyMistakes) as caught:
        spread_over(Topology(name="lab", namespaces={"siteA": {}, "c": {}}), written("inventory.yaml", TWO))
    assert "namespaces.c: the namespace 'c' is on none of the hosts srv1, srv2" in str(caught.value)


def test_no_script_makes_a_lab_over_hosts() -> None:
    """No command makes a cable: its key is made by labctl, and never typed."""
    over = Topology(
        name="lab", hosts={"srv1": {}, "srv2": {}}, namespaces={"a": {"host": "srv1"}, "b": {"host": "srv2"}}
    )
    with pytest.raises(UsageError, match="lab lab is over the hosts srv1, srv2"):
        Lab.export(over)
