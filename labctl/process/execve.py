"""Executing a program, and why that fails: one errno of execve(2) stands for many causes."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from typing import NoReturn

from labctl.errors import kernel_words
from labctl.process.working_directory import here

BY_HAND = "can it be started by hand, in a shell?"

_OF_ROOT = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian has nft, sysctl and others, and does not let an ordinary user's PATH lead."""

_INTERPRETER_LENGTH = 255  # fs/binfmt_script.c: BINPRM_BUF_SIZE, without the line's end


def become(command: Sequence[str]) -> NoReturn:
    """Execute a command in place of this process; a word without a slash is looked for in PATH. Raise OSError."""
    program = command[0] if "/" in command[0] else shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    os.execv(program, list(command))


def why_not(program: str, error: OSError) -> tuple[str, str]:
    """Return why a program cannot be executed, and what helps; called in the directory where it was to start."""
    if "/" not in program and shutil.which(program) is None:
        return _not_in_path(program)
    path = os.path.normpath(os.path.join(here(), program)) if "/" in program else shutil.which(program) or program
    if error.errno == errno.ENOENT and not os.path.exists(path):
        return f"there is no file {path}", "correct the path, or put the program there"
    if error.errno in (errno.ENOENT, errno.EACCES) and os.access(path, os.X_OK) and not os.path.isdir(path):
        return _interpreter(path, error)
    if error.errno == errno.EACCES and os.path.isdir(path):
        return f"{path} is a directory", "name the program in it"
    if error.errno == errno.EACCES and os.path.isfile(path):
        if os.statvfs(path).f_flag & os.ST_NOEXEC:
            return f"{path} is on a file system that is mounted noexec", "put it on another one"
        return f"{path} is not executable", f"chmod +x {path}"
    if error.errno == errno.ENOEXEC:
        return _no_format(path)
    return f"{path}: {kernel_words(error)}", BY_HAND


def _not_in_path(program: str) -> tuple[str, str]:
    why = f"there is no program {program!r} in PATH"
    if os.path.isfile(program):
        return why, f"write ./{program} for the file of that name in {os.getcwd()}"
    if found := shutil.which(program, path=_OF_ROOT):
        return f"{why}, but {found}", f'export PATH="$PATH:{os.path.dirname(found)}"'
    return why, "install it, or correct the name"


def _interpreter(path: str, error: OSError) -> tuple[str, str]:
    first = _beginning(path)
    if not first.startswith(b"#!") and error.errno == errno.ENOENT:
        return f"the loader that {path} asks for is not there", "it was built for another system: build it on this one"
    if not first.startswith(b"#!"):
        return f"{path}: {kernel_words(error)}", BY_HAND
    line = first[2:].partition(b"\n")[0]
    interpreter = os.fsdecode((line.split() or [b""])[0])
    if line.endswith(b"\r"):
        return f"the first line of {path} ends with a carriage return, as Windows has it", f"sed -i 's/\\r$//' {path}"
    if not os.path.exists(interpreter):
        return f"its interpreter {interpreter} is not there", f"correct the first line of {path}"
    return f"its interpreter {interpreter}: {kernel_words(error)}", f"correct the first line of {path}"


def _no_format(path: str) -> tuple[str, str]:
    first = _beginning(path)
    if not first:
        return f"{path} is empty", "was it saved?"
    if first.startswith(b"\x7fELF"):
        return f"{path} was built for another kind of machine", "build it on this machine"
    return (
        f"{path} is no program: neither does it begin with #!, nor was it compiled",
        "name its interpreter in its first line, for example: #!/usr/bin/env python3",
    )


def _beginning(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_INTERPRETER_LENGTH)
    except OSError:
        return b""
