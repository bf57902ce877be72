"""Which ports are in use in the namespace we are in (proc_net_tcp in the kernel's documentation)."""

from __future__ import annotations

from collections.abc import Iterator

# net/tcp_states.h. A UDP socket is ESTABLISHED once it is connected, and CLOSE until then.
_ESTABLISHED, _TIME_WAIT, _CLOSE, _LISTEN = 0x01, 0x06, 0x07, 0x0A


def bound(protocol: str, port: int) -> bool:
    """Whether a TCP socket listens on a port, or a UDP socket is bound to it. Follows the thread's namespace."""
    wanted = {_LISTEN} if protocol == "tcp" else {_CLOSE, _ESTABLISHED}
    return any(local == port and state in wanted for local, _, state in _sockets(protocol))


def connected(port: int) -> bool:
    """Whether a TCP connection from or to a port may still send something: a segment, or the answer to its FIN."""
    over = {_TIME_WAIT, _CLOSE, _LISTEN}
    return any(port in (local, remote) and state not in over for local, remote, state in _sockets("tcp"))


def _sockets(protocol: str) -> Iterator[tuple[int, int, int]]:
    """Local port, remote port and state of every socket."""
    for version in ("", "6"):
        with open(f"/proc/thread-self/net/{protocol}{version}") as table:
            for line in table.readlines()[1:]:
                _, local, remote, state, *_ = line.split()
                yield int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16), int(state, 16)
