"""A machine for one test, and a person in front of it: root, or an ordinary user without any right.

As root the test makes a mount namespace of its own with a /run of its own, so that two tests never see each other's
names, and whatever a lab leaves behind is found by looking. What is to labctl the machine's own network namespace is
one of this run of the suite: two runs do not meet either, and the real one is not even in reach. An ordinary user gets
in there what every machine gives to its users: a Python that can be read and a /dev/net/tun that can be opened, even
where root has hidden both. Where an ordinary user runs the suite, each world is in a user namespace in which that user
is still the same ordinary one.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from labctl.__main__ import main
from labctl.process.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_BIND,
    MS_REC,
    die_with_parent,
    mount,
    setns,
    unmount,
    unshare,
)
from tests.e2e import forked
from tests.e2e.person import Person
from tests.e2e.processes import effective_uid, has_ended, is_in_user_namespace, pids, reap_orphans, started, title
from tests.patience import PATIENCE


def unused_uid() -> int:
    """A user that nobody is, so that all its processes are ours: far from what people and containers are given."""
    highest = max(int(first) + int(count) for first, _, count in map(str.split, _lines("/proc/self/uid_map")))
    low, high = (2_000_000_000, 2_100_000_000) if highest > 2_100_000_000 else (highest // 2, highest)
    return random.randrange(low, high)


def _lines(file: str | Path) -> list[str]:
    with open(file) as text:
        return text.read().splitlines()


REPO = Path(__file__).resolve().parents[2]
SUITE_IS_ROOT = os.geteuid() == 0
ORDINARY_UID = unused_uid() if SUITE_IS_ROOT else os.geteuid()
DEADLINE = PATIENCE
MS_PRIVATE = 1 << 18  # sys/mount.h
FURNISHED = CLONE_NEWNS | CLONE_NEWNET | (0 if SUITE_IS_ROOT else CLONE_NEWUSER)


SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # linux/sockios.h, linux/if.h


class Keeper(NamedTuple):
    """The process that holds the mount namespace of a world."""

    pid: int
    pidfd: int


class Mount(NamedTuple):
    """A mount: its number, where it is, and that with its kind."""

    number: int
    point: str
    words: str


PLACES = ("/run", "/sys", "/proc", "/dev", "/etc")
"""Where labctl mounts. What others had mounted elsewhere goes when they remove its mount point (rmdir(2))."""


class World:
    """Runs labctl as one person, and tells what is there."""

    def __init__(self, mode: str, keeper: Keeper, home: Path) -> None:
        self.mode = mode
        self.home = home
        self._keeper = keeper
        self._own = Path("/proc", str(keeper.pid))
        self._run = os.stat(self._own / "root/run")
        self._of_others = {mount for mount in _mounts(self._own) if not mount.point.startswith(PLACES)}

    @property
    def is_root(self) -> bool:
        return self.mode == "root"

    def start(
        self, command: Sequence[str], before: Callable[[], None] = lambda: None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a program as this person; `before` is called in the new process when it has become this person."""
        environment, person = self._person(options)

        def become() -> None:
            person.become()
            before()

        process = subprocess.Popen(list(command), preexec_fn=become, env=environment, text=True, **options)
        started(process)
        return process

    def start_forked(self, main: Callable[[], None], words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a function of ours as if it were a program, as this person."""
        environment, person = self._person(options)
        process = forked.Process(main, words, environment, person.become, **options)
        started(process)
        return process

    def _person(self, options: dict[str, Any]) -> tuple[dict[str, str], Person]:
        """Return the environment of this person, and who a new process becomes; takes `env` and `cwd` out."""
        given = options.pop("env", {})
        environment = {
            **os.environ, "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(REPO), "LC_ALL": "C.UTF-8", **given,
        }  # fmt: skip
        if "LABCTL_LAB" not in given:
            environment.pop("LABCTL_LAB", None)

        uid = self.uid if SUITE_IS_ROOT and not self.is_root else None
        return environment, Person(self._keeper.pid, FURNISHED, uid, options.pop("cwd", self.home))

    def run(
        self, *command: str, code: int | None = 0, say: str | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with `say` as its input, and look at its exit code."""
        return self._to_its_end(partial(self.start, command), command, code, say, options)

    @staticmethod
    def _to_its_end(
        start: Callable[..., subprocess.Popen[str]],
        words: Sequence[str],
        code: int | None,
        say: str | None,
        options: dict[str, Any],
    ) -> subprocess.CompletedProcess[str]:
        source = subprocess.DEVNULL if say is None else subprocess.PIPE
        options = {"stdin": source, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        with start(**options) as process:
            out, err = process.communicate(say, timeout=6 * DEADLINE)
        if code is not None:
            assert process.returncode == code, f"{words} ended with {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def start_labctl(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start labctl, as `labctl` runs it."""
        if forked.EXECUTED or "before" in options or any(name.startswith("PYTHON") for name in options.get("env", ())):
            return self.start(self.command(*arguments), **options)
        return self.start_forked(main, ["labctl", *arguments], **options)

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "labctl", *arguments]

    def labctl(
        self, *arguments: str, code: int | None = 0, say: str | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run labctl; nothing it says may be a traceback.

        It is executed, and not only forked, where the test is about what a new process or its interpreter is given.
        """
        done = self.labctl_quoting(*arguments, code=code, say=say, **options)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def labctl_quoting(
        self, *arguments: str, code: int | None = 0, say: str | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run labctl, which quotes what another program wrote: that may be a traceback."""
        return self._to_its_end(partial(self.start_labctl, *arguments), arguments, code, say, options)

    def json(self, *arguments: str, code: int | None = 0, **options: Any) -> Any:
        return json.loads(self.labctl(*arguments, "-f", "json", code=code, **options).stdout)

    def file(self, name: str, text: str) -> str:
        """A file that this person can read."""
        path = self.home / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)

    def inside(self, look: Callable[[], Any]) -> Any:
        """Look at something from within the mount namespace, with the rights of the test."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                setns(self._keeper.pidfd, FURNISHED)
                os.write(writer, json.dumps(look()).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader) as answers:
            text = answers.read()
        os.waitpid(child, 0)
        return json.loads(text)

    def have_loopback(self) -> None:
        """Set `lo` up in what is the machine's own network to labctl; a program would lose the right to (execve(2))."""

        def set_up() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))

        self.inside(set_up)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a lab could leave behind, seen through the process that holds the mount namespace."""
        reap_orphans()
        return {
            "run": sorted(_tree(self._own / "root", "/run")),
            "mounts": sorted(mount.words for mount in _mounts(self._own) if mount not in self._of_others),
            "links": sorted(_links(self._own)),
            "environments": sorted(_environments(self._own, self.uid)),
            "processes": sorted(self.processes()),
        }

    def snapshot_when(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return the snapshot when it is the wanted one, or the last that was seen: what differs tells most."""
        seen = self.snapshot()

        def is_wanted() -> bool:
            nonlocal seen
            seen = self.snapshot()
            return seen == wanted

        if seen != wanted:
            with suppress(AssertionError):
                eventually(is_wanted, "all is as wanted")
        return seen

    @property
    def uid(self) -> int:
        return 0 if self.is_root else ORDINARY_UID

    def processes(self) -> list[tuple[int, str]]:
        """The living processes of this world: PID and title.

        They are known by their /run, which is of this world alone, also in a mount namespace of their own; or by their
        user, who has no other processes; or, where the suite runs as the user itself, by being in the user namespace of
        this world or in one below it.
        """
        found = []
        for pid in pids():
            with suppress(OSError):
                if pid != self._keeper.pid and self._is_of_here(pid) and not has_ended(pid):
                    found.append((pid, title(pid)))
        return found

    def _is_of_here(self, pid: int) -> bool:
        if not SUITE_IS_ROOT:
            return is_in_user_namespace(pid, self._own / "ns/user")
        if not self.is_root and effective_uid(pid) == self.uid:
            return True
        return os.path.samestat(os.stat(f"/proc/{pid}/root/run"), self._run)

    def processes_titled(self, words: str) -> list[int]:
        return [pid for pid, title in self.processes() if words in title]


