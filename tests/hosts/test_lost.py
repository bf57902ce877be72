"""A host that is lost in the middle of a command is named, and the rest goes on; and a command that is ended leaves
nothing on any host."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.world import eventually
from tests.hosts.conftest import Wire, standing
from tests.hosts.machines import Machine, inside

LAB = """
name: lossy
hosts: {srv1: {ports: 47000-47009}, srv2: {ports: 47000-47009}}
namespaces:
  a: {host: srv1, interfaces: {v: {kind: veth, peer: "b:v", addresses: [10.2.0.1/24]}}}
  b: {host: srv1, interfaces: {v: {kind: veth, peer: "a:v", addresses: [10.2.0.2/24]}}}
  c:
    host: srv2
    interfaces: {t: {kind: tap, addresses: [10.3.0.1/24]}}
    programs: [{name: talker, command: "sh -c 'echo hello; exec sleep 1000'"}]
checks:
  - {name: waits, exec: {in: c, command: "sleep 998", timeout: 60}}
  - {name: needs-it, needs: [waits], ping: {from: a, to: 10.2.0.2, count: 1}}
  - {name: a-b, ping: {from: a, to: 10.2.0.2, count: 1}, crosses: ["a:v", "b:v"]}
"""
ALWAYS = ("rootless environment of lossy", "sleep 1000")


@pytest.fixture(scope="module")
def made(_machines: Wire) -> Iterator[Wire]:
    """The machines with the lab, made once."""
    with standing(_machines, "lossy.yaml", LAB):
        yield _machines


@pytest.fixture(autouse=True)
def _nothing_stays(made: Wire) -> Iterator[None]:
    yield
    for host in made.hosts:
        eventually(lambda host=host: not _more(host), f"only the lab runs on {host.name}: {_more(host)}")  # type: ignore[misc]


def _more(host: Machine) -> list[str]:
    return [line for line in host.processes() if not any(words in line for words in ALWAYS)]


def _lose(host: Machine) -> None:
    host.kill("sshd: anna@")


@contextmanager
def _refusing(host: Machine) -> Iterator[None]:
    """Have a host refuse to be logged in to, at once."""
    chain = "type filter hook input priority 0; tcp dport 22 reject with tcp reset;"
    inside(host.pid, "nft", f"table inet shut {{ chain in {{ {chain} }}; }}")
    try:
        yield
    finally:
        inside(host.pid, "nft", "delete table inet shut")


def _told(near: Machine, *words: str) -> subprocess.Popen[str]:
    return near.start_labctl(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_verify_goes_on_with_the_checks_of_the_other_host(made: Wire) -> None:
    with _told(made.near, "verify") as verify:
        eventually(lambda: "sleep 998" in made.srv2.processes(), "the check runs")
        _lose(made.srv2)
        out, err = verify.communicate()
    assert verify.returncode == 5, err
    assert "observed  srv2 cannot be reached: the session has ended" in out
    assert "it needs waits, which was not asked" in out
    assert "pass a-b" in out
    assert "as its file says, but for srv2: not reached" in out
    assert "fail for" not in out, "no reason is made up for what was not asked"


def test_pytest_goes_on_with_the_next_check(made: Wire) -> None:
    words = ("-m", "pytest", "-p", "no:cacheprovider", "--lab", "lossy.yaml")
    with made.near.start(sys.executable, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as tests:
        assert tests.stdout is not None
        assert any(line.startswith("collected 3 items") for line in iter(tests.stdout.readline, ""))
        eventually(lambda: made.srv2.processes_with("rootless environment of pytest-"), "its lab is made")
        eventually(lambda: "sleep 998" in made.srv2.processes(), "the check runs")
        _lose(made.srv2)
        out, _ = tests.communicate()
    assert tests.returncode == 1
    assert "1 passed, 1 skipped, 1 error" in out, "it is logged in to again"
    assert "srv2 cannot be reached: the session has ended" in out
    assert "Traceback" not in out


def test_verify_of_a_host_that_is_not_reached_from_the_beginning(made: Wire) -> None:
    with _refusing(made.srv2):
        assert "srv2 cannot be reached" in made.near.labctl("verify", "a-b", code=5).stderr
        with _refusing(made.srv1):
            assert "2 hosts cannot be used" in made.near.labctl("verify", code=5).stderr


def test_lines_of_the_other_host_are_followed(made: Wire) -> None:
    with _told(made.near, "logs", "-F") as logs:
        assert logs.stdout is not None
        assert any("hello" in line for line in iter(logs.stdout.readline, ""))
        _lose(made.srv2)
        assert any(line.startswith("srv2  not reached: ") for line in iter(logs.stdout.readline, ""))
        assert logs.poll() is None
        made.near.interrupt(logs)
        logs.communicate()
    assert logs.returncode == 130


PROGRAM = """
import sys
from labctl import Lab

with Lab("lossy").capture(filter="icmp") as seen:
    print("looks", flush=True)
    sys.stdin.readline()
    Lab("lossy")["a"].run("ping -c1 -W5 10.2.0.2", check=True)
assert [error.what for error in seen.lost] == ["srv2 cannot be reached"]
assert {str(each.ref) for each in seen.packets} == {"a:v", "b:v"}
"""


def test_a_capture_of_a_program_has_what_was_seen(made: Wire) -> None:
    near = made.near
    near.file("program.py", PROGRAM)
    program = near.start(sys.executable, "program.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == "looks\n"
    _lose(made.srv2)
    program.communicate("go on\n")
    assert program.returncode == 0


@pytest.mark.parametrize(
    "words",
    [("why", "c", "10.3.0.9"), ("trace", "waits")],  # restart and impair are done before they could be cut off
    ids=lambda words: words[0],
)
def test_a_host_is_lost_in_the_middle(made: Wire, words: tuple[str, ...]) -> None:
    """Whatever was asked of it has no answer, and is no failure of labctl."""
    with _told(made.near, *words) as command:
        eventually(lambda: len(made.srv2.processes_with("works for a Python program")) > 1, "it is at work")
        _lose(made.srv2)
        out, err = command.communicate()
    assert command.returncode == 5, (out, err)
    assert "srv2 cannot be reached" in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("words", [("exec",), ("trace", "-f", "json")], ids=lambda words: words[0])
def test_a_command_that_is_ended_ends_there(made: Wire, words: tuple[str, ...], number: signal.Signals) -> None:
    """What sshd has started without a terminal does not learn by itself that nothing is there any more."""
    with _told(made.near, *words, "c", "--", "sleep", "997") as command:
        eventually(lambda: "sleep 997" in made.srv2.processes(), "it runs")
        made.near.send(command, number)
        _, err = command.communicate()
    if number is not signal.SIGKILL:
        assert command.returncode == 128 + number, err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("capture",), ("events",), ("logs", "-F")], ids=lambda words: words[0])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_what_looks_on_is_ended(made: Wire, words: tuple[str, ...], number: signal.Signals) -> None:
    with _told(made.near, *words) as command:
        eventually(lambda: len(_more(made.srv2)) > 2, "it looks")
        made.near.send(command, number)
        _, err = command.communicate()
    assert "Traceback" not in err


def test_a_reader_that_leaves_ends_what_is_told(made: Wire) -> None:
    with _told(made.near, "logs", "-F") as logs:
        assert logs.stdout is not None
        logs.stdout.readline()
        logs.stdout.close()
        made.near.labctl("restart", "c:talker")
        assert logs.stderr is not None
        assert logs.stderr.read() == ""
    assert logs.returncode == 0
