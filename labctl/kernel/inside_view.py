"""Work in a process of its own that sees what the programs of a namespace see: its network, and its files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NoReturn, TypeVar

from labctl.errors import USED_UP, KernelRefused, kernel_errors_as
from labctl.kernel import namespaces, view
from labctl.process.child import ChildEnded, Reply, worker
from labctl.process.syscalls import adopt_orphans, die_with_parent

Result = TypeVar("Result")


def in_view(namespace: str, work: Callable[[list[str]], Result]) -> Result:
    """Do some work in a child process in the view of a namespace. Return its result, raise what it raised.

    The work gets a line for each file that is not seen there as it should be. The child becomes the parent of whatever
    its own children leave behind. If this process ends meanwhile, SystemExit is raised in the child.

    Raise KernelRefused where the namespace cannot be entered, or the child was ended; UsageError where there is none.
    """
    fd, parent = namespaces.open_namespace(namespace), os.getpid()

    def begin(reply: Reply) -> None:
        signal.signal(signal.SIGTERM, _exit)
        with kernel_errors_as(f"the namespace {namespace} cannot be entered"):
            problems = view.enter(fd, namespace)
        die_with_parent(parent)
        adopt_orphans()
        reply(work(problems))

    try:
        with worker(begin) as child:
            result: Result = child.result()
    except ChildEnded as ended:
        why = f"its process ended with {ended.exit_code}"
        raise KernelRefused(f"what was begun in {namespace} did not come to its end", why, USED_UP) from ended
    finally:
        os.close(fd)
    return result


def _exit(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # the terminal may send it, and the kernel, when the parent has ended by it
    raise SystemExit(128 + number)
