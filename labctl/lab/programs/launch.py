"""Becoming a program: its directory, its user, its environment, and then execve(2).

A program has no terminal: its input is /dev/null, and it leads a session of its own, which has none. Its output is a
pipe or a file, which C and Python fill before they write to it; of Python that can be told (PYTHONUNBUFFERED), so that
a log has its lines when they are said.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import field

from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.process.execve import become, why_not
from labctl.process.syscalls import die_with_parent
from labctl.process.users import User

_UMASK = 0o022  # that of most shells; labctl's own files are its own


@frozen
class Launch:
    """What a process becomes."""

    words: tuple[str, ...]
    directory: str
    env: Mapping[str, str] = field(default_factory=dict)
    user: User | None = None  # None: that of labctl


def launch(what: Launch, output: int, parent: int) -> tuple[str, str]:
    """Execute a program, in this process just forked by `parent`. Return why that fails, and what helps."""
    try:
        os.setsid()  # a program that ends its process group is not to end its parent
        for stream in (1, 2):
            os.dup2(output, stream)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program inherits that
        os.umask(_UMASK)
        os.chdir(what.directory)
        if what.user is not None:
            what.user.become()
        die_with_parent(parent)
    except OSError as error:
        return f"{error.filename or what.directory}: {kernel_words(error)}", "it runs in the directory of the file"
    os.environ.update({"PYTHONUNBUFFERED": "1", **what.env})
    try:
        become(what.words)
    except OSError as error:
        return why_not(what.words[0], error)
