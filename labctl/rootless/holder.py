"""The holder of a rootless environment: how the environment is made and kept.

    P  the labctl command, on the machine
    F  makes the namespaces (unshare, maps), forks H, ends
    H  the holder, PID 1 of the environment: private /run, /proc of its own, then it waits (waiting.py)

H watches P (a pidfd) until P says `keep`, and answers to its name only then. If P ends before that, however it ends, H
ends, and the kernel ends everything in its PID namespace and frees every other namespace with it: a killed `up` leaves
nothing. With `keep` P may send a pidfd, which H watches from then on: the environment ends with that process.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from labctl.errors import MachineError, kernel_errors_as, kernel_words
from labctl.process import pickling
from labctl.process.child import ChildEnded, in_child, portable
from labctl.process.detach import detach
from labctl.process.mounts import below, mount_points, mounts
from labctl.process.signals import fork
from labctl.process.syscalls import (
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

NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID
"""The namespaces that make a rootless environment."""

SOURCE = "labctl/"
"""What the source of its /run begins with, as mountinfo and df(1) show it; the name of the lab follows."""

EMPTY_OF_PROC = {Path("/proc/sys/fs/binfmt_misc"), Path("/proc/fs/nfsd"), Path("/proc/openprom")}
"""Directories that are there to be mounted on, and hide nothing (proc_create_mount_point())."""


NOT_MADE = "no rootless environment could be made for the lab"


class Holder(NamedTuple):
    """A holder that was just started: its pidfd, and the socket on which it is told to stay."""

    pidfd: int
    control: socket.socket


def start_holder(lab: str, claim: socket.socket) -> Holder:
    """Start the holder of a new rootless environment; the claimed name answers from `keep` on.

    Raise MachineError with what this machine lacks.
    """
    uid, gid = os.geteuid(), os.getegid()
    with kernel_errors_as(NOT_MADE):
        control, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        maker = os.pidfd_open(os.getpid())

    def make() -> None:
        control.close()
        new_namespaces(uid, gid)
        with kernel_errors_as(NOT_MADE):
            holder = fork()
        if holder == 0:
            _hold(lab, claim, maker, far_end)
        # Only its parent can be sure that the PID is still that of the holder.
        socket.send_fds(far_end, [b"holder"], [os.pidfd_open(holder)])

    try:
        in_child(make)
        far_end.close()
        return Holder(_pidfd_when_ready(control), control)
    except BaseException as error:
        control.close()
        if isinstance(error, ChildEnded):
            raise _ended_at_once() from None
        raise
    finally:
        far_end.close()
        os.close(maker)


def _pidfd_when_ready(control: socket.socket) -> int:
    """Return the pidfd of the holder once it is ready. Raise what kept it from that."""
    pidfd, ready = None, False
    while pidfd is None or not ready:
        report, pidfds = _report(control)
        if report == b"holder":
            pidfd = pidfds[0]
        elif report == b"ready":
            ready = True
        elif report:
            raise pickling.loads(report)
        else:
            raise _ended_at_once()
    return pidfd


def _ended_at_once() -> MachineError:
    return MachineError(NOT_MADE, "its first process ended at once", "run labctl doctor")


def keep(control: socket.socket, owner: int | None) -> None:
    """Have a holder stay when its maker ends, and answer to its name. Raise MachineError if it has ended.

    It ends when the process ends of which `owner` is a pidfd.
    """
    with suppress(BrokenPipeError):
        socket.send_fds(control, [b"keep"], [] if owner is None else [owner])
    if _report(control)[0] != b"kept":
        raise _ended_at_once()
    control.close()


def _report(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return what F or H reports, with descriptors; nothing where it has ended."""
    try:
        report, pidfds, _, _ = socket.recv_fds(control, 1 << 16, 1)
    except ConnectionResetError:
        return b"", []
    return report, pidfds


def new_namespaces(uid: int, gid: int) -> None:
    """Unshare, and become root in there. Raise MachineError with what this machine lacks."""
    stage = "new namespaces (unshare)"
    try:
        unshare(NAMESPACES)
        stage = "the map of user IDs"
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{file}", "w") as map_file:
                map_file.write(text)
    except OSError as error:
        raise _refused(stage, error) from None


def mount_private(lab: str) -> None:
    """Mount /proc and a private /run, as PID 1 of the environment. Raise MachineError with what this machine lacks."""
    stage = "private mounts"
    try:
        mount("", "/", flags=MS_REC | MS_SLAVE)
        stage = "a private /run"
        _private_run(lab)
    except OSError as error:
        raise _refused(stage, error) from None
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as error:
        raise _no_proc(error) from None


def _no_proc(error: OSError) -> MachineError:
    """Return why /proc is refused: a user who does not see all of the machine's gets none (mount_too_revealing())."""
    refusal = _refused("a private /proc", error)
    hidden = ", ".join(str(point) for point in below(Path("/proc"), mount_points()) if point not in EMPTY_OF_PROC)
    if error.errno != errno.EPERM or not hidden:
        return refusal
    return MachineError(
        refusal.what,
        f"{refusal.why}: mounts hide part of the machine's own: {hidden}",
        "in a container: start it with --privileged, or be root in it; else use sudo",
    )


def _refused(stage: str, error: OSError) -> MachineError:
    from labctl.rootless.userns_diagnosis import why_refused  # which is asked where it was refused alone

    return MachineError(
        f"no rootless lab can be made here: {stage} was refused",
        kernel_words(error),
        why_refused(error.errno or 0),
    )


def _private_run(lab: str) -> None:
    """Mount a tmpfs on /run into which every entry of the machine's /run is bound, but for netns and labctl."""
    workbench = "/tmp"
    mount(f"{SOURCE}{lab}", workbench, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
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


def _hold(lab: str, claim: socket.socket, maker: int, control: socket.socket) -> NoReturn:
    """H: make the environment what it is to be, and wait in it until it is to end."""
    descriptors = (claim.fileno(), maker, control.fileno())
    try:
        detach(descriptors)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then reaps the orphans that PID 1 inherits
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        mount_private(lab)
        control.send(b"ready")
        _wait(f"labctl: rootless environment of {lab}", descriptors)
    except BaseException as error:
        control.send(pickling.dumps(portable(error)))
    finally:
        os._exit(0)


def _wait(title: str, descriptors: Iterable[int]) -> NoReturn:
    """Become the program that waits. Raise OSError."""
    from labctl.process.title import EXTENSION
    from labctl.rootless import waiting

    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    words = [sys.executable, "-S", "-P", waiting.__file__, title, EXTENSION, *map(str, descriptors)]
    os.execv(words[0], words)


def environment_of_this_process() -> str | None:
    """Return the lab in whose rootless environment this process runs, None where it runs in none."""
    sources = (mount.source for mount in mounts() if mount.point == Path("/run"))
    return next((source.removeprefix(SOURCE) for source in sources if source.startswith(SOURCE)), None)
