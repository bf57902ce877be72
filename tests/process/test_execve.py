"""Why a program cannot be executed: the kernel is asked, and what it says is put into words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.process import execve
from labctl.process.execve import become, why_not

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xfe\xff" + bytes(44)  # of no machine that there is

CASES = {
    "absent": (None, "there is no file {path}", "correct the path"),
    "plain": ((b"#!/bin/sh\n", 0o644), "{path} is not executable", "chmod +x {path}"),
    "directory": ((None, 0o755), "{path} is a directory", "name the program in it"),
    "no-interpreter": ((b"#!/usr/bin/pythn -S\n", 0o755), "its interpreter /usr/bin/pythn is not there", "first line"),
    "windows": (
        (b"#!/bin/sh\r\ntrue\r\n", 0o755),
        "the first line of {path} ends with a carriage",
        "sed -i 's/\\r$//'",
    ),
    "text": ((b"print('hello')\n", 0o755), "{path} is no program", "#!/usr/bin/env python3"),
    "empty": ((b"", 0o755), "{path} is empty", "saved"),
    "elsewhere": ((ELF, 0o755), "{path} was built for another kind of machine", "build it on this machine"),
}


@pytest.fixture
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file, or a directory, of a content and a mode; or nothing."""
    path = tmp_path / "program"
    if request.param is not None:
        content, mode = request.param
        path.mkdir() if content is None else path.write_bytes(content)
        path.chmod(mode)
    yield path


@pytest.mark.parametrize(
    ("path", "why", "hint"), [pytest.param(*case, id=name) for name, case in CASES.items()], indirect=["path"]
)
def test_each_cause_has_words_of_its_own(path: Path, why: str, hint: str) -> None:
    with pytest.raises(OSError) as caught:
        become([str(path)])
    told = why_not(str(path), caught.value)
    assert why.format(path=path) in told[0] and hint.format(path=path) in told[1]


def test_a_name_that_path_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        become(["no-such-forwarder"])
    assert why_not("no-such-forwarder", caught.value) == (
        "there is no program 'no-such-forwarder' in PATH", "install it, or correct the name"
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("no-such-forwarder").touch()
    assert "./no-such-forwarder" in why_not("no-such-forwarder", caught.value)[1]


def test_what_has_no_words_is_told_in_those_of_the_kernel(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError) as caught:
        os.execv(loop, ["loop"])
    assert "ELOOP" in why_not(str(loop), caught.value)[0]


def test_a_program_that_only_the_path_of_root_leads_to_is_found_for_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only-of-root").write_text("#!/bin/sh\n")
    (tmp_path / "only-of-root").chmod(0o755)
    monkeypatch.setattr(execve, "_OF_ROOT", f"/nowhere:{tmp_path}")
    assert why_not("only-of-root", FileNotFoundError(errno.ENOENT, "")) == (
        f"there is no program 'only-of-root' in PATH, but {tmp_path}/only-of-root", f'export PATH="$PATH:{tmp_path}"'
    )  # fmt: skip
