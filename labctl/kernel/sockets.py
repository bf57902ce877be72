"""The sockets of the namespace that we are in, and whose they are (proc(5): net/tcp, net/udp, PID/fd)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from labctl.kernel import programs

# net/tcp_states.h. A UDP socket is ESTABLISHED once it is connected, and CLOSE until then.
_ESTABLISHED, _TIME_WAIT, _CLOSE, _LISTEN = 0x01, 0x06, 0x07, 0x0A
_RECEIVES = {"tcp": {_LISTEN}, "udp": {_CLOSE, _ESTABLISHED}}
_ANYWHERE = ("0.0.0.0", "::")
_SO_MEMINFO, _MEMORY, _DROPS = 55, struct.Struct("=9I"), 8  # asm-generic/socket.h; SK_MEMINFO_* of linux/sock_diag.h


class _Socket(NamedTuple):
    host: str
    port: int
    remote_port: int
    state: int
    inode: int


class Holder(NamedTuple):
    """A process that has a socket: its PID, its name (proc(5), comm), and the address that the socket is bound to."""

    pid: int
    name: str
    host: str


def bound(protocol: str, port: int) -> bool:
    """Return whether a TCP socket listens on a port, or a UDP socket is bound to it. Follows the thread's namespace."""
    return any(_receivers(protocol, port))


def holders(protocol: str, host: str, port: int) -> list[Holder]:
    """Return the processes whose sockets get what is sent to an address and a port, as far as /proc shows them."""
    inodes = {found.inode: found.host for found in _receivers(protocol, port) if found.host in (host, *_ANYWHERE)}
    found = programs.with_sockets(inodes) if inodes else {}
    return [Holder(each.pid, each.name, inodes[inode]) for inode, having in found.items() for each in having]


def receivers(protocol: str, port: int) -> frozenset[int]:
    """Return the inodes of the sockets that get what comes in on a port. Follows the thread's namespace."""
    return frozenset(found.inode for found in _receivers(protocol, port))


def receive_drops(connection: socket.socket) -> int:
    """Return how many packets did not fit into a socket."""
    found = connection.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMORY.size)
    return int(_MEMORY.unpack(found)[_DROPS])


def hosts(protocol: str, port: int) -> set[str]:
    """Return the addresses that the sockets with a port are bound to or connected from. Follows the thread."""
    return {found.host for found in _receivers(protocol, port)}


def ports(protocol: str) -> frozenset[int]:
    """Return the ports on which TCP sockets listen, or to which UDP sockets are bound. Follows the thread."""
    wanted = _RECEIVES[protocol]
    return frozenset(found.port for found in _sockets(protocol) if found.state in wanted)


def connected(port: int) -> bool:
    """Return whether a TCP connection of a port may still send something: a segment, or the answer to its FIN."""
    over = {_TIME_WAIT, _CLOSE, _LISTEN}
    return any(port in (found.port, found.remote_port) and found.state not in over for found in _sockets("tcp"))


def connections() -> set[tuple[int, int]]:
    """Return the ports of the TCP connections that are established. Follows the thread's namespace."""
    return {(found.port, found.remote_port) for found in _sockets("tcp") if found.state == _ESTABLISHED}


def _receivers(protocol: str, port: int) -> Iterator[_Socket]:
    wanted = _RECEIVES[protocol]
    return (found for found in _sockets(protocol) if found.port == port and found.state in wanted)


def _sockets(protocol: str) -> Iterator[_Socket]:
    for version in ("", "6"):
        with open(f"/proc/thread-self/net/{protocol}{version}") as table:
            for line in table.readlines()[1:]:
                _, local, remote, state, _, _, _, _, _, inode, *_ = line.split()
                host, _, port = local.partition(":")
                yield _Socket(_host(host), int(port, 16), int(remote.partition(":")[2], 16), int(state, 16), int(inode))


def _host(text: str) -> str:
    """Return an address as the tables have it: words of 32 bits in the byte order of the machine."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
