"""What an engine that forwards may not do any more: it asks for all of it from within, and goes on to forward."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.engine import confinement
from labctl.engine.counters import Counters
from labctl.engine.features import Feature

from .conftest import A, B, Sites
from .world import next_line, wait_for

pytestmark = pytest.mark.root

# An engine that asks for much once it is ready, and writes in one line of JSON what came of it.
ENGINE = """
import errno, json, os, socket, sys
from pathlib import Path
from labctl.engine import endpoint
from labctl.engine.packets.address import Address

INET, TCP, UDP = socket.AF_INET, socket.SOCK_STREAM, socket.SOCK_DGRAM
attempts = {
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "create": lambda: os.open("/tmp/by-an-engine", os.O_RDWR | os.O_CREAT),
    "list": lambda: os.listdir("/"),
    "stat": lambda: os.stat("/"),
    "unlink": lambda: os.unlink("/tmp/by-an-engine"),
    "tcp": lambda: socket.socket(INET, TCP).close(),
    "udp": lambda: socket.socket(INET, UDP).close(),
    "unix": lambda: socket.socket(socket.AF_UNIX, TCP).close(),
    "pair": lambda: socket.socketpair(),
    "fork": lambda: os.fork() or os._exit(0),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "kill": lambda: os.kill(os.getppid(), 0),
    "memory": lambda: open(f"/proc/{os.getppid()}/mem"),
    "map": lambda: bytearray(1 << 22),
    "write": lambda: os.write(1, b""),
}

def ready(words):
    found = {"engaged": "seccomp" in words}
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            found[name] = errno.errorcode[error.errno]
        else:
            found[name] = "done"
    print(json.dumps(found), flush=True)
    if "crash" in sys.argv:
        raise RuntimeError("broken within")

device, bind, counters = sys.argv[1:4]
here = endpoint.Endpoint(device, Address.parse(bind), Address("192.0.2.2", 9000))
if "deaf" in sys.argv:
    def confine(moves):
        raise OSError(errno.ENOSYS, "Function not implemented")
    endpoint.confine = confine
    attempts.clear()
print(endpoint.serve(here, here.kinds, counters_path=Path(counters), ready=ready, out=sys.stdout).value)
"""
DONE = {"map", "write"}


@pytest.fixture
def started(sites: Sites, tmp_path: Path) -> Iterator[list[str]]:
    yield [sys.executable, "-c", ENGINE, "tun0"]
    assert not Path("/tmp/by-an-engine").exists()


def attempts(engine: subprocess.Popen[str]) -> dict[str, str]:
    """What came of each, by its name."""
    found: dict[str, str] = json.loads(next_line(engine))
    assert found.pop("engaged")
    return found


def test_an_engine_opens_no_file_and_no_socket_and_starts_no_program_and_forwards(
    sites: Sites, started: list[str], tmp_path: Path
) -> None:
    engine = sites.a.start(*started, "192.0.2.1:9000", str(tmp_path / "a"))
    found = attempts(engine)
    assert {name for name, result in found.items() if result == "done"} == DONE
    assert {result for name, result in found.items() if name not in DONE} == {"EPERM"}
    assert "Seccomp:\t2\n" in Path(f"/proc/{engine.pid}/status").read_text()
    sites.b.ttun(*B)
    assert sites.a.ping("10.0.102.1")
    engine.send_signal(signal.SIGTERM)
    assert (*engine.communicate(timeout=10), engine.returncode) == ("stopped\n", "", 0)


def test_one_that_follows_the_addresses_of_its_host_may_open_udp_sockets_alone(
    sites: Sites, started: list[str], tmp_path: Path
) -> None:
    found = attempts(sites.a.start(*started, "0.0.0.0:9000", str(tmp_path / "a")))
    assert {name for name, result in found.items() if result == "done"} == {*DONE, "udp"}


def test_an_error_within_is_told_before_the_end(sites: Sites, started: list[str], tmp_path: Path) -> None:
    engine = sites.a.start(*started, "192.0.2.1:9000", str(tmp_path / "a"), "crash")
    attempts(engine)
    _, said = engine.communicate(timeout=10)
    assert said.startswith("Traceback") and said.endswith("RuntimeError: broken within\n") and engine.returncode == 1


def test_where_the_kernel_has_no_filter_it_is_told_and_packets_pass(
    sites: Sites, started: list[str], tmp_path: Path
) -> None:
    engine = sites.a.start(*started, "192.0.2.1:9000", str(tmp_path / "a"), "deaf")
    assert next_line(engine) == "tun0: seccomp is off: Function not implemented\n"
    assert engine.stdout and json.loads(engine.stdout.readline()) == {"engaged": False}
    sites.b.ttun(*B, "--counters", tmp_path / "b")
    assert sites.a.ping("10.0.102.1")
    with Counters.open(tmp_path / "a") as a, Counters.open(tmp_path / "b") as b:
        assert Feature.SECCOMP not in a.features
        wait_for(lambda: Feature.SECCOMP in b.features, "the other to be confined")


@pytest.mark.parametrize(("machine", "largest"), [("mips", 2**63 - 1), ("aarch64", 2**31 - 1)])
def test_on_an_unknown_machine_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, machine: str, largest: int) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "here", "6.1", "#1", machine)))
    monkeypatch.setattr(sys, "maxsize", largest)
    with pytest.raises(OSError, match=f"{machine}.* are not known"):
        confinement.confine(moves=False)


def test_an_engine_that_is_told_to_end_twice_ends(sites: Sites) -> None:
    engine = sites.a.ttun(*A, "-v")
    for number in (signal.SIGINT, signal.SIGTERM):
        engine.send_signal(number)
    assert engine.wait(10) in (0, -signal.SIGTERM)
