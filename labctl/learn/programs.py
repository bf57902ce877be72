"""The programs that a lesson needs of the machine, and where Debian has them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from labctl.errors import MachineError

PACKAGES = {
    "arping": "iputils-arping",
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "gcc": "gcc",
    "ip": "iproute2",
    "iperf3": "iperf3",
    "make": "make",
    "mtr": "mtr-tiny",
    "nc": "netcat-openbsd",
    "nft": "nftables",
    "ping": "iputils-ping",
    "python3": "python3",
    "socat": "socat",
    "ss": "iproute2",
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
    if not missing:
        return
    known = dict.fromkeys(PACKAGES[program] for program in missing if program in PACKAGES)
    others = [program for program in missing if program not in PACKAGES]
    hints = [f"apt install {' '.join(known)}"] if known else []
    hints += [f"install {' and '.join(others)}"] if others else []
    what = f"the lesson needs {' and '.join(missing)}"
    raise MachineError(what, "there is no such program in PATH", "; ".join(hints))
