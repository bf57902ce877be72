"""Hosts that cannot be used: each is named, with the words of ssh, and what to do now."""

from __future__ import annotations

import sys

import pytest

from labctl import __version__
from labctl.errors import ExitCode, UsageError
from labctl.hosts.errors import HostLost, HostUnfit, at, login_failed, was_dropped
from tests.hosts.conftest import Wire

OTHER = f"""
shift
mkdir -p other/labctl/api
touch other/labctl/__init__.py other/labctl/api/__init__.py
echo 'def begin(sender): return "9.9"' > other/labctl/api/agent.py
exec env PYTHONPATH=$HOME/other {sys.executable} "$@"
"""

WHERE = """
name: where
hosts: {HOST: {}}
namespaces: {a: {host: HOST}}
"""


def test_hosts_that_cannot_be_used_are_named_with_what_helps(wire: Wire) -> None:
    near, srv1 = wire.near, wire.srv1
    near.known_to_ssh(
        ("stranger", srv1.address, "UserKnownHostsFile /dev/null"),
        ("refused", srv1.address, "User sshd"),
        ("away", "10.77.0.99", "ConnectTimeout 1"),
    )
    ways = {
        "stranger": "Host key verification failed",
        "refused": "Permission denied (publickey",
        "away": "No route to host",
        "nowhere": "Could not resolve hostname nowhere",
    }
    for host, words in ways.items():
        told = near.labctl("up", near.file("where.yaml", WHERE.replace("HOST", host)), code=5).stderr
        assert f"{host} cannot be reached" in told
        assert words in told
        assert f"ssh {host}" in told
    several = WHERE.replace("{HOST: {}}", "{stranger: {}, nowhere: {}}").replace(
        "HOST}", "stranger}, b: {host: nowhere}"
    )
    told = near.labctl("up", near.file("where.yaml", several), code=5).stderr
    assert all(words in told for words in ("2 hosts cannot be used", ways["stranger"], ways["nowhere"]))
    assert near.json("list") == []


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("echo \"Error: No such command 'agent'.\" >&2; exit 2", f"labctl on srv1 is older than {__version__}"),
        (OTHER, f"labctl on srv1 is 9.9, and here it is {__version__}"),
        (None, "labctl is not installed on srv1"),
    ],
    ids=["older", "other", "none"],
)
def test_a_host_without_labctl_of_this_version_is_told_the_command_that_installs_it(
    wire: Wire, program: str | None, told: str
) -> None:
    near, srv1 = wire.near, wire.srv1
    with srv1.labctl_is(program):
        error = near.labctl("up", near.file("where.yaml", WHERE.replace("HOST", "srv1")), code=3).stderr
    assert told in error
    assert f"ssh srv1 pipx install --force 'labctl-netns[hosts]=={__version__}'" in error
    assert near.json("list") == []


def test_what_ssh_says_becomes_an_error_with_a_hint() -> None:
    assert isinstance(login_failed("srv1", "anna@srv1", "labctl: not found in /bin"), HostUnfit)
    lost = login_failed("srv1", "anna@srv1", "ssh: connect to host srv1 port 22: Connection refused\n")
    assert isinstance(lost, HostLost)
    assert (lost.exit_code, lost.why) == (ExitCode.UNREACHABLE, "ssh: connect to host srv1 port 22: Connection refused")
    assert "ssh anna@srv1" in lost.hint
    assert "without a word" in login_failed("srv1", "anna@srv1", "\n").why


def test_a_login_that_sshd_drops_is_one_to_try_again() -> None:
    assert was_dropped("kex_exchange_identification: read: Connection reset by peer")
    assert not was_dropped("anna@srv1: Permission denied (publickey).")


def test_an_error_of_a_host_has_its_name_in_front_and_its_kind() -> None:
    told = at("srv1", UsageError("there is no lab", "why", "hint"))
    assert isinstance(told, UsageError)
    assert (told.what, told.why, told.hint) == ("on srv1: there is no lab", "why", "hint")
    assert at("srv1", lost := HostLost("srv2")) is lost


def test_a_key_that_has_changed_is_not_to_be_accepted() -> None:
    said = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."
    assert "accept" in login_failed("srv1", "srv1", "Host key verification failed.").hint
    assert "accept" not in login_failed("srv1", "srv1", said).hint
