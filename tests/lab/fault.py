"""labctl with a fault at a chosen step: `python -m tests.lab.fault NUMBER kill|refuse WORDS...`.

A step is the beginning or the end of a function that changes something outside of the process: the journal, the kernel,
other processes. At the one with the given number the whole command is killed, or the kernel is made to say no. A run
that comes to its end has had fewer steps than that, so a test counts up until then and has tried every one.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType
from typing import Any

from labctl import cli
from labctl.kernel import perform, rtnetlink

CHANGING = {
    "state.py": {
        "begin", "record_namespace", "record_engine", "record_substitution", "complete", "reset", "remove",
        "forget_namespace", "forget_engine", "prepare_names", "_make_directories", "_tidy",
    },
    "processes.py": {"start", "end", "_settle"},
    "namespaces.py": {
        "create", "_set_mark", "remove_own", "remove_claim", "make_directory", "remove_directory",
    },
    "syscalls.py": {"unshare", "mount", "unmount"},
    "perform.py": {"perform"},
    "holder.py": {"start_holder", "keep", "furnish"},
    "room.py": {"close"},
}  # fmt: skip


def kill_at(number: int) -> None:
    left = number

    def look(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        code = frame.f_code
        if event in ("call", "return") and code.co_name in CHANGING.get(os.path.basename(code.co_filename), ()):
            left -= 1
            if left == 0:
                os.killpg(0, signal.SIGKILL)

    sys.setprofile(look)


def refuse_at(number: int) -> None:
    left = number
    really = perform.Performer._perform

    def refusing(self: perform.Performer, step: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise rtnetlink.Refused(errno.ENOBUFS, "as the test wants it")
        return really(self, step)

    perform.Performer._perform = refusing  # type: ignore[method-assign]


if __name__ == "__main__":
    _, wanted, how, *words = sys.argv
    {"kill": kill_at, "refuse": refuse_at}[how](int(wanted))
    sys.argv = ["labctl", *words]
    cli.main()
