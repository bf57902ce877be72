"""The holder of a room: how a room is founded, furnished and kept.

    P  the labctl command, on the machine
    F  founds the room: unshare, maps, forks H, ends
    H  the holder, PID 1 of the room: private /run, fresh /proc, then it waits

H watches P (a pidfd) until P says `keep`, and answers to its name only then. If P dies before that, however it dies, H
ends, and the kernel ends everything in its PID namespace and frees every other namespace with it: a killed `up` leaves
nothing.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import socket
from pathlib import Path
from typing import NamedTuple, NoReturn

from labctl.errors import USED_UP, LabError, MachineError, kernel_errors_as, kernel_words
from labctl.process.detach import detach
from labctl.process.mounts import below, mount_points
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
from labctl.rootless.userns_diagnosis import why_no_room

ROOM = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID
"""The namespaces that make a room."""

EMPTY_OF_PROC = {Path("/proc/sys/fs/binfmt_misc"), Path("/proc/fs/nfsd"), Path("/proc/openprom")}
"""Directories that are there to be mounted on, and hide nothing (proc_create_mount_point())."""


class Holder(NamedTuple):
    """A holder that was just started: its pidfd, and the socket on which it is told to stay."""

    pidfd: int
    control: socket.socket


def start_holder(claim: socket.socket) -> Holder:
    """Start the holder of a new room; the claimed name answers from `keep` on.

    Raises MachineError with what this machine lacks.
    """
    uid, gid = os.geteuid(), os.getegid()
    with kernel_errors_as("no room could be made for the lab", USED_UP):
        control, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        founder_of = os.pidfd_open(os.getpid())
        founder = fork()
    if founder == 0:
        control.close()
        _found(claim, uid, gid, founder_of, far_end)
    far_end.close()
    os.close(founder_of)
    try:
        return Holder(_both_reports(control), control)
    except BaseException:
        control.close()
        raise
    finally:
        os.waitpid(founder, 0)


def _both_reports(control: socket.socket) -> int:
    """The pidfd of the holder, once founder and holder have done their part. Raises what kept them from it."""
    pidfd, ready = None, False
    while pidfd is None or not ready:
        report, pidfds = _report(control)
        if report == b"holder":
            pidfd = pidfds[0]
        elif report == b"ready":
            ready = True
        elif report:
            raise pickle.loads(report)
        else:
            raise MachineError(
                "no room could be made for the lab", "its first process ended at once", "run labctl doctor"
            )
    return pidfd


def keep(control: socket.socket) -> None:
    """Have a holder stay when its founder ends; returns when the room can be found by its name."""
    control.send(b"keep")
    if _report(control)[0] != b"kept":
        raise MachineError("the room of the lab ended at once", "its first process is gone", "run labctl doctor")
    control.close()


def _report(control: socket.socket) -> tuple[bytes, list[int]]:
    """What the founder or the holder says; nothing where it is gone."""
    try:
        report, pidfds, _, _ = socket.recv_fds(control, 1 << 16, 1)
    except ConnectionResetError:
        return b"", []
    return report, pidfds


def _found(claim: socket.socket, uid: int, gid: int, founder_of: int, control: socket.socket) -> NoReturn:
    """F: make the namespaces, fork the holder into them, end."""
    try:
        found_namespaces(uid, gid)
        with kernel_errors_as("no room could be made for the lab", USED_UP):
            holder = fork()
        if holder == 0:
            _hold(claim, founder_of, control)
        # Only its parent can be sure that the PID is still its own.
        socket.send_fds(control, [b"holder"], [os.pidfd_open(holder)])
    except BaseException as error:
        control.send(pickle.dumps(portable(error)))
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
    except OSError as error:
        raise _refused(stage, error) from None
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as error:
        raise _no_proc(error) from None


def _no_proc(error: OSError) -> MachineError:
    """Why there is no private /proc: who may not see all of the machine's gets none (mount_too_revealing())."""
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
    return MachineError(
        f"no rootless lab can be made here: {stage} was refused",
        kernel_words(error),
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


def _hold(claim: socket.socket, founder_of: int, control: socket.socket) -> NoReturn:
    """H: keep the room until it is told to end, or until P dies before it said `keep`."""
    from labctl.process.title import set_title

    try:
        detach((claim.fileno(), founder_of, control.fileno()))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then reaps the orphans that PID 1 inherits
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # a PID 1 without a handler would ignore it
        furnish()
        set_title(f"labctl: room of {claim.getsockname()[1:].decode().rpartition('/')[2]}")
        control.send(b"ready")
        _wait_for_the_end(claim, founder_of, control)
    except BaseException as error:
        control.send(pickle.dumps(portable(error)))
    finally:
        os._exit(0)


def _wait_for_the_end(claim: socket.socket, founder_of: int, control: socket.socket) -> None:
    waited: list[int | socket.socket] = [founder_of, control]
    while True:
        events, _, _ = select.select(waited, [], [])
        if claim in events:
            claim.accept()[0].close()
        if control in events and control.recv(16) == b"keep":
            # Not before: a room that may vanish with its founder is nobody else's to work in.
            claim.listen()
            control.send(b"kept")
            control.close()
            waited = [claim]
        elif founder_of in events:
            return


def portable(error: BaseException) -> BaseException:
    """The error itself if it can travel, with the traceback that would otherwise stay behind."""
    if not isinstance(error, LabError):
        import traceback

        error.add_note("in another process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(repr(error))
    return error
