"""Machines for tests: network namespaces on one wire, with an sshd, a /run, a /home and PIDs of their own each.

Of what they are made nothing is in the machine's own network namespace, and all ends with the first process of each.
On each there is an ordinary user, who logs in with the same key everywhere, and root, who does so, too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from labctl.__main__ import main as labctl
from labctl.process.processes import state_of
from labctl.process.syscalls import (
    CLONE_NEWNS,
    MS_REC,
    mount,
    unshare,
)
from tests.e2e import forked
from tests.e2e.processes import started
from tests.e2e.world import MS_PRIVATE, REPO, eventually, let_users_open_tun, let_users_reach, unused_uid
from tests.hosts.person import Person
from tests.patience import PATIENCE

USER = "anna"
USER_UID = unused_uid()  # not that of other tests, to which all processes of their user are theirs
Done = subprocess.CompletedProcess[str]
SSHD = "/usr/sbin/sshd"

_FURNISH = """
mount -t tmpfs none /run
mkdir -p -m 0755 /run/sshd
mount -t tmpfs -o mode=0755 none /home
mkdir -p /home/{user}/.local/bin /home/root/.local/bin
cp -r {made}/ssh /home/{user}/.ssh
cp -r {made}/ssh /home/root/.ssh
cp {made}/labctl /home/{user}/.local/bin/labctl
cp {made}/labctl /home/root/.local/bin/labctl
chown -R {uid}:{uid} /home/{user}
mount --bind {made}/passwd /etc/passwd
mount --bind {made}/shadow /etc/shadow
ip link set lo up
echo ready
"""

_SSHD = """
ListenAddress 0.0.0.0
HostKey {made}/host_key
AuthorizedKeysFile .ssh/key.pub
UsePAM no
PasswordAuthentication no
PidFile none
LogLevel ERROR
"""

# By default ssh makes a key of sntrup761 or ML-KEM, too, which is a good part of what a command over hosts costs.
_SOON = " KexAlgorithms curve25519-sha256\n"


class Machine:
    """One machine: a name, an address, what runs there, and clocks that count from a boot of its own."""

    def __init__(self, name: str, address: str, made: Path, wire: int, since_boot: int) -> None:
        self.name, self.address, self._made, self._wire = name, address, made, wire
        self._clocks = f"-T --monotonic={since_boot} --boottime={since_boot}".split()
        self._mac = "02:77:00:00:00:" + address.rpartition(".")[2].zfill(2)
        self.boot()

    def boot(self) -> None:
        """Begin, with nothing of what was here before."""
        furnish = _FURNISH.format(made=self._made, user=USER, uid=USER_UID)
        begin = f"set -e{furnish}exec {SSHD} -D -e -f {self._made}/sshd_config"
        self._outside = subprocess.Popen(
            ["unshare", *self._clocks, *["-n", "-m", "-p", "-f", "--mount-proc", "--kill-child"], "sh", "-c", begin],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_open_to_users,
        )
        started(self._outside)
        assert self._outside.stdout is not None
        assert self._outside.stdout.readline() == "ready\n"
        (self.pid,) = _children(self._outside.pid)
        plug, wire = f"to-{self.name}", self._wire
        peer = ("address", self._mac, "name", "eth0", "netns", str(self.pid))
        inside(wire, "ip", "link", "add", plug, "type", "veth", "peer", *peer)
        inside(wire, "ip", "link", "set", plug, "master", "wire", "up")
        inside(self.pid, "ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        inside(self.pid, "ip", "link", "set", "eth0", "up")

    def start(self, *command: str, root: bool = False, **options: Any) -> subprocess.Popen[str]:
        """Start a program here, as the ordinary user or as root."""
        become, environment = self._person(root, options)
        process = subprocess.Popen(list(command), text=True, preexec_fn=become, env=environment, **options)
        started(process)
        return process

    def start_labctl(
        self, *words: str, root: bool = False, main: Callable[[], None] = labctl, **options: Any
    ) -> subprocess.Popen[str]:
        """Start labctl here, in a fork of the test, which calls `main`."""
        become, environment = self._person(root, options)
        process = forked.Process(main, ["labctl", *words], environment, become, **options)
        started(process)
        return process

    def _person(self, root: bool, options: dict[str, Any]) -> tuple[Callable[[], None], dict[str, str]]:
        """Return what makes a new process one of a person here, and the environment; takes `env` out."""
        uid, home = (0, "/home/root") if root else (USER_UID, f"/home/{USER}")
        environment = {
            "HOME": home,
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            **PYTHON,
            **options.pop("env", {}),
        }

        return Person(self.pid, uid, home).become, environment

    def run(self, *command: str, code: int | None = 0, root: bool = False, **options: Any) -> Done:
        """Run a program here to its end, and look at its exit code."""
        return _to_its_end(partial(self.start, *command, root=root), command, code, options)

    def labctl(self, *words: str, code: int | None = 0, root: bool = False, **options: Any) -> Done:
        """Run labctl here to its end, and look at its exit code. Nothing it says may be a traceback."""
        done = _to_its_end(partial(self.start_labctl, *words, root=root), words, code, options)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *words: str, code: int | None = 0, root: bool = False) -> Any:
        """Return what labctl reports here as JSON."""
        return json.loads(self.labctl(*words, "-f", "json", code=code, root=root).stdout)

    def file(self, name: str, text: str) -> str:
        """Return the name of a file in the home of the ordinary user here, which has this text."""
        (self._home / name).write_text(text)
        return f"/home/{USER}/{name}"

    def log_in_as_root(self) -> None:
        """Have ssh of the ordinary user here log in as root elsewhere, until the test is over."""
        config = self._home / ".ssh/config"
        config.write_text(config.read_text().replace(f"User {USER}", "User root"))

    def known_to_ssh(self, *hosts: tuple[str, str, str]) -> None:
        """Add hosts to what ssh of the ordinary user here knows: a name, an address, and one more line."""
        config = self._home / ".ssh/config"
        more = [f"Host {name}\n HostName {address}\n {line}\n" for name, address, line in hosts]
        config.write_text("".join(more) + config.read_text())

    @contextmanager
    def labctl_is(self, program: str | None) -> Iterator[None]:
        """Have another program of sh as labctl of the ordinary user here, or none."""
        usual, aside = self._home / ".local/bin/labctl", self._home / "labctl-aside"
        usual.rename(aside)
        try:
            if program is not None:
                usual.write_text(f"#!/bin/sh\n{program}\n")
                usual.chmod(0o755)
            yield
        finally:
            aside.rename(usual)

    def is_as_before(self) -> None:
        """Raise AssertionError where something runs here that a test has left, or a lab is recorded.

        What comes next finds nothing of that.
        """
        config = self._home / ".ssh/config"
        config.write_text(config.read_text().replace("User root", f"User {USER}"))
        try:
            eventually(lambda: not self.processes(), f"nothing runs on {self.name}: {self.processes()}")
        except AssertionError:
            self.end()
            self.boot()
            raise
        records = [*self._home.glob(".local/state/labctl/*.json"), *Path(f"/proc/{self.pid}/root/run/labctl").glob("*")]
        for record in records:
            record.unlink() if record.is_file() else None
        assert records == []

    @property
    def _home(self) -> Path:
        """The home of the ordinary user here, as it is seen from outside."""
        return Path(f"/proc/{self.pid}/root/home/{USER}")

    def processes(self) -> list[str]:
        """Return the command lines of what runs here beside sshd, which learns late that a network is cut."""
        told = inside(self.pid, "ps", "-eo", "args=", mount=True).splitlines()
        return [line for line in told if not line.startswith((SSHD, "sshd: ", "ps "))]

    def send(self, command: subprocess.Popen[str], number: signal.Signals) -> None:
        """Send a signal to a command of labctl here, which is a child of the process that was started."""
        (inner,) = _children(command.pid)
        os.kill(inner, number)

    def send_to_group(self, command: subprocess.Popen[str], number: signal.Signals) -> None:
        """Send a signal to a command of labctl here that is in a group of its own, and to what it has started."""
        (inner,) = _children(command.pid)
        os.killpg(inner, number)

    def interrupt(self, command: subprocess.Popen[str]) -> None:
        """Press Ctrl-C for a command of labctl here."""
        self.send(command, signal.SIGINT)

    def is_stopped(self, command: subprocess.Popen[str]) -> bool:
        """Return whether a command of labctl here is stopped by SIGSTOP."""
        return list(map(state_of, _children(command.pid))) == ["T"]

    def processes_with(self, words: str) -> list[str]:
        """Return the PIDs here of the processes whose command line has some words."""
        told = inside(self.pid, "ps", "-eo", "pid=,args=", mount=True).splitlines()
        return [line.split()[0] for line in told if words in line]

    def kill(self, words: str) -> None:
        """Kill the processes here whose command line has some words."""
        pids = self.processes_with(words)
        assert pids, self.processes()
        # What a process has started may end with it, before it is killed itself.
        inside(self.pid, "sh", "-c", 'kill -9 "$@" 2>/dev/null || :', "kill", *pids, mount=True)

    def unplug(self) -> None:
        """Cut the network of this machine."""
        inside(self._wire, "ip", "link", "set", f"to-{self.name}", "nomaster")

    def plug(self) -> None:
        """Join the network of this machine again."""
        inside(self._wire, "ip", "link", "set", f"to-{self.name}", "master", "wire")

    def end(self) -> None:
        """End everything here at once, as where the power fails."""
        self._outside.kill()
        self._outside.wait()


def in_own_group() -> None:
    """Be labctl in a process group of its own: as a command of a shell, or of timeout(1)."""
    os.setpgid(0, 0)
    labctl()


def _to_its_end(
    start: Callable[..., subprocess.Popen[str]], words: Sequence[str], code: int | None, options: dict[str, Any]
) -> Done:
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with start(**options) as process:
        out, err = process.communicate(timeout=6 * PATIENCE)
    if code is not None:
        assert process.returncode == code, f"{words} ended with {process.returncode}\n{out}\n{err}"
    return subprocess.CompletedProcess(words, process.returncode, out, err)


PYTHON = {"PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"}


def inside(pid: int, *command: str, mount: bool = False) -> str:
    """Run a program of root in the network namespace of a process. Return what it prints."""
    more = ["-m", "-p"] if mount else []
    words = ["nsenter", "-t", str(pid), "-n", *more, *command]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@contextmanager
def dropping(machine: Machine, what: str) -> Iterator[None]:
    """Have the firewall of a machine drop what comes in, as a rule of nft says it."""
    chain = f"type filter hook input priority 0; {what} drop;"
    inside(machine.pid, "nft", f"table inet shut {{ chain in {{ {chain} }}; }}")
    try:
        yield
    finally:
        inside(machine.pid, "nft", "delete table inet shut")


@contextmanager
def machines(made: Path, names: Sequence[str]) -> Iterator[list[Machine]]:
    """Yield machines of these names, 10.77.0.1 and following, on one wire. Each reaches each by its name with ssh."""
    _write_files(made, names)
    wire = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], text=True)
    started(wire)
    found: list[Machine] = []
    try:
        eventually(lambda: os.readlink(f"/proc/{wire.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "unshared")
        inside(wire.pid, "ip", "link", "add", "wire", "type", "bridge")
        inside(wire.pid, "ip", "link", "set", "wire", "up")
        for number, name in enumerate(names, 1):
            found.append(Machine(name, f"10.77.0.{number}", made, wire.pid, number * 100_000))
        yield found
    finally:
        for machine in found:
            machine.end()
        wire.send_signal(signal.SIGKILL)
        wire.wait()


def _write_files(made: Path, names: Sequence[str]) -> None:
    """Write what all machines are furnished with."""
    for directory in (made, *made.parents):
        found = directory.stat()
        if found.st_uid == os.geteuid() and found.st_mode & 0o055 != 0o055:
            directory.chmod(found.st_mode | 0o055)
    (made / "ssh").mkdir(mode=0o755)
    for key in (made / "host_key", made / "ssh/key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = (made / "host_key.pub").read_text()
    addresses = [f"10.77.0.{number}" for number, _ in enumerate(names, 1)]
    (made / "ssh/known_hosts").write_text("".join(f"{address} {public}" for address in addresses))
    hosts = [f"Host {name}\n HostName {address}\n" for name, address in zip(names, addresses, strict=True)]
    (made / "ssh/config").write_text("".join(hosts) + f"Host *\n User {USER}\n IdentityFile ~/.ssh/key\n{_SOON}")
    (made / "passwd").write_text(
        f"root:x:0:0::/home/root:/bin/sh\n{USER}:x:{USER_UID}:{USER_UID}::/home/{USER}:/bin/sh\n"
        "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n"
    )
    (made / "shadow").write_text(f"root:*:19000::::::\n{USER}:*:19000::::::\nsshd:!:19000::::::\n")
    (made / "sshd_config").write_text(_SSHD.format(made=made))
    exported = " ".join(f"{name}={value}" for name, value in PYTHON.items())
    (made / "labctl").write_text(f'#!/bin/sh\nexec env {exported} {sys.executable} -m labctl "$@"\n')
    (made / "labctl").chmod(0o755)


def _open_to_users() -> None:
    """Show to users what every machine shows them, in a mount namespace of this process's own."""
    unshare(CLONE_NEWNS)
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    let_users_reach(REPO, Path(sys.prefix), Path(sys.base_prefix))
    let_users_open_tun()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
