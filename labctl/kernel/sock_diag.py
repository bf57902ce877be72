"""The UDP and TCP sockets of a namespace over sock_diag(7), and which of them gets a packet.

It says more than proc(5) does: the interface that a socket is bound to, how full its buffer is, and whether an IPv6
socket takes IPv4. Where a kernel has no sock_diag a diagnosis knows less; what starts a lab reads proc(5) (`sockets`).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterable
from contextlib import closing

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.kernel.flow import Flow
from labctl.topology.values import Host

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20  # linux/netlink.h, linux/sock_diag.h
_REQUEST = struct.Struct("=BBBxI48x")  # struct inet_diag_req_v2: family, protocol, extensions, states, socket
_MESSAGE = struct.Struct("=BBxx2s2s16s16sI8x5I")  # struct inet_diag_msg, with struct inet_diag_sockid in it
_SKMEMINFO, _SKV6ONLY = 7, 11  # linux/inet_diag.h: INET_DIAG_*
_MEMORY = struct.Struct("=9I")
_RECEIVE_BUFFER, _DROPS = 1, 8  # linux/sock_diag.h: SK_MEMINFO_*
_ALL_STATES = 0xFFFFFFFF
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
_STATES = (
    "", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "unconnected", "close-wait",
    "last-ack", "listening", "closing", "syn-recv", "bound-inactive",
)  # fmt: skip
"""TCP_* of net/tcp_states.h in the words of ss(8), which also are those of UDP: established or unconnected."""


@frozen
class Socket:
    """A socket: where it is bound and connected to, what waits in it, and how many packets did not fit.

    Queues are in bytes; for UDP with what the kernel keeps beside each packet, of at most `receive_buffer`. Of a socket
    that listens they are the connections that wait, and how many may (ss(8)).
    """

    protocol: str
    state: str
    host: Host
    port: int
    remote_host: Host
    remote_port: int
    interface: str  # that it is bound to (SO_BINDTODEVICE), or empty
    inode: int
    uid: int
    receive_queue: int
    send_queue: int
    receive_buffer: int
    drops: int
    v6only: bool

    @property
    def is_connected(self) -> bool:
        return self.remote_port != 0


def sockets(protocol: str) -> list[Socket]:
    """Return the sockets of udp or tcp in this thread's namespace, IPv4 before IPv6.

    Raise OSError where the kernel has no sock_diag.
    """
    names = dict(socket.if_nameindex())
    found = []
    with closing(rt.Rtnetlink(_NETLINK_SOCK_DIAG)) as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _REQUEST.pack(family, _PROTOCOLS[protocol], 1 << (_SKMEMINFO - 1), _ALL_STATES)
            try:
                messages = netlink.messages(_SOCK_DIAG_BY_FAMILY, request)
            except rt.Refused as error:
                if family == socket.AF_INET or error.errno != errno.ENOENT:
                    raise
                continue  # a kernel without IPv6
            found += [_read(protocol, message, names) for message in messages]
    return found


def _read(protocol: str, message: bytes, names: dict[int, str]) -> Socket:
    family, state, port, remote_port, host, remote, index, _, receive, send, uid, inode = _MESSAGE.unpack_from(message)
    told = rt.attributes(message[_MESSAGE.size :])
    memory = _MEMORY.unpack_from(told.get(_SKMEMINFO, bytes(_MEMORY.size)))  # one in time-wait has none
    size = 4 if family == socket.AF_INET else 16
    return Socket(
        protocol,
        _STATES[state] if state < len(_STATES) else str(state),
        ipaddress.ip_address(host[:size]),
        int.from_bytes(port),
        ipaddress.ip_address(remote[:size]),
        int.from_bytes(remote_port),
        names.get(index, str(index)) if index else "",
        inode,
        uid,
        receive,
        send,
        memory[_RECEIVE_BUFFER],
        memory[_DROPS],
        bool(told.get(_SKV6ONLY, b"\0")[0]),
    )


def receivers(flow: Flow, arrived: str, found: Iterable[Socket]) -> list[Socket]:
    """Return the sockets that take the packets of a flow that arrived at an interface, the one that gets them first.

    Several that are alike share a port (SO_REUSEPORT), or the last one that was bound gets them (SO_REUSEADDR):
    net/ipv4/udp.c: __udp4_lib_lookup(), compute_score(); net/ipv4/inet_hashtables.c: __inet_lookup().
    """
    return sorted((each for each in found if _takes(each, flow, arrived)), key=_closeness, reverse=True)


def _takes(each: Socket, flow: Flow, arrived: str) -> bool:
    if each.protocol != flow.protocol or each.port != flow.dport or each.interface not in ("", arrived):
        return False
    if each.protocol == "tcp" and each.state in ("unconnected", "bound-inactive"):
        return False
    if each.is_connected and (each.remote_port, _plain(each.remote_host)) != (flow.sport, flow.source):
        return False
    return _plain(each.host) == flow.to or _is_any(each, flow.to.version)


def _is_any(each: Socket, version: int) -> bool:
    """Return whether a socket is bound to every address of an IP version."""
    return each.host.is_unspecified and (each.host.version == version or (version == 4 and not each.v6only))


def _plain(host: Host) -> Host:
    """Return an IPv4 address that is written as an IPv6 one as what it is (RFC 4291, 2.5.5.2)."""
    return (host.ipv4_mapped or host) if isinstance(host, ipaddress.IPv6Address) else host


def _closeness(each: Socket) -> tuple[bool, bool, bool, bool]:
    """Return how exactly a socket is meant: what is connected before what is not, then one address before any."""
    return each.is_connected, not each.host.is_unspecified, bool(each.interface), each.host.version == 4
