"""Whether a lab outlives the ssh session that has made it: logind may end what a user runs when the user logs out."""

from __future__ import annotations

import getpass
import subprocess

from labctl.rootless.userns_diagnosis import Diagnosis

NAME = "logout"
_ASK = ("busctl", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1")
_PROPERTIES = ("org.freedesktop.login1.Manager", "KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")


def diagnosis() -> Diagnosis:
    """Return what logind does at logout, by its own word (org.freedesktop.login1(5), logind.conf(5))."""
    try:
        asked = subprocess.run(
            [*_ASK, *_PROPERTIES], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5
        )
        said = asked.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    return of(said, getpass.getuser())


def of(said: str, user: str) -> Diagnosis:
    """Return what follows for a user from the properties, as busctl(1) prints them, a line each: b true, as 1 "me"."""
    ends, only, spared = (said + "\n\n").split("\n")[:3]
    meant = only in ("", "as 0") or f'"{user}"' in only
    if ends == "b true" and meant and f'"{user}"' not in spared:
        helps = "KillUserProcesses=no in /etc/systemd/logind.conf, then systemctl restart systemd-logind"
        return Diagnosis(NAME, "note", "logind ends a lab when the ssh session that made it ends", helps)
    if ends in ("b true", "b false"):
        return Diagnosis(NAME, "ok", "what runs goes on")
    return Diagnosis(NAME, "ok", "no logind answers, so nothing ends what runs")
