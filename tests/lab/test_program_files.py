"""Which files of a command are its program, and when they count as edited."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.lab.programs.program_files import signatures, why_outdated
from labctl.process.processes import own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"my_ttun.py": "print(1)", "data.pcap": "packets", "socat": "not the one in PATH"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("./my_ttun.py tun0 data.pcap", ["my_ttun.py"]),
        ("folder/../my_ttun.py", ["my_ttun.py"]),
        ("python3 -u my_ttun.py tun0 data.pcap", ["my_ttun.py"]),
        ("python3 folder ./my_ttun.py", ["my_ttun.py"]),
        ("socat TUN UDP", []),
        ("./absent tun0", []),
    ],
)
def test_the_program_is_the_first_word_or_what_an_interpreter_runs(
    folder: Path, command: str, files: list[str]
) -> None:
    assert list(signatures(command.split(), str(folder))) == [str(folder / name) for name in files]


def test_a_program_is_edited_where_its_content_is_another(folder: Path) -> None:
    command, path = ["./my_ttun.py", "tun0"], folder / "my_ttun.py"
    started = signatures(command, str(folder))
    os.utime(path, (1, 1))
    assert why_outdated(started, command, str(folder), own()) is None
    path.write_text("print(2)")
    edited = "its program ./my_ttun.py was edited since it was started"
    assert why_outdated(started, command, str(folder), own()) == edited
    path.write_text("print(1)")
    assert why_outdated(started, command, str(folder), own()) is None
    path.write_text("print(1) ")
    assert why_outdated(started, command, str(folder), own()) == edited
    path.unlink()
    assert why_outdated(started, command, str(folder), own()) is None, "what runs goes on without its file"


def test_the_same_words_in_another_folder_are_another_program(folder: Path) -> None:
    command = ["./my_ttun.py"]
    started = signatures(command, str(folder))
    link = folder / "link"
    link.symlink_to(folder)
    assert why_outdated(started, command, str(link), own()) is None
    (folder / "folder/my_ttun.py").write_text("print(1)")
    moved = f"its program is {folder}/folder/my_ttun.py now"
    assert why_outdated(started, command, str(folder / "folder"), own()) == moved


def test_what_a_program_writes_itself_is_not_edited(folder: Path) -> None:
    command, path = ["tcpdump", "-w", "data.pcap"], folder / "data.pcap"
    started = signatures(command, str(folder))
    with path.open("w") as written:
        written.write("other packets")
        written.flush()
        assert why_outdated(started, command, str(folder), own()) is None
    with path.open():
        edited = "its program data.pcap was edited since it was started"
        assert why_outdated(started, command, str(folder), own()) == edited
