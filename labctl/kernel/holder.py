"""The holder of a room: how a room is founded, furnished and kept.

    P  the labctl command, on the machine
    F  founds the room: unshare, maps, forks H, ends
    H  the holder, PID 1 of the room: private /run, fresh /proc, then it waits

H watches P (a pidfd) until P says `keep`. If P dies before that, however it dies, H ends, and the kernel ends
everything in its PID namespace and frees every other namespace with it: a killed `up` leaves nothing.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import socket
from pathlib import Path
from typing import NoReturn

from labctl.errors import LabError, MachineError, kernel_words
from labctl.kernel.detach import detach
from labctl.kernel.obstacles import why_no_room
from labctl.kernel.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    MS_BIND,
    MS_MOVE,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_REC,
    MS_SLAVE,
    mount,
    unshare,
)

ROOM = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID
"""The namespaces that make a room."""


def start_holder(claim: socket.socket) -> int:
    """Start the holder of a new room, which listens on the claimed name; gives the descriptor to say `keep` on.

    Raises MachineError with what this machine lacks.
    """
    ready, founded = os.pipe()
    keep, control = os.pipe()
    founder_of = os.pidfd_open(os.getpid())
    uid, gid = os.geteuid(), os.getegid()
    founder = os.fork()
    if founder == 0:
        os.close(ready)
        os.close(control)
        _found(claim, uid, gid, founder_of, keep, founded)
    for fd in (founded, keep, founder_of):
        os.close(fd)
    with open(ready, "rb") as reports:
        report = reports.read()
    os.waitpid(founder, 0)
    if report == b"ready":
        return control
    os.close(control)
    if report:
        raise pickle.loads(report)
    raise MachineError("no room could be made for the lab", "its first process ended at once", "run labctl doctor")


def _found(claim: socket.socket, uid: int, gid: int, founder_of: int, keep: int, founded: int) -> NoReturn:
    """F: make the namespaces, fork the holder into them, end."""
    try:
        found_namespaces(uid, gid)
        if os.fork() == 0:
            _hold(claim, founder_of, keep, founded)
    except BaseException as error:
        os.write(founded, pickle.dumps(portable(error)))
    finally:
        os._exit(0)


def found_namespaces(uid: int, gid: int) -> None:
    """Unshare and become root in there. Raises MachineError with what this machine lacks."""
    stage = "new namespaces (unshare)"
    try:
        unshare(ROOM)
        stage = "the map of user IDs"
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{file}", "w") as map_file:
                map_file.write(text)
    except OSError as error:
        raise _refused(stage, error) from None


def furnish() -> None:
    """Mounts of a room, by its PID 1: /proc of its own and a private /run. Raises MachineError."""
    stage = "private mounts"
    try:
        mount("", "/", flags=MS_REC | MS_SLAVE)
        stage = "a private /run"
        _private_run()
        stage = "a private /proc"
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as error:
        raise _refused(stage, error) from None


def _refused(stage: str, error: OSError) -> MachineError:
    return MachineError(
        f"no rootless lab can be made here: {stage} was refused",
        kernel_words(error.errno or 0),
        why_no_room(error.errno or 0),
    )


def _private_run() -> None:
    """A tmpfs on /run into which every entry of the machine's /run is bound, but for netns and labctl."""
    workbench = "/tmp"
    mount("tmpfs", workbench, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    for entry in os.scandir("/run"):
        if entry.name in ("netns", "labctl"):
            continue
        copy = f"{workbench}/{entry.name}"
        if entry.is_symlink():
            Path(copy).symlink_to(os.readlink(entry.path))
            continue
        if entry.is_dir():
            os.mkdir(copy)
        else:
            os.close(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            mount(entry.path, copy, flags=MS_BIND | MS_REC)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOENT):
                raise
    os.mkdir(f"{workbench}/netns", 0o755)
    mount(workbench, "/run", flags=MS_MOVE)


def _hold(claim: socket.socket, founder_of: int, keep: int, founded: int) -> NoReturn:
    """H: keep the room until it is told to end, or until P dies before it said `keep`."""
    try:
        detach((claim.fileno(), founder_of, keep, founded))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then reaps the orphans that PID 1 inherits
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # a PID 1 without a handler would ignore it
        furnish()
        _title(f"labctl: room of {claim.getsockname()[1:].decode().rpartition('/')[2]}")
        claim.listen()
        os.write(founded, b"ready")
        os.close(founded)
        _wait_for_the_end(claim, founder_of, keep)
    except BaseException as error:
        os.write(founded, pickle.dumps(portable(error)))
    finally:
        os._exit(0)


def _wait_for_the_end(claim: socket.socket, founder_of: int, keep: int) -> None:
    waited = [claim.fileno(), founder_of, keep]
    while True:
        events, _, _ = select.select(waited, [], [])
        if claim.fileno() in events:
            claim.accept()[0].close()
        if keep in events and os.read(keep, 1) == b"k":
            waited = [claim.fileno()]
        elif founder_of in events:
            return


def _title(text: str) -> None:
    """The name that ps(1) shows."""
    from setproctitle import setproctitle

    setproctitle(text)


def portable(error: BaseException) -> BaseException:
    """The error itself if it can travel, with the traceback that would otherwise stay behind."""
    if not isinstance(error, LabError):
        import traceback

        error.add_note("in the room:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(repr(error))
    return error
