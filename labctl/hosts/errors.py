"""What can go wrong between this machine and a host, in the words of ssh where it has some."""

from __future__ import annotations

import re

from labctl import __version__
from labctl.errors import ExitCode, KernelRefused, LabError, MachineError, UsageError

_INSTALL = f"'labctl-netns[hosts]=={__version__}'"
_DROPPED = re.compile(r"kex_exchange_identification|Connection (reset|closed) by|ssh_exchange_identification")
"""What ssh says where sshd has too many logins at once (sshd_config(5), MaxStartups)."""


class HostLost(LabError):
    """A host cannot be reached, or is not reached any more."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, host: str, why: str = "", hint: str = "") -> None:
        super().__init__(f"{host} cannot be reached", why, hint or "the same command again goes on once it is back")
        self.args = (host, why, hint)
        self.host = host


def broke_off(host: str) -> LabError:
    """Return the error for a command on a host whose end is not told."""
    error = LabError(f"the session on {host} ended before the command did", "how the command ended is not known")
    error.exit_code = ExitCode.UNREACHABLE
    return error


class HostUnfit(LabError):
    """A host is reached, and has no labctl of this version."""

    exit_code = ExitCode.CANNOT


def login_failed(host: str, login: str, said: str) -> LabError:
    """Return why a login came to nothing, by what ssh and the shell there said."""
    words = "\n".join(line.strip() for line in said.splitlines() if line.strip())
    if "labctl: not found" in words:
        return HostUnfit(f"labctl is not installed on {host}", words, installed_by(login))
    if "No such command 'agent'" in words:
        return HostUnfit(f"labctl on {host} is older than {__version__}, which is here", "", installed_by(login))
    if "IDENTIFICATION HAS CHANGED" in words:
        return HostLost(host, words, "if you know that it was installed anew, take its old key away, as ssh says")
    if "Host key verification failed" in words:
        return HostLost(host, words, f"log in once by hand, to see and accept its key: ssh {login}")
    if "Permission denied" in words:
        return HostLost(
            host,
            words,
            f"ssh {login} must work without a question: a key in your ssh-agent, or ControlMaster and ControlPersist "
            "in ~/.ssh/config and one login by hand",
        )
    if not words:
        # ssh(1) does not say at LogLevel ERROR that nothing is heard any more (ServerAliveInterval).
        words = "ssh has ended without a word, as where nothing is heard of the host for 10 s"
    return HostLost(host, words, f"try: ssh {login}; then the same command again")


def other_version(host: str, login: str, version: str) -> HostUnfit:
    """Return the error for a host that has labctl of another version."""
    return HostUnfit(f"labctl on {host} is {version}, and here it is {__version__}", "", installed_by(login))


def speaks_otherwise(host: str, why: str) -> LabError:
    """Return the error for a host that answers what labctl of this version does not."""
    return LabError(f"{host} does not answer as labctl does", why)


def was_dropped(said: str) -> bool:
    """Return whether a login may do better in a moment: sshd had too many at once."""
    return bool(_DROPPED.search(said))


def installed_by(login: str) -> str:
    """Return the command that installs labctl of this version on a host."""
    return f"ssh {login} pipx install --force {_INSTALL}"


def at(host: str, error: LabError) -> LabError:
    """Return an error of labctl on a host, with the name of the host in front."""
    if isinstance(error, HostLost | HostUnfit):
        return error
    kind = type(error) if type(error) in (UsageError, MachineError, KernelRefused) else LabError
    told = kind(f"on {host}: {error.what}", error.why, error.hint)
    told.exit_code = error.exit_code
    return told