def _tree(root: Path, top: str) -> Iterator[str]:
    """Yield what is below a directory, by the names that it has where the root is that one."""
    for folder, folders, files in os.walk(f"{root}{top}"):
        yield from (f"{folder}/{name}".removeprefix(str(root)) for name in (*folders, *files))


def _links(process: Path) -> Iterator[str]:
    for line in _lines(process / "net/dev")[2:]:
        yield line.partition(":")[0].strip()


def _environments(process: Path, uid: int) -> Iterator[str]:
    for line in _lines(process / "net/unix"):
        if f"@labctl/{uid}/" in line:
            yield line.split()[-1]


def _mounts(process: Path) -> Iterator[Mount]:
    for line in _lines(process / "mountinfo"):
        before, _, after = line.partition(" - ")
        number, _, _, _, point = before.split()[:5]
        yield Mount(int(number), point, f"{point} {after.split()[0]}")


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition, and give its value."""
    deadline = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"did not come true within {DEADLINE:g} s: {what}"
        time.sleep(0.01)


@contextmanager
def running(here: World, namespace: str, program: str) -> Iterator[None]:
    """A Python program inside a namespace, which prints a line when it is ready."""
    command = ("exec", namespace, "--", sys.executable, "-c", program)
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with here.start_labctl(*command, **pipes) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield
        process.terminate()


def names(here: World) -> list[str]:
    """The namespaces that are there by name; in a rootless environment they are seen through its first process."""
    holders = here.processes_titled("labctl: rootless environment of")
    top = Path("/proc", str(holders[0]), "root") if holders else Path("/")
    if not (holders or here.is_root):
        return []
    try:
        return sorted(here.inside(lambda: os.listdir(top / "run/netns")))
    except ValueError:  # not there yet, or no more
        return []


@contextmanager
def world(mode: str) -> Iterator[World]:
    """A world for one test; at its end every process of it is gone."""
    home = Path(tempfile.mkdtemp(prefix="labctl-test-"))
    home.chmod(0o755)
    keeper = _keep_mount_namespace()
    if mode == "rootless":
        os.chown(home, ORDINARY_UID, ORDINARY_UID)
    here = World(mode, keeper, home)
    try:
        yield here
    finally:
        with suppress(AssertionError):
            eventually(lambda: not _killed(here), "the processes of this world are gone")
        signal.pidfd_send_signal(keeper.pidfd, signal.SIGKILL)
        os.waitid(os.P_PIDFD, keeper.pidfd, os.WEXITED)
        os.close(keeper.pidfd)
        shutil.rmtree(home)


def _killed(here: World) -> list[int]:
    """Kill what lives in a world, and return what that was."""
    living = [pid for pid, _ in here.processes()]
    for pid in living:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return living


@cache
def _network() -> int:
    """The network namespace of this run of the suite: what to labctl is the machine's own."""
    with open("/proc/self/ns/net") as home:
        unshare(CLONE_NEWNET)
        try:
            return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            setns(home.fileno(), CLONE_NEWNET)


