"""Where a lab is recorded, who may work on it, and what all labs share.

    /run/labctl/LAB/            0700; the lock of the lab is a flock(2) on this directory
        topology.json           the topology as applied
        journal                 what exists of the lab (journal.py)
        engines/DEVICE.log      what an engine said     engines/DEVICE.counters  what it counted
                                                              engines/DEVICE.control   where it is asked to impair
    /run/labctl/.netns          how /run/netns was found, as long as labctl needs it; no lab has a name like this

In a rootless room all of this is in the private /run and goes with it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import UsageError
from labctl.kernel import namespaces
from labctl.kernel.namespaces import NamespaceId
from labctl.lab.journal import Engine, Journal, Recorded, boot_id
from labctl.plan.facts import Substitution
from labctl.process.disk import contents, kept_in, refuse_if_others_may_write, removable, remove, unreadable
from labctl.process.signals import block_signals

if TYPE_CHECKING:
    from labctl.topology.model import Topology

ROOT = Path("/run/labctl")
_FOUND_NAMES = ROOT / ".netns"


class State:
    """The recorded state of one lab. Everything that writes needs the lock."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self.directory = ROOT / lab
        self._journal = Journal(self.directory / "journal")
        self._topology = self.directory / "topology.json"

    def exists(self) -> bool:
        return self.directory.is_dir() and not self.directory.is_symlink()

    def begun(self) -> bool:
        """Whether anything is recorded that may exist."""
        return os.path.lexists(self._journal.path)

    def begin(self, mode: str) -> None:
        with kept_in(self.directory):
            (self.directory / "engines").mkdir(mode=0o700, exist_ok=True)
        mark = f"labctl: {self.lab} {secrets.token_hex(4)}"
        self._journal.append({"begin": {"mode": mode, "boot": boot_id(), "mark": mark}})

    def record_namespace(self, name: str, found: NamespaceId) -> None:
        self._journal.append({"namespace": name, **found._asdict()})

    def record_engine(self, device: str, engine: Engine) -> None:
        files = {"files": dict(engine.files)} if engine.files else {}
        self._journal.append({"engine": device, "command": engine.command, **asdict(engine.process), **files})

    def forget_namespace(self, name: str) -> None:
        self._journal.append({"forget_namespace": name})

    def forget_engine(self, device: str) -> None:
        self._journal.append({"forget_engine": device})

    def record_substitution(self, substitution: Substitution) -> None:
        self._journal.append({"substitution": asdict(substitution)})

    def forget_substitution(self, subject: str) -> None:
        self._journal.append({"forget_substitution": subject})

    def complete(self, topology: str, file: str) -> None:
        """The lab is up; from here on it is what the topology, of this file, says."""
        temporary = self._topology.with_suffix(".new")
        with kept_in(self.directory):
            temporary.write_text(topology)
            temporary.rename(self._topology)
        self._journal.append({"complete": True, "file": file})

    def topology(self) -> Topology | None:
        """The topology as applied; None where `up` never got to its end. Raises MachineError where it is damaged."""
        from labctl.topology.model import Topology  # heavy, and most commands do without

        written = contents(self._topology)
        try:
            return None if written is None else Topology.model_validate_json(written)
        except ValueError:
            raise unreadable(self._topology, "it is damaged") from None

    def read(self) -> Recorded:
        """What is recorded; after a reboot no process of it exists any more, and of a namespace only the name may.

        Raises MachineError where that cannot be read, or may be somebody else's.
        """
        for directory in (ROOT, self.directory):
            with suppress(FileNotFoundError):
                refuse_if_others_may_write(directory)
        recorded = self._journal.read()
        if recorded.boot in ("", boot_id()):
            return recorded
        return Recorded(recorded.mode, namespaces=recorded.namespaces)

    def log_of(self, device: str) -> Path:
        return self.directory / "engines" / f"{device}.log"

    def control_of(self, device: str) -> Path:
        return self.directory / "engines" / f"{device}.control"

    def counters_of(self, device: str) -> Path:
        return self.directory / "engines" / f"{device}.counters"

    def reset(self) -> None:
        """Record that nothing of the lab is left. The journal goes last: while it is there, it is true."""
        engines = self.directory / "engines"
        # The directory itself stays until the lab is forgotten: an engine that never came to be may just fill it.
        within = engines.iterdir() if engines.is_dir() and not engines.is_symlink() else (engines,)
        for path in (*within, self._topology):
            remove(path)
        self._journal.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the lab."""
        with removable(self.lab):
            while self.exists():
                try:
                    shutil.rmtree(self.directory)
                except OSError as error:
                    # An engine whose maker was killed before it began was just about to make its files.
                    if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                        raise


def existing(lab: str) -> State:
    """The state of a lab that is there. Raises UsageError where it is not."""
    state = State(lab)
    if not state.exists():
        raise UsageError(f"there is no lab named {lab}", "", "labctl list shows what is running")
    return state


def recorded_labs() -> list[str]:
    """The labs recorded here, by name. Raises MachineError where that may be somebody else's word."""
    try:
        refuse_if_others_may_write(ROOT)
        return sorted(entry.name for entry in ROOT.iterdir() if entry.is_dir() and not entry.is_symlink())
    except FileNotFoundError:
        return []


