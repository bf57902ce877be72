"""The place where a lab lives: the machine itself for root, a room of its own for an ordinary user.

A room is a holder process in a new user, mount, network and PID namespace with a private /run, in which this user is
root. Every command enters the room and then runs the very code that root runs; nothing above this module asks which of
the two it is.

    P  the labctl command, on the machine             H  the holder, PID 1 of the room
    F  founds the room: unshare, maps, forks H, ends  C  forked by a command, enters the room, does its work there

A room has a name that the kernel keeps: an abstract UNIX socket (unix(7)) on which the holder listens. Binding it is
an atomic claim, it is gone the moment the holder is gone, and SO_PEERCRED tells the holder's PID and user beyond doubt.
So there is no file that could be left behind or lie.

The holder watches P (a pidfd) until P says `keep`. If P dies before that, however it dies, the holder ends, and the
kernel ends everything in its PID namespace and frees every other namespace with it: a killed `up` leaves nothing.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

from labctl.errors import LabError, MachineError, UsageError, kernel_words
from labctl.kernel.detach import detach
from labctl.kernel.privileges import has_network_rights
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
    die_with_parent,
    mount,
    setns,
    unshare,
)

Result = TypeVar("Result")

_ROOM = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID


class Place(Protocol):
    """Where a lab lives."""

    mode: str

    def call(self, work: Callable[[], Result]) -> Result:
        """Do some work there, and give what it returned or raise what it raised."""

    def keep(self) -> None:
        """Have the place outlive this command, if this command made it."""

    def abandon(self) -> None:
        """Give the place up again, if this command made it."""

    def close(self) -> None:
        """Give the place up, with everything in it."""


class Machine:
    """The machine itself, for root: nothing to enter, nothing to close."""

    mode = "root"

    def call(self, work: Callable[[], Result]) -> Result:
        return work()

    def keep(self) -> None:
        pass

    def abandon(self) -> None:
        pass

    def close(self) -> None:
        pass


class Room:
    """A room with a running holder."""

    mode = "rootless"

    def __init__(self, lab: str, holder: int, control: int | None = None) -> None:
        self.lab = lab
        self._holder = holder  # a pidfd
        self._control = control

    def call(self, work: Callable[[], Result]) -> Result:
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _enter_and_work(self._holder, parent, work, writer)
        os.close(writer)
        with _keyboard_left_to_the_child(), open(reader, "rb") as answers:
            answer = answers.read()
            _, status = os.waitpid(child, 0)
        if not answer:
            raise LabError(
                f"the room of lab {self.lab} ended while a command was at work in it",
                f"its process ended with status {os.waitstatus_to_exitcode(status)}",
                "labctl list shows what is running",
            )
        failed, value = pickle.loads(answer)
        if failed:
            raise value
        result: Result = value
        return result

    def keep(self) -> None:
        if self._control is not None:
            os.write(self._control, b"k")
            os.close(self._control)
            self._control = None

    def abandon(self) -> None:
        if self._control is not None:
            self.close()

    def close(self) -> None:
        """End the holder; returns when the kernel has ended everything in its PID namespace."""
        try:
            signal.pidfd_send_signal(self._holder, signal.SIGKILL)
        except ProcessLookupError:
            return
        select.select([self._holder], [], [], 10)


def place_of_new(lab: str) -> Place:
    """The place for a lab that may not exist yet. Raises MachineError where no room can be had."""
    if has_network_rights():
        return Machine()
    return find_room(lab) or _make_room(lab)


def places() -> list[Place]:
    """Every place of this user where a lab can be."""
    if has_network_rights():
        return [Machine()]
    found = (find_room(lab) for uid, lab in _names() if uid == os.geteuid())
    return [room for room in found if room is not None]


def owner_of(lab: str) -> int | None:
    """The user ID of another user who has a room of that name."""
    return next((uid for uid, name in _names() if name == lab and uid != os.geteuid()), None)


def find_room(lab: str) -> Room | None:
    """The room of a lab of this user, or None where there is none."""
    pid = _holder_of(lab)
    if pid is None:
        return None
    try:
        holder = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # The name still answers with the same PID, so it was alive when the pidfd was taken: it cannot be another's.
    if _holder_of(lab) != pid:
        os.close(holder)
        return None
    return Room(lab, holder)


def _address(lab: str) -> str:
    return f"\0labctl/{os.geteuid()}/{lab}"


def _names() -> list[tuple[int, str]]:
    found = set()
    for line in Path("/proc/net/unix").read_text().splitlines():
        path = line.rpartition(" ")[2]
        parts = path.split("/", 2)
        if len(parts) == 3 and parts[0] == "@labctl" and parts[1].isdigit():
            found.add((int(parts[1]), parts[2]))
    return sorted(found)


def _holder_of(lab: str) -> int | None:
    """The PID behind the name, if it is this user's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(_address(lab))
        except ConnectionRefusedError:
            return None
        pid, uid, _ = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid if uid == os.geteuid() else None


