"""Which ports are taken in the namespace we are in (proc_net_tcp in the kernel's documentation)."""

from __future__ import annotations

_WAITING = {"tcp": "0A", "udp": "07"}  # net/tcp_states.h: TCP_LISTEN, and TCP_CLOSE for an unconnected UDP socket
_CONNECTED = "01"


def bound(protocol: str, port: int) -> bool:
    """Whether a TCP socket listens on a port, or a UDP socket is bound to it. Follows the thread's namespace."""
    states = {_WAITING[protocol]} | ({_CONNECTED} if protocol == "udp" else set())
    for version in ("", "6"):
        with open(f"/proc/thread-self/net/{protocol}{version}") as table:
            for line in table.readlines()[1:]:
                _, local, _, state, *_ = line.split()
                if int(local.rpartition(":")[2], 16) == port and state in states:
                    return True
    return False
