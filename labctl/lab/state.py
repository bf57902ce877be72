"""What is recorded of a lab, so that `down` needs nothing else and is right after a kill at any moment.

    /run/labctl/LAB/            0700; the lock of the lab is a flock(2) on this directory
        topology.json           the topology as applied
        journal                 one JSON object a line, only ever appended
        engines/DEVICE.log      what an engine said     engines/DEVICE.counters  what it counted
                                                              engines/DEVICE.control   where it is asked to impair
    /run/labctl/netns           how /run/netns was found, as long as labctl needs it

The journal is written ahead: a namespace or a process is in it before it can do anything, so whatever exists is named
there, and a line that was cut off by a kill names something that does not exist yet. In a rootless room all of this is
in the private /run and goes with it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labctl.errors import MachineError, UsageError, kernel_words
from labctl.kernel import namespaces
from labctl.kernel.namespaces import NamespaceId
from labctl.kernel.signals import put_off
from labctl.lab.processes import Process
from labctl.plan.facts import Substitution

ROOT = Path("/run/labctl")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Engine:
    """An engine that was started: its process, and what a person types for the same."""

    process: Process
    command: str


@dataclass
class Recorded:
    """What the journal of a lab says."""

    mode: str = "root"
    boot: str = ""
    mark: str = ""
    complete: bool = False
    namespaces: dict[str, NamespaceId] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)
    substitutions: dict[str, Substitution] = field(default_factory=dict)


class State:
    """The recorded state of one lab. Everything that writes needs the lock."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self.directory = ROOT / lab
        self._journal = self.directory / "journal"
        self._topology = self.directory / "topology.json"

    def exists(self) -> bool:
        return self.directory.is_dir() and not self.directory.is_symlink()

    def begun(self) -> bool:
        """Whether anything is recorded that may exist."""
        return self._journal.exists()

    def begin(self, mode: str) -> None:
        mark = f"labctl: {self.lab} {secrets.token_hex(4)}"
        self._append({"begin": {"mode": mode, "boot": _boot_id(), "mark": mark}})

    def record_namespace(self, name: str, found: NamespaceId) -> None:
        self._append({"namespace": name, **found._asdict()})

    def record_engine(self, device: str, engine: Engine) -> None:
        self._append({"engine": device, "command": engine.command, **asdict(engine.process)})

    def forget_namespace(self, name: str) -> None:
        self._append({"forget_namespace": name})

    def forget_engine(self, device: str) -> None:
        self._append({"forget_engine": device})

    def record_substitution(self, substitution: Substitution) -> None:
        self._append({"substitution": asdict(substitution)})

    def forget_substitution(self, subject: str) -> None:
        self._append({"forget_substitution": subject})

    def complete(self, topology: str) -> None:
        """The lab is up; from here on it is what the topology says."""
        temporary = self._topology.with_suffix(".new")
        with _kept_in(self.directory):
            temporary.write_text(topology)
            temporary.rename(self._topology)
        self._append({"complete": True})

    def topology(self) -> str | None:
        """The topology as applied, as JSON; None where `up` never got to its end."""
        try:
            return self._topology.read_text()
        except FileNotFoundError:
            return None

    def read(self) -> Recorded:
        """What is recorded; after a reboot nothing of it exists any more, so nothing is."""
        recorded = Recorded()
        for entry in self._entries():
            _apply(entry, recorded)
        return recorded if recorded.boot in ("", _boot_id()) else Recorded(recorded.mode)

    def log_of(self, device: str) -> Path:
        return self.directory / "engines" / f"{device}.log"

    def control_of(self, device: str) -> Path:
        return self.directory / "engines" / f"{device}.control"

    def counters_of(self, device: str) -> Path:
        return self.directory / "engines" / f"{device}.counters"

    def reset(self) -> None:
        """Record that nothing of the lab is left. The journal goes last: while it is there, it is true."""
        engines = self.directory / "engines"
        for file in () if engines.is_symlink() else engines.iterdir():  # a link leads to somebody else's files
            file.unlink()
        self._topology.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the lab."""
        shutil.rmtree(self.directory)

    def _append(self, entry: dict[str, Any]) -> None:
        with _kept_in(self.directory), self._journal.open("ab+") as journal:
            if journal.tell():
                journal.seek(-1, os.SEEK_END)
                if journal.read() != b"\n":  # a full disk, or a kill, has cut the last one off
                    journal.write(b"\n")
            journal.write(json.dumps(entry).encode() + b"\n")

    def _entries(self) -> Iterator[dict[str, Any]]:
        try:
            text = self._journal.read_text()
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # it was cut off, before what it announces was done


def _apply(entry: dict[str, Any], recorded: Recorded) -> None:
    match entry:
        case {"begin": {"mode": mode, "boot": boot, "mark": mark}}:
            recorded.mode, recorded.boot, recorded.mark = mode, boot, mark
        case {"namespace": name, "device": device, "inode": inode, "mark": mark}:
            recorded.namespaces[name] = NamespaceId(device, inode, mark)
        case {"engine": device, "command": command, "pid": pid, "started": started}:
            recorded.engines[device] = Engine(Process(pid, started), command)
        case {"substitution": values}:
            substitution = Substitution(**values)
            recorded.substitutions[substitution.subject] = substitution
        case {"forget_namespace": name}:
            recorded.namespaces.pop(name, None)
        case {"forget_engine": device}:
            recorded.engines.pop(device, None)
        case {"forget_substitution": subject}:
            recorded.substitutions.pop(subject, None)
        case {"complete": complete}:
            recorded.complete = complete


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def existing(lab: str) -> State:
    """The state of a lab that is there. Raises UsageError where it is not."""
    state = State(lab)
    if not state.exists():
        raise _no_such(lab)
    return state


def _no_such(lab: str) -> UsageError:
    return UsageError(f"there is no lab named {lab}", "", "labctl list shows what is running")


def recorded_labs() -> list[str]:
    """The labs recorded here, by name."""
    try:
        return sorted(entry.name for entry in ROOT.iterdir() if entry.is_dir() and not entry.is_symlink())
    except FileNotFoundError:
        return []


@contextmanager
def locked(lab: str, create: bool = False) -> Iterator[State]:
    """The state of a lab, held against every other labctl.

    Raises UsageError where another labctl is at work on it, naming its PID, or where there is no such lab.
    """
    state = State(lab)
    with put_off() as no_longer:
        fd = _lock(state, create)
        try:
            no_longer()
            yield state
        finally:
            if state.exists() and not state.begun():
                state.remove()  # nothing came of it, or nothing is left of it
            os.close(fd)
            tidy()


def _lock(state: State, create: bool) -> int:
    """Take the lock of a lab; gives the descriptor that holds it."""
    while True:
        if create:
            _make_directories(state)
        try:
            fd = os.open(state.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            if create:
                continue  # somebody has just taken the lab down
            raise _no_such(state.lab) from None
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


@contextmanager
def _kept_in(directory: Path) -> Iterator[None]:
    """Turn what a disk says no to into words. A directory that is gone stays a FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MachineError(
            f"the state of the lab cannot be kept in {directory}",
            kernel_words(error),
            f"make room there: {ROOT.parent} must be writable and have some space",
        ) from None


def _make_directories(state: State) -> None:
    if state.directory.is_symlink():
        raise UsageError(
            f"{state.directory} is a symbolic link, and not of labctl's making",
            "",
            "remove it, or choose another --name",
        )
    try:
        with _kept_in(state.directory):
            (state.directory / "engines").mkdir(mode=0o700, parents=True, exist_ok=True)
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
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def prepare_names() -> None:
    """See to it that namespaces can be named, and remember how /run/netns was found."""
    with _whole_state():
        if namespaces.directory_is_ready():
            return
        with _kept_in(ROOT):
            (ROOT / "netns").write_text("there" if namespaces.DIRECTORY.is_dir() else "absent")
            namespaces.make_directory()


def tidy() -> None:
    """Give back what all labs share, once the last lab is gone."""
    try:
        with _whole_state():
            if recorded_labs():
                return
            found = ROOT / "netns"
            if found.exists():
                # If somebody else has a namespace there by now, the directory is theirs from now on.
                namespaces.remove_directory(found.read_text() == "there")
                found.unlink()
            ROOT.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
