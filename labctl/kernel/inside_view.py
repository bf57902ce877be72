"""Work in a process of its own that sees what the programs of a namespace see: its network, and its files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NoReturn, TypeVar

from labctl.kernel import namespaces, view
from labctl.process.child import Reply, worker
from labctl.process.syscalls import adopt_orphans, die_with_parent

Result = TypeVar("Result")


def in_view(namespace: str, work: Callable[[list[str]], Result]) -> Result:
    """Do some work in a child process in the view of a namespace. Return its result, raise what it raised.

    The work gets a line for each file that is not seen there as it should be. The child becomes the parent of whatever
    its own children leave behind. If this process ends meanwhile, SystemExit is raised in the child.

    Raise OSError or LabError where the namespace cannot be entered.
    """
    fd, parent = namespaces.open_namespace(namespace), os.getpid()

    def begin(reply: Reply) -> None:
        signal.signal(signal.SIGTERM, _exit)
        problems = view.enter(fd, namespace)
        die_with_parent(parent)
        adopt_orphans()
        reply(work(problems))

    try:
        with worker(begin) as child:
            result: Result = child.result()
    finally:
        os.close(fd)
    return result


def _exit(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # the terminal may send it, and the kernel, when the parent has ended by it
    raise SystemExit(128 + number)
