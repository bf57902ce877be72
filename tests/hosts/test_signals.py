"""Signals and closed pipes over hosts: as on one machine, and nothing of a command is left on any host."""

from __future__ import annotations

import signal
import subprocess
from functools import partial

from tests.e2e.signalled import ROWS, TYPED, signalled
from tests.e2e.world import eventually
from tests.hosts.conftest import Wire
from tests.hosts.machines import Machine, in_own_group
from tests.hosts.test_two_site import INVENTORY
from tests.patience import PATIENCE

SIGNALLED = {
    ("capture",): {signal.SIGTERM: 0, signal.SIGHUP: 128 + signal.SIGHUP},
    ("events",): {signal.SIGINT: 0},
    ("watch", "--web"): {signal.SIGHUP: 0},
    ("logs", "-F"): {signal.SIGINT: 128 + signal.SIGINT, signal.SIGTERM: 128 + signal.SIGTERM},
}
"""What a command ends with that is sent a signal, as on one machine."""

ENDLESS = "echo begun; exec sleep 1000"

CLOSED = {
    ("exec", "siteA", "--", "yes"): 128 + signal.SIGPIPE,
    ("events",): 0,
    ("capture",): 0,
}
"""What a command ends with whose reader has gone."""


def test_signals_and_closed_pipes_end_what_follows_a_lab(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", "two-site", "-i", near.file("inventory.yaml", INVENTORY))
    for words, codes in SIGNALLED.items():
        for number, code in codes.items():
            assert _signalled(near, words, number) == (code, False), (words, number)
    for words, code in CLOSED.items():
        assert _unread(near, words) == (code, ""), words
    near.labctl("down")


def test_a_command_that_is_asked_to_end_has_its_last_words(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", "two-site", "-i", near.file("inventory.yaml", INVENTORY))
    for row in ROWS:
        assert signalled(near.start_labctl, near.send, "siteA", row) == {"exec": row, "trace": row}
    start = partial(near.start_labctl, main=in_own_group)
    for row in (ROWS[0], TYPED):
        assert signalled(start, near.send_to_group, "siteA", row) == {"exec": row, "trace": row}
    with wire.srv1.labctl_is('~/labctl-aside "$@"; exit $?'):  # a script that waits for it, and would end unheard
        assert signalled(near.start_labctl, near.send, "siteA", ROWS[0]) == {"exec": ROWS[0], "trace": ROWS[0]}
    _a_command_behind_a_terminal_is_not_stopped(near)
    near.labctl("down")


def _a_command_behind_a_terminal_is_not_stopped(near: Machine) -> None:
    """timeout(1) has its command in a group of its own, which is in the background."""
    command = f"timeout {PATIENCE:g} ~/.local/bin/labctl exec siteA -- echo said"
    assert near.run("script", "-qec", command, "/dev/null").stdout == "said\n"


def test_root_of_a_host_is_asked_to_end_as_well(wire: Wire) -> None:
    near = wire.near
    near.log_in_as_root()
    near.labctl("up", "two-site", "-i", near.file("inventory.yaml", INVENTORY))
    assert signalled(near.start_labctl, near.send, "siteA", ROWS[0]) == {"exec": ROWS[0], "trace": ROWS[0]}
    near.labctl("down")


def test_what_cannot_be_passed_on_ends_the_session(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", "two-site", "-i", near.file("inventory.yaml", INVENTORY))
    for words in ("exec", "trace"):
        with near.start_labctl(words, "siteA", "--", "sh", "-c", ENDLESS, stdout=subprocess.PIPE) as it:
            assert it.stdout and it.stdout.readline() == "begun\n"
            with wire.srv1.labctl_is(None):
                near.send(it, signal.SIGTERM)
                assert it.wait(PATIENCE) == 128 + signal.SIGTERM
        eventually(lambda: not wire.srv1.processes_with(ENDLESS), "it has ended with its session")
    near.labctl("down")


def _signalled(near: Machine, words: tuple[str, ...], number: signal.Signals) -> tuple[int, bool]:
    """Return with what a command ends that is sent a signal once it has begun, and whether it tells a traceback."""
    with near.start_labctl(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        assert (it.stderr if words == ("capture",) else it.stdout).readline()  # type: ignore[union-attr]
        near.send(it, number)
        _, told = it.communicate()
    return it.returncode, "Traceback" in told


def _unread(near: Machine, words: tuple[str, ...]) -> tuple[int, str]:
    """Return with what a command ends, and what it tells, of whose output one line is read."""
    with near.start_labctl(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        assert it.stdout and it.stderr
        assert (it.stderr if words == ("capture",) else it.stdout).readline()
        it.stdout.close()
        if words == ("capture",):
            near.labctl("exec", "siteA", "--", "ping", "-c1", "-W5", "10.0.102.1")
        told = it.stderr.read()
    return it.returncode, told
