"""The real ping and nc of the machine, run inside the namespaces, and what they print read back.

Three programs are called nc. They agree on TCP and UDP, and on nothing else: how to listen, when to end, whether to
close the connection after the end of the input. So the three are told apart by what they say of themselves, each is
given its own words, and none is trusted to end: both ends are read until every byte has come, and then ended.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labctl.checks import typed
from labctl.checks.closing import wait_until_closed
from labctl.checks.outcome import Outcome, State
from labctl.errors import MachineError
from labctl.kernel import namespaces, view
from labctl.kernel.patience import PatienceFor
from labctl.kernel.sockets import bound
from labctl.topology.model import Nc, Ping

_Ends = Callable[[Nc], tuple[list[str], list[str]]]


class SystemTools:
    """ping(8) and whichever nc is first in PATH. Raises MachineError where one is missing."""

    def __init__(self, patience: PatienceFor) -> None:
        self._patience = patience

    def ping(self, ping: Ping) -> Outcome:
        _needed("ping", "iputils-ping")
        patience = ping.count * ping.interval + ping.timeout + 10
        with _running(ping.from_, typed.ping_arguments(ping)) as process:
            text = process.communicate(timeout=patience)[0].decode(errors="replace")
        found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        if not found:
            return Outcome("unasked", f"ping failed: {' '.join(text.split()) or 'it said nothing'}")
        sent, received = int(found[1]), int(found[2])
        words = f"{sent} sent, {received} replies" if received else f"{sent} sent, no reply"
        if sent != ping.count:
            return Outcome("unasked", words)
        state: State = "answered" if received == sent else "differs" if received else "silent"
        return Outcome(state, words)

    def nc(self, nc: Nc) -> Outcome:
        server_words, client_words = self._ends()(nc)
        with _running(nc.to, server_words) as server:
            problem = _until_listening(server, nc)
            if problem:
                return Outcome("unasked", problem)
            _say(server, nc.reply or "")
            with _running(nc.from_, client_words) as client:
                _say(client, nc.send)
                outcome = _heard(nc, server, client)
        if nc.protocol == "tcp":
            wait_until_closed((nc.from_, nc.to), nc.port, self._patience)
        return outcome

    def ping_command(self, ping: Ping) -> str:
        return typed.ping_iputils(ping)

    def nc_command(self, nc: Nc) -> str:
        return typed.nc_typed(nc, *self._ends()(nc))

    def _ends(self) -> _Ends:
        """The words of the nc that is installed."""
        _needed("nc", "netcat-openbsd")
        told = subprocess.run(["nc", "-h"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        text = (told.stdout + told.stderr).decode(errors="replace")
        if "Ncat" in text:
            return typed.ncat
        if "OpenBSD" in text:
            return typed.openbsd
        return typed.traditional


def _needed(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise MachineError(
            f"there is no {program} on this machine", "--system-tools runs the real ping and nc",
            f"install it (Debian: apt-get install {package}), or leave --system-tools out",
        )  # fmt: skip


@contextmanager
def _running(namespace: str, words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program inside a namespace, ended with the block."""
    fd = namespaces.open_namespace(namespace)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: view.enter(fd, namespace),
        )
    finally:
        os.close(fd)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def _say(process: subprocess.Popen[bytes], text: str) -> None:
    """Give a program its input; it stays open, because some programs end with it."""
    assert process.stdin is not None
    process.stdin.write(text.encode())
    process.stdin.flush()


def _until_listening(server: subprocess.Popen[bytes], nc: Nc) -> str:
    """Wait until the server has its socket; gives what it said instead, if it ended."""
    deadline = time.monotonic() + nc.timeout
    while time.monotonic() < deadline:
        if server.poll() is not None:
            said = server.stdout.read().decode(errors="replace") if server.stdout else ""
            return f"the server ended: {' '.join(said.split()) or 'it said nothing'}"
        with namespaces.inside(nc.to):
            if bound(nc.protocol, nc.port):
                return ""
        time.sleep(0.005)
    return f"the server did not listen within {nc.timeout:g} s"


def _heard(nc: Nc, server: subprocess.Popen[bytes], client: subprocess.Popen[bytes]) -> Outcome:
    """Read both ends until every byte has come, or the time is over, or both have ended."""
    wanted = {server.stdout: nc.send.encode(), client.stdout: (nc.reply or "").encode()}
    got = dict.fromkeys(wanted, b"")
    deadline = time.monotonic() + nc.timeout
    with selectors.DefaultSelector() as selector:
        for stream in wanted:
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ)
        while any(len(got[stream]) < len(wanted[stream]) for stream in wanted) and selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            for key, _ in selector.select(left):
                part = os.read(key.fd, 1 << 16)
                got[key.fileobj] += part  # type: ignore[index]
                if not part:
                    selector.unregister(key.fileobj)
    if got == wanted:
        back = f", {len(got[client.stdout])} came back" if nc.reply else ""
        return Outcome("answered", f"{len(got[server.stdout])} bytes arrived as they were sent{back}")
    arrived, returned = len(got[server.stdout]), len(got[client.stdout])
    if not arrived and not returned:
        return Outcome("silent", f"nothing arrived within {nc.timeout:g} s")
    return Outcome(
        "differs", f"{arrived} of {len(nc.send.encode())} bytes arrived, {returned} came back, or they differ"
    )
