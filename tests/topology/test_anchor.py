"""A path in a file begins at the directory of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.topology.load import load
from labctl.topology.model import Topology
from labctl.topology.program_paths import anchored, directory_of
from labctl.topology.rename import renamed
from labctl.topology.routed import Routed
from labctl.topology.source import STDIN

TEXT = """
name: one
namespaces:
  a: {interfaces: {lo: {kind: lo, addresses: [10.0.0.1/32, 10.0.0.2/32]}, t: {kind: tun}, u: {kind: tun}}}
ttun:
  - {device: "a:t", bind: "10.0.0.1:1", peer: "10.0.0.2:1", engine: {command: ./mine DIRECTORY}}
  - {device: "a:u", bind: "10.0.0.2:1", peer: "10.0.0.1:1"}
"""


def directories(topology: Topology) -> list[str | None]:
    return [endpoint.engine.directory if endpoint.engine else None for endpoint in topology.ttun]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("", "{home}"), (", directory: bin", "{home}/bin"), (", directory: ../x", "{home.parent}/x"),
     (", directory: /opt", "/opt")],
)  # fmt: skip
def test_a_program_runs_in_a_directory_seen_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    (tmp_path / "lab.yaml").write_text(TEXT.replace(" DIRECTORY", written))
    wanted = [meant.format(home=tmp_path), None]
    assert directories(load(tmp_path / "lab.yaml")) == wanted
    monkeypatch.chdir(tmp_path)
    topology = load(Path("lab.yaml"))
    assert directories(topology) == directories(renamed(Routed.of(topology), "other").topology) == wanted
    assert Topology.of_record(topology.as_record()) == topology
    monkeypatch.chdir("/")
    assert anchored(topology, "/elsewhere") == topology


def test_what_comes_through_a_pipe_is_seen_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert directory_of(STDIN) == directory_of(Path("/dev/fd/63")) == str(tmp_path)
    tmp_path.rmdir()
    assert directory_of(STDIN) == "/"
