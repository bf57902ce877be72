"""The programs that a lesson needs of the machine, and where Debian has them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

from labctl.errors import MachineError

PACKAGES = {
    "arping": "iputils-arping",
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "gcc": "gcc",
    "grep": "grep",
    "ip": "iproute2",
    "iperf3": "iperf3",
    "make": "make",
    "mtr": "mtr-tiny",
    "nc": "netcat-openbsd",
    "nft": "nftables",
    "nstat": "iproute2",
    "ping": "iputils-ping",
    "python3": "python3",
    "socat": "socat",
    "ss": "iproute2",
    "sysctl": "procps",
    "tc": "iproute2",
    "tcpdump": "tcpdump",
    "tracepath": "iputils-tracepath",
    "traceroute": "traceroute",
    "tshark": "tshark",
    "wget": "wget",
}
"""The Debian package of each program that students use."""


def refuse_without(programs: Iterable[str]) -> None:
    """Raise MachineError where some of these programs are not in PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    elsewhere = {program: found for program in missing if (found := shutil.which(program, path=_elsewhere()))}
    if elsewhere:
        directories = list(dict.fromkeys(os.path.dirname(found) for found in elsewhere.values()))
        why = f"{' and '.join(elsewhere.values())}: PATH has not {' and '.join(directories)}"
        raise MachineError(_needs(elsewhere), why, f'export PATH="$PATH:{":".join(directories)}"')
    if missing:
        known = dict.fromkeys(PACKAGES[program] for program in missing if program in PACKAGES)
        others = [program for program in missing if program not in PACKAGES]
        hints = [f"apt install {' '.join(known)}"] if known else []
        hints += [f"install {' and '.join(others)}"] if others else []
        raise MachineError(_needs(missing), "there is no such program in PATH", "; ".join(hints))


def _needs(programs: Iterable[str]) -> str:
    return f"the lesson needs {' and '.join(programs)}"


def _elsewhere() -> str:
    """Return where else there are programs: beside this Python, where ttun is, and what Debian has for root alone."""
    return os.pathsep.join((os.path.dirname(os.path.abspath(sys.executable)), "/usr/local/sbin", "/usr/sbin", "/sbin"))
