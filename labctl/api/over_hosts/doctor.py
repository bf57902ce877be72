"""Doctor of a host: the login, labctl there, and what that finds out."""

from __future__ import annotations

from labctl import __version__
from labctl.api.over_hosts.sessions import sessions
from labctl.api.work import parts
from labctl.hosts.record import Host
from labctl.rootless.userns_diagnosis import Diagnosis


def examine(login: str) -> list[Diagnosis]:
    """Return every row of `labctl doctor --host`. Raise LabError where the host is not fit."""
    with sessions({login: Host(login, ())}) as found:
        found.reach_all()
        return [Diagnosis("login", "ok", f"by ssh; labctl there is {__version__}, too"), *found.on(login, parts.doctor)]