def _make_room(lab: str) -> Room:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(_address(lab))
    except OSError as error:
        raise UsageError(
            f"lab {lab} is being started or ended by another labctl at this moment",
            kernel_words(error.errno or 0),
            "wait for it, or choose another name with --name",
        ) from None
    ready, founded = os.pipe()
    keep, control = os.pipe()
    founder_of = os.pidfd_open(os.getpid())
    uid, gid = os.geteuid(), os.getegid()
    founder = os.fork()
    if founder == 0:
        os.close(ready)
        os.close(control)
        _found(claim, uid, gid, founder_of, keep, founded)
    claim.close()
    for fd in (founded, keep, founder_of):
        os.close(fd)
    with open(ready, "rb") as reports:
        report = reports.read()
    os.waitpid(founder, 0)
    if report != b"ready":
        os.close(control)
        raise (
            pickle.loads(report)
            if report
            else MachineError(
                "no room could be made for the lab", "its first process ended at once", "run labctl doctor"
            )
        )
    room = find_room(lab)
    if room is None:
        raise MachineError("the room of the lab ended at once", "", "run labctl doctor")
    return Room(lab, room._holder, control)


def _found(claim: socket.socket, uid: int, gid: int, founder_of: int, keep: int, founded: int) -> NoReturn:
    """F: make the namespaces, fork the holder into them, end."""
    try:
        found_namespaces(uid, gid)
        if os.fork() == 0:
            _hold(claim, founder_of, keep, founded)
    except BaseException as error:
        os.write(founded, pickle.dumps(_portable(error)))
    finally:
        os._exit(0)


def found_namespaces(uid: int, gid: int) -> None:
    """Unshare and become root in there. Raises MachineError with what this machine lacks."""
    stage = "new namespaces (unshare)"
    try:
        unshare(_ROOM)
        stage = "the map of user IDs"
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{file}", "w") as map_file:
                map_file.write(text)
    except OSError as error:
        raise refused(stage, error) from None


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
        raise refused(stage, error) from None


def refused(stage: str, error: OSError) -> MachineError:
    from labctl.kernel.capabilities import why_no_room

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
        os.write(founded, pickle.dumps(_portable(error)))
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


def _enter_and_work(holder: int, parent: int, work: Callable[[], object], writer: int) -> NoReturn:
    """C: join every namespace of the room, fork (a PID namespace is entered by children only), work, answer."""
    here = os.getcwd()
    try:
        setns(holder, _ROOM)
        die_with_parent(parent)
        worker = os.fork()
        if worker:
            os.close(writer)
            with _keyboard_left_to_the_child():
                _, status = os.waitpid(worker, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
        die_with_parent(0)
        _return_to(here)
        answer = (False, work())
    except BaseException as error:
        answer = (True, _portable(error))
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass
    with open(writer, "wb") as answers:
        answers.write(pickle.dumps(answer))
    os._exit(0)


def _return_to(directory: str) -> None:
    """setns(2) of a mount namespace leaves us in /; go back, unless the directory is hidden in there."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def _portable(error: BaseException) -> BaseException:
    """The error itself if it can travel, with the traceback that would otherwise stay behind."""
    if not isinstance(error, LabError):
        import traceback

        error.add_note("in the room:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(repr(error))
    return error


class _keyboard_left_to_the_child:
    """Ctrl-C reaches every process of the terminal; the one that waits must outlive it to hear the answer."""

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
