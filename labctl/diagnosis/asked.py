"""What a check asks, in the words of a path: from where to where, and what is meant to come of it."""

from __future__ import annotations

from labctl.diagnosis.path import Asked, Paths
from labctl.topology.model import Check

_SILENT = ("no-reply", "not-delivered", "not-sent")


def asked_of(check: Check, paths: Paths) -> Asked:
    """Return what a check asks. Where an answer is expected, the namespace that has the address is meant to give it."""
    answered = check.expect not in _SILENT
    if check.ping is not None:
        sender, to, protocol, port, meant, own = check.ping.from_, check.ping.to, "icmp", 0, "", True
        size = check.ping.size
        if to.version == 6:
            protocol = "ipv6-icmp"
    else:
        assert check.nc is not None, "the rules of the file demand one of the two"
        nc = check.nc
        sender, to, protocol, port, meant, own = nc.from_, nc.address, nc.protocol, nc.port, nc.to, nc.server
        size = len(nc.send.encode())
        answered = answered and (protocol == "tcp" or bool(nc.reply))
    if not meant and check.expect not in _SILENT:
        owners = paths.owners(sender, to)
        last = check.crosses[-1].namespace if check.crosses else ""
        meant = last or (owners.pop() if len(owners) == 1 else "")
    receiver = meant if check.expect not in _SILENT else ""
    return Asked(sender, to, protocol, port, size, receiver, answered, own, check.crosses)