def _keep_mount_namespace() -> Keeper:
    """Fork a process that does nothing but hold a furnished mount namespace."""
    ready, done = os.pipe()
    furnish = _furnish_as_root if SUITE_IS_ROOT else _furnish_as_user
    if SUITE_IS_ROOT:
        _network()  # made here, once for all worlds
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            die_with_parent(parent)
            furnish()
            os.write(done, b"1")
            os.close(done)
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(done)
    keeper = Keeper(child, os.pidfd_open(child))
    with open(ready, "rb") as answers:
        assert answers.read() == b"1", "the mount namespace of the test could not be furnished"
    return keeper


def _furnish_as_root() -> None:
    unshare(CLONE_NEWNS)
    setns(_network(), CLONE_NEWNET)
    mount("", "/", flags=MS_REC | MS_PRIVATE)  # what others mount meanwhile is not to be seen
    _empty_run()
    let_users_reach(REPO, Path(sys.prefix), Path(sys.base_prefix))
    let_users_open_tun()


def _furnish_as_user() -> None:
    uid, gid = os.geteuid(), os.getegid()
    unshare(FURNISHED)
    for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", file).write_text(text)
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", "/run", "tmpfs", data="mode=0555")  # an ordinary user cannot write there


def _empty_run() -> None:
    """A /run of one's own; what others have mounted in the machine's would come and go unseen below it."""
    below = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for target in reversed([target for target in below if target.startswith("/run/")]):
        with suppress(OSError):  # its owner has taken it away meanwhile
            unmount(target)
    mount("tmpfs", "/run", "tmpfs", data="mode=0755")


def let_users_reach(*needed: Path) -> None:
    """Where root keeps the interpreter or the checkout in a folder of its own, show just those two to everybody."""
    hidden: dict[Path, list[Path]] = {}
    for path in needed:
        closed = next((p for p in reversed(path.parents) if not p.stat().st_mode & stat.S_IXOTH), None)
        if closed is not None:
            hidden.setdefault(closed, []).append(path)
    for closed, paths in hidden.items():
        handles = [os.open(path, os.O_PATH) for path in paths]
        mount("tmpfs", str(closed), "tmpfs", data="mode=0755")
        for path, handle in zip(paths, handles, strict=True):
            path.mkdir(parents=True, exist_ok=True)
            mount(f"/proc/self/fd/{handle}", str(path), flags=MS_BIND | MS_REC)
            os.close(handle)


def let_users_open_tun() -> None:
    """/dev/net/tun with mode 0666, as udev gives it to every user (50-udev-default.rules)."""
    device = Path("/dev/net/tun")
    if device.stat().st_mode & 0o666 == 0o666:
        return
    folder = "/run"
    mount("tmpfs", folder, "tmpfs", data="mode=0755")
    node = Path(folder) / "tun"
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(10, 200))
    node.chmod(0o666)
    mount(str(node), str(device), flags=MS_BIND)
    unmount(folder)
