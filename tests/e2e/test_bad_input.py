"""Bad input through the command line: exit code 2, a few lines, no traceback, nothing made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.world import World

MOST_LINES = 8


def host(interfaces: str = "", more: str = "") -> str:
    return f"name: bad\nnamespaces:\n  host: {{interfaces: {{{interfaces}}}}}\n{more}"


TUN = "tun0: {kind: tun, addresses: [10.1.0.1/24]}, lo: {kind: lo, addresses: [10.8.0.1/32, 10.8.0.2/32]}"
FILES: dict[str, str | bytes] = {
    "an empty file": "",
    "binary": bytes(range(256)) * 16,
    "invalid YAML": "name: [bad\n",
    "a tab": "name: bad\nnamespaces:\n\thost: {}\n",
    "a duplicate key": "name: bad\nname: bad\nnamespaces: {host: {}}\n",
    "an unknown key": "name: bad\nnamespace: {host: {}}\n",
    "a bad address": host("d0: {kind: dummy, addresses: [10.0.0.256/24]}"),
    "a bad prefix": host("d0: {kind: dummy, addresses: [10.0.0.1/33]}"),
    "a bad port": host(TUN, 'ttun: [{device: "host:tun0", bind: "10.8.0.1:70000", peer: "10.8.0.2:9000"}]\n'),
    "a bad MTU": host("d0: {kind: dummy, mtu: 1}"),
    "a bad MAC": host('d0: {kind: dummy, mac: "02:00:00:00:00"}'),
    "an address twice": host(
        "d0: {kind: dummy, addresses: [10.0.0.1/24]}, d1: {kind: dummy, addresses: [10.0.0.1/16]}"
    ),
    "a name of 16 bytes": host("abcdefghijklmnop: {kind: dummy}"),
    "a name with a slash": host('"a/b": {kind: dummy}'),
    "a name with a space": host('"a b": {kind: dummy}'),
    "a name that is ..": host('"..": {kind: dummy}'),
    "an empty name": host('"": {kind: dummy}'),
    "a lab named ..": 'name: ".."\nnamespaces: {host: {}}\n',
    "a namespace with a slash": 'name: bad\nnamespaces: {"../../etc": {}}\n',
    "a peer that does not exist": host('v0: {kind: veth, peer: "host:v9"}'),
    "a peer that names another": host(
        'v0: {kind: veth, peer: "host:v1"}, v1: {kind: veth, peer: "host:v2"}, v2: {kind: veth, peer: "host:v1"}'
    ),
    "a ttun device that is no tun": host(
        "d0: {kind: dummy, addresses: [10.0.0.1/24]}",
        'ttun: [{device: "host:d0", bind: "10.0.0.1:9000", peer: "10.0.0.2:9000"}]\n',
    ),
    "two endpoints on one device": host(
        TUN,
        'ttun: [{device: "host:tun0", bind: "10.8.0.1:9000", peer: "10.8.0.2:9000"},'
        ' {device: "host:tun0", bind: "10.8.0.1:9001", peer: "10.8.0.2:9000"}]\n',
    ),
    "two endpoints on one port": host(
        TUN + ", tun1: {kind: tun}",
        'ttun: [{device: "host:tun0", bind: "10.8.0.1:9000", peer: "10.8.0.2:9000"},'
        ' {device: "host:tun1", bind: "10.8.0.1:9000", peer: "10.8.0.2:9000"}]\n',
    ),
    "an endpoint routed into its own tunnel": host(
        TUN, 'ttun: [{device: "host:tun0", bind: "10.8.0.1:9000", peer: "10.1.0.2:9000"}]\n'
    ),
    "a check of an unknown namespace": host("", "checks: [{name: c, ping: {from: hots, to: 10.0.0.1}}]\n"),
    "a check of an unknown interface": host(
        "", 'checks: [{name: c, ping: {from: host, to: 127.0.0.1}, quiet: ["host:d9"]}]\n'
    ),
    "an alias bomb": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{n}: &{n} [{', '.join([f'*{m}'] * 9)}]\n" for m, n in zip("abcdefgh", "bcdefghi", strict=True)),
}


def is_told_in_a_few_lines(here: World, path: str, code: int = 2) -> str:
    before = here.snapshot()
    done = here.labctl("up", path, code=code)
    assert done.stdout == "" and 1 <= len(done.stderr.splitlines()) <= MOST_LINES, done.stderr
    assert here.snapshot() == before
    return done.stderr


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_told_and_nothing_is_made(as_user: World, case: str) -> None:
    content = FILES[case]
    path = as_user.home / "bad.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o644)
    assert "bad.yaml" in is_told_in_a_few_lines(as_user, str(path))


def test_root_is_told_of_a_bad_file_just_the_same(as_root: World) -> None:
    for case in ("binary", "a peer that does not exist"):
        content = FILES[case]
        path = as_root.home / "bad.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        assert "bad.yaml" in is_told_in_a_few_lines(as_root, str(path))


def test_no_such_file(here: World) -> None:
    assert "no-such.yaml" in is_told_in_a_few_lines(here, "no-such.yaml")


def test_no_such_topology_names_the_nearest(here: World) -> None:
    assert "did you mean 'two-site'" in is_told_in_a_few_lines(here, "two-sites")


def test_a_directory(here: World) -> None:
    (here.home / "folder.yaml").mkdir()
    assert "folder.yaml" in is_told_in_a_few_lines(here, "folder.yaml")


def test_a_file_of_100_megabytes(here: World) -> None:
    path = Path(here.file("large.yaml", "name: large\n"))
    with path.open("r+") as file:
        file.truncate(100_000_000)
    assert "large.yaml" in is_told_in_a_few_lines(here, str(path))


def test_a_file_that_may_not_be_read(as_user: World) -> None:
    path = Path(as_user.file("secret.yaml", "name: secret\n"))
    path.chmod(0)
    assert "secret.yaml" in is_told_in_a_few_lines(as_user, str(path))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 300, "-"])
def test_a_name_that_cannot_be(as_user: World, name: str) -> None:
    before = as_user.snapshot()
    done = as_user.labctl("up", "two-site", "--name", name, code=2)
    assert 1 <= len(done.stderr.splitlines()) <= MOST_LINES, done.stderr
    assert as_user.snapshot() == before


@pytest.mark.parametrize("name", ["..", "../../etc", ""])
@pytest.mark.parametrize("command", [["down"], ["status"], ["verify", "-l"]])
def test_a_lab_that_cannot_be_is_none(as_root: World, command: list[str], name: str) -> None:
    done = as_root.labctl(*command, name, code=None)
    assert done.returncode == (0 if command == ["down"] else 2), done.stderr
    assert len(done.stderr.splitlines()) <= 3


@pytest.mark.parametrize(
    "words", [["up"], ["nonsense"], ["up", "--nonsense", "x"], ["status", "-f", "xml"], ["exec", "a"], ["up", "a", "b"]]
)
def test_a_wrong_call_is_told(as_user: World, words: list[str]) -> None:
    done = as_user.labctl(*words, code=2)
    assert "Usage:" in done.stderr and len(done.stderr.splitlines()) <= MOST_LINES


def test_all_mistakes_of_a_file_are_told_at_once_with_their_places(here: World) -> None:
    text = "name: bad\nnamespaces:\n  host:\n    interfaces:\n      d0: {kind: dummy, mtu: 1}\n      d1: {knd: dummy}\n"
    said = here.labctl("up", here.file("bad.yaml", text), code=2).stderr
    assert "bad.yaml:5:30" in said and "bad.yaml:6:12" in said
