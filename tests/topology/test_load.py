"""What no data file can hold: files that are no files, hostile ones, and what a right file means."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from labctl.errors import UsageError
from labctl.topology import source
from labctl.topology.load import load, loads
from labctl.topology.mistakes import FileMistakes
from labctl.topology.model import Tun
from labctl.topology.shipped import find

HEAD = "name: lab\nnamespaces:\n"


def refusal(path: Path) -> str:
    """Why a file is refused, at once and in three lines at most."""
    begin = time.monotonic()
    with pytest.raises(UsageError) as caught:
        load(path)
    assert time.monotonic() - begin < 2
    text = str(caught.value)
    assert text.count("\n") < 4
    return text


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root may read everything."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_no_such_file(tmp_path: Path) -> None:
    assert f"there is no file {tmp_path}/lab.yaml" in refusal(tmp_path / "lab.yaml")


def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b" \n\n", b"# only this\n", b"---\n", b"~\n"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lab.yaml").write_bytes(content)
    assert "is empty" in refusal(tmp_path / "lab.yaml")


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\x00", b"name: \xff\n", "name: lab".encode("utf-16")])
def test_a_binary_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lab.yaml").write_bytes(content)
    assert "is no text file" in refusal(tmp_path / "lab.yaml")


def test_a_file_of_100_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.touch()
    os.truncate(path, 100 << 20)
    assert "is larger than 1,048,576 bytes" in refusal(path)


def test_a_device_is_not_read() -> None:
    assert "is no regular file" in refusal(Path("/dev/zero"))


def test_a_fifo_without_a_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lab.yaml")
    assert f"nothing comes through {tmp_path}/lab.yaml\n" in refusal(tmp_path / "lab.yaml")


@contextmanager
def pipe(write: Callable[[int], None]) -> Iterator[Path]:
    """A pipe as a shell hands it over for <(COMMAND); `write` is the command."""
    reader, writer = os.pipe()

    def run() -> None:
        with suppress(BrokenPipeError):
            write(writer)
        os.close(writer)

    thread = Thread(target=run)
    thread.start()
    try:
        yield Path(f"/dev/fd/{reader}")
    finally:
        os.close(reader)
        thread.join()


def test_a_pipe_is_read_to_its_end() -> None:
    def in_pieces(writer: int) -> None:
        for piece in (HEAD, "  a: {}\n", *["# " + "x" * 1000 + "\n"] * 100):
            os.write(writer, piece.encode())

    with pipe(in_pieces) as path:
        assert load(path).name == "lab"


def test_a_writer_may_take_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "lab.yaml"
    os.mkfifo(fifo)
    holder = os.open(fifo, os.O_RDWR)  # a program that has it open and has not written yet

    def readable(descriptor: int, seconds: float | None) -> bool:
        """The patience for a program that opens it passes; the one for a program that has it open does not."""
        if seconds is None:
            os.write(holder, f"{HEAD}  a: {{}}\n".encode())
            os.close(holder)
        return seconds is None

    monkeypatch.setattr(source, "_readable", readable)
    assert load(fifo).name == "lab"


def test_an_endless_pipe_is_not_read_to_its_end() -> None:
    def endless(writer: int) -> None:
        while True:
            os.write(writer, b"#" * 65536)

    with pipe(endless) as path:
        assert "is larger than 1,048,576 bytes" in refusal(path)


def test_an_empty_pipe_is_an_empty_file() -> None:
    with pipe(lambda writer: None) as path:
        assert "is empty" in refusal(path)


def test_the_mistakes_of_a_pipe_have_their_places() -> None:
    def empty_lab(writer: int) -> None:
        os.write(writer, b"name: lab\nnamespaces: {}\n")

    with pipe(empty_lab) as path:
        assert f"{path}:2:13: 'namespaces' is empty" in refusal(path)


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").touch(mode=0)
    with as_somebody_else():
        assert "cannot be read\nPermission denied" in refusal(tmp_path / "lab.yaml")


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000, "\udce4"])
def test_a_path_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(Path(name))
    assert len(str(caught.value)) < 400


def test_an_alias_bomb_is_counted_not_expanded() -> None:
    lines = [f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 10)}]" for level in range(1, 12)]
    with pytest.raises(FileMistakes) as caught:
        loads("\n".join(["x0: &x0 [a, b, c]", *lines]), "bomb.yaml")
    assert "bomb.yaml:6:5: this stands for more than 250,000 values" in str(caught.value)


def test_aliases_within_aliases_are_nesting_too() -> None:
    lines = [f"x{level}: &x{level} [*x{level - 1}]" for level in range(1, 500)]
    with pytest.raises(FileMistakes, match=r"deep\.yaml:40:12: nested more than 40 levels deep"):
        loads("\n".join(["x0: &x0 [a]", *lines, "kind: *x499"]), "deep.yaml")


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? ", "a:\n"])
def test_deep_nesting_has_an_end(piece: str) -> None:
    deep = "".join(" " * depth + piece for depth in range(1000)) if piece == "a:\n" else piece * 200_000
    with pytest.raises(FileMistakes, match="nested more than 40 levels deep"):
        loads(deep, "deep.yaml")


def test_all_mistakes_of_a_file_have_their_exact_place() -> None:
    text = (Path(__file__).parent / "errors/all-at-once.yaml").read_text(encoding="utf-8")
    with pytest.raises(FileMistakes) as caught:
        loads(text, "lab.yaml")
    lines = text.splitlines()
    pointed = [lines[one.line - 1][one.column - 1 :].split("]")[0].split(",")[0] for one in caught.value.mistakes]
    assert pointed == [
        "adresses: [10.0.1.1/24",
        '"siteC:wan1"}',
        "10.0.101.256/24",
        "10.0.9.0/33",
        "tun9}",
        "name: siteA",
        "vteh",
        "10.0.101.1/24",
        '"10.0.2.1:90000"',
        '"siteB:tun0"',
        '"siteB:tun2"',
    ]
    # siteB:wan0 is there, though of a kind that is not; that siteA:wan0 and the check name it is no mistake.
    assert not [one for one in caught.value.mistakes if "wan0" in one.what]


def test_names_and_words_stay_what_was_written() -> None:
    """YAML 1.1 would read a bool, an octal number, a time of day and a float."""
    text = HEAD + "  no: {interfaces: {007: {kind: tun, owner: 1.10}}}\n  on: {}\n  null: {}\n"
    text += "checks: [{name: 0o14, ping: {from: no, to: 10.0.0.1, interval: 0.50}, pass: 1:30, fail: no}]\n"
    topology = loads(text, "lab.yaml")
    assert list(topology.namespaces) == ["no", "on", "null"]
    device, check = topology.namespaces["no"].interfaces["007"], topology.checks[0]
    assert isinstance(device, Tun) and device.owner == "1.10"
    assert (check.name, check.pass_, check.fail) == ("0o14", "1:30", "no")
    assert check.ping is not None and check.ping.interval == 0.5


def test_a_byte_order_mark_is_nothing() -> None:
    assert loads("\ufeff" + HEAD + "  a: {}\n", "lab.yaml").name == "lab"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028"])
def test_every_end_of_line_counts(end: str) -> None:
    with pytest.raises(FileMistakes) as caught:
        loads(end.join(["name: lab", "# one", "namespaces:", "  a: {}", "colour: red"]), "lab.yaml")
    assert [(one.line, one.source) for one in caught.value.mistakes] == [(5, "colour: red")]


def test_anchors_and_aliases_mean_what_they_repeat() -> None:
    text = HEAD + "  a: &site {interfaces: {t: {kind: tun}}}\n  b: *site\n"
    topology = loads(text, "lab.yaml")
    assert isinstance(topology.namespaces["b"].interfaces["t"], Tun)


def test_a_namespace_can_be_bare() -> None:
    assert loads(HEAD + "  a:\n", "lab.yaml").namespaces["a"].interfaces == {}


def test_default_is_of_the_version_of_its_next_hop() -> None:
    text = HEAD + (
        "  a:\n    interfaces: {d: {kind: dummy, addresses: [10.0.1.1/24, 'fd00::1/64']}}\n"
        "    routes: [{to: default, via: 10.0.1.2}, {to: default, via: 'fd00::2'}]\n"
    )
    assert [str(route.to) for route in loads(text, "lab.yaml").namespaces["a"].routes] == ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize(("address", "largest"), [("10.0.0.1", 65507), ("fd00::1", 65527)])
def test_what_is_sent_over_udp_fits_into_one_datagram(address: str, largest: int) -> None:
    """In bytes: a character can be four of them."""
    text = HEAD + '  a: {interfaces: {d: {kind: dummy, addresses: [10.0.0.1/24, "fd00::1/64"]}}}\nchecks:\n'
    text += f'  - {{name: c, nc: {{from: a, to: a, address: "{address}", port: 1, protocol: udp, KEY: TEXT}}}}\n'
    fits = "€" * (largest // 3)
    for key in ("send", "reply"):
        assert loads(text.replace("KEY", key).replace("TEXT", fits), "lab.yaml")
        with pytest.raises(FileMistakes, match=f"'{key}' has {largest // 3 * 3 + 3} bytes"):
            loads(text.replace("KEY", key).replace("TEXT", fits + "€"), "lab.yaml")
        assert loads(text.replace("KEY", key).replace("TEXT", fits + "€").replace("udp", "tcp"), "lab.yaml")


def test_what_a_file_holds_cannot_command_the_terminal() -> None:
    with pytest.raises(FileMistakes) as caught:
        loads(HEAD + '  "\\e[31m": {}\ndescription: "\\u202e"\n"x\\e]0;\\a": 1\n', "lab.yaml")
    assert all(char.isprintable() or char == "\n" for char in str(caught.value))


def test_a_large_lab_loads_at_once() -> None:
    sites = "".join(
        f"  s{i}:\n    interfaces:\n      lo: {{kind: lo}}\n"
        f"      left: {{kind: veth, peer: 's{(i - 1) % 500}:right', addresses: [10.{i // 250}.{i % 250}.1/30]}}\n"
        f"      right: {{kind: veth, peer: 's{(i + 1) % 500}:left'}}\n"
        "      tun0:\n        kind: tun\n        mtu: 1400\n        addresses:\n"
        f"          - 10.9.{i // 250}.{i % 250}/32\n"
        f"    routes:\n      - {{to: 10.9.0.0/16, via: 10.{i // 250}.{i % 250}.2}}\n"
        for i in range(500)
    )
    begin = time.process_time()
    topology = loads(HEAD + sites, "large.yaml")
    assert len(topology.namespaces) == 500
    assert time.process_time() - begin < 2  # measured 0.35 s


def test_the_shipped_name_finds_a_file_that_loads() -> None:
    assert load(find("two-site")).name == "two-site"