@contextmanager
def locked(lab: str) -> Iterator[State]:
    """The state of a lab, held against every other labctl; made where there is none, and gone where nothing is in it.

    Raises UsageError where another labctl is at work on it, naming its PID.
    """
    state = State(lab)
    with block_signals() as unblock:
        try:
            fd = _lock(state)
            try:
                unblock()
                yield state
            finally:
                if state.exists() and not state.begun():
                    state.remove()  # nothing came of it, or nothing is left of it
                os.close(fd)
        finally:
            tidy()


def _lock(state: State) -> int:
    """Take the lock of a lab; gives the descriptor that holds it."""
    while True:
        _make_directories(state)
        try:
            fd = os.open(state.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # somebody has just taken the lab down
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(state.directory)):
                return fd
        except FileNotFoundError:
            pass  # it was taken down between our open and our lock: what we hold has no name any more
        except BlockingIOError:
            why = f"it is {_holder(fd)}"
            os.close(fd)
            raise UsageError(f"another labctl is at work on lab {state.lab}", why, "wait until it has ended") from None
        os.close(fd)


def _make_directories(state: State) -> None:
    if state.directory.is_symlink():
        raise UsageError(
            f"{state.directory} is a symbolic link, and not of labctl's making",
            "",
            "remove it, or choose another --name",
        )
    try:
        with kept_in(state.directory):
            ROOT.mkdir(mode=0o700, exist_ok=True)  # parents=True would leave its mode to the umask
            refuse_if_others_may_write(ROOT)
            state.directory.mkdir(mode=0o700, exist_ok=True)
            state.directory.chmod(0o700)
    except FileNotFoundError:
        return  # somebody has just taken the lab down, and all of it; the caller begins again


def _holder(fd: int) -> str:
    """Who holds the lock on a file: /proc/locks (proc(5)) lists it by inode."""
    inode = os.fstat(fd).st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        found = re.search(r"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:(\d+)\s", line)
        if found and int(found[2]) == inode:
            return f"process {found[1]}"
    return "a process that has just ended"


@contextmanager
def _whole_state() -> Iterator[None]:
    """The lock of what all labs share: /run/netns and /run/labctl themselves."""
    fd = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        refuse_if_others_may_write(ROOT)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def prepare_names() -> None:
    """See to it that namespaces can be named, and remember how /run/netns was found."""
    with _whole_state():
        if namespaces.directory_is_ready():
            return
        with kept_in(ROOT):
            if not _FOUND_NAMES.exists():  # else it is we who left it half-made, or a reboot
                _FOUND_NAMES.write_text("there" if namespaces.DIRECTORY.is_dir() else "absent")
            namespaces.make_directory()


def tidy() -> None:
    """Give back what all labs share, once the last lab is gone."""
    try:
        with _whole_state():
            if recorded_labs():
                return
            found = contents(_FOUND_NAMES)
            if found is not None:
                # If somebody else has a namespace there by now, the directory is theirs from now on.
                namespaces.remove_directory(found == b"there")
                _FOUND_NAMES.unlink()
            ROOT.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        # Somebody else has just made a lab; or /run is read-only, and an empty directory has to stay.
        if error.errno not in (errno.ENOTEMPTY, errno.EROFS):
            raise
