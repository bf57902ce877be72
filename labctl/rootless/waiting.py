"""What the holder of a rootless environment does once that is made: a program that waits, and nothing else.

    python -S -P waiting.py TITLE EXTENSION CLAIM MAKER CONTROL

EXTENSION is the file of setproctitle's compiled module, the others are descriptors. A lab has this process for as long
as it runs, so it is executed: as the mere fork that made the environment it would keep ten times the memory, all that
the command had loaded. For the same reason it imports compiled modules alone. `socket` and `signal`, the modules of
Python around two of them, would take half as much again.
"""

from __future__ import annotations

import _imp
import _signal  # type: ignore[import-not-found]
import _socket
import posix
import select
import sys
from _frozen_importlib import ModuleSpec

_DESCRIPTOR = 4
"""Bytes of a descriptor in an ancillary message (unix(7), SCM_RIGHTS)."""


def main(title: str, extension: str, claim: int, maker: int, control: int) -> None:
    """Wait until the environment is to end: when its maker ends before it said `keep`, and its owner after that.

    The environment ends with this process, its PID 1, however that ends.
    """
    _signal.signal(_signal.SIGTERM, lambda *_: posix._exit(0))  # a PID 1 without a handler would ignore it
    _show_as(title, extension)
    named, told = _socket.socket(fileno=claim), _socket.socket(fileno=control)
    waited = select.poll()
    for descriptor in (maker, control):
        waited.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in waited.poll()}
        if claim in ready:
            posix.close(named._accept()[0])  # type: ignore[attr-defined]
        if control in ready:
            word, ancillary, *_ = told.recvmsg(16, _socket.CMSG_SPACE(_DESCRIPTOR), _socket.MSG_CMSG_CLOEXEC)
            if word != b"keep":
                return
            # Not before: no other command is to enter an environment that is not yet what it is to be.
            named.listen()
            told.send(b"kept")
            told.close()
            waited.unregister(maker)
            waited.unregister(control)
            waited.register(claim, select.POLLIN)
            for _, _, owner in ancillary:
                waited.register(int.from_bytes(owner, sys.byteorder), select.POLLIN)
        elif ready - {claim}:
            return


def _show_as(title: str, extension: str) -> None:
    """Show this process under a title in ps(1), as `process.title` does, which would load much more."""
    name = extension.rpartition("/")[2].partition(".")[0]
    module = _imp.create_dynamic(ModuleSpec(name, None, origin=extension))
    _imp.exec_dynamic(module)
    module.setproctitle(title)


if __name__ == "__main__":
    _title, _extension, *_descriptors = sys.argv[1:]
    main(_title, _extension, *map(int, _descriptors))
