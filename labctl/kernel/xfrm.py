"""IPsec policies and states of a namespace, over xfrm netlink (linux/xfrm.h)."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.kernel.flow import Flow
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.topology.values import Network

_NETLINK_XFRM = 6
_GET = {"policy": 0x15, "state": 0x12}  # XFRM_MSG_GETPOLICY, XFRM_MSG_GETSA
_FLUSH = {"policy": (0x1D, b""), "state": (0x1C, b"\0")}  # XFRM_MSG_FLUSHPOLICY, XFRM_MSG_FLUSHSA of any protocol

# struct xfrm_userpolicy_info: a selector (addresses, ports with their masks, family, two lengths, protocol, interface,
# user), limits and use, and then priority, index, direction and action.
_POLICY = struct.Struct("=16s16s8sHBBB3xi4x96xI4xBBxx4x")
_PORTS = struct.Struct("!HHHH")
_DIRECTIONS, _ACTIONS = ("in", "out", "fwd"), ("allow", "block")
_TEMPLATE = 5  # XFRMA_TMPL: how the packets are transformed
_PROTOCOL_NAMES = {number: name for name, number in IP_PROTOCOLS.items()}


@frozen
class Policy:
    """A policy, for the packets that it selects: it blocks them, or lets them pass if they are `transformed`.

    `in` are packets for this namespace, `out` those that it sends, `fwd` those that it forwards. A port of 0 is any.
    """

    source: Network
    to: Network
    protocol: str
    sport: int
    dport: int
    interface: str
    direction: str
    action: str
    priority: int
    transformed: bool

    @property
    def words(self) -> str:
        """As `ip xfrm policy` has it."""
        found = f"src {self.source} dst {self.to}"
        found += f" proto {self.protocol}" if self.protocol else ""
        found += f" sport {self.sport}" if self.sport else ""
        found += f" dport {self.dport}" if self.dport else ""
        found += f" dev {self.interface}" if self.interface else ""
        return f"{found} dir {self.direction} action {self.action} priority {self.priority}"

    def selects(self, flow: Flow) -> bool:
        """Return whether the packets of a flow are meant; a source or a port that is not known yet may be any."""
        ports = ((self.sport, flow.sport), (self.dport, flow.dport))
        return (
            flow.to.version == self.to.version
            and flow.to in self.to
            and (flow.source is None or flow.source in self.source)
            and self.protocol in ("", flow.protocol)
            and all(wanted in (0, port) or not port for wanted, port in ports)
        )


def policies() -> list[Policy]:
    """Return the policies of this thread's namespace in the order of their priority, but for those of one socket.

    Raise OSError where the kernel cannot say.
    """
    names = dict(socket.if_nameindex())
    with closing(rt.Rtnetlink(_NETLINK_XFRM)) as netlink:
        messages = netlink.messages(_GET["policy"], b"")
    return sorted(_policies(messages, names), key=lambda policy: policy.priority)


def _policies(messages: list[bytes], names: dict[int, str]) -> Iterator[Policy]:
    for message in messages:
        to, source, ports, family, to_length, source_length, protocol, index, priority, direction, action = (
            _POLICY.unpack_from(message)
        )
        if direction >= len(_DIRECTIONS):
            continue
        dport, dport_mask, sport, sport_mask = _PORTS.unpack(ports)
        size = 4 if family == socket.AF_INET else 16
        yield Policy(
            ipaddress.ip_network((source[:size], source_length), strict=False),
            ipaddress.ip_network((to[:size], to_length), strict=False),
            _PROTOCOL_NAMES.get(protocol, str(protocol)) if protocol else "",
            sport & sport_mask,
            dport & dport_mask,
            names.get(index, str(index)) if index else "",
            _DIRECTIONS[direction],
            _ACTIONS[action],
            priority,
            _TEMPLATE in rt.attributes(message[_POLICY.size :]),
        )


def counted() -> dict[str, int]:
    """Return how many policies and states this thread's namespace has, without those that there are none of.

    Raise OSError where the kernel cannot say.
    """
    with closing(rt.Rtnetlink(_NETLINK_XFRM)) as netlink:
        found = {what: len(netlink.messages(kind, b"")) for what, kind in _GET.items()}
    return {what: number for what, number in found.items() if number}


def flush(what: str) -> None:
    """Delete all policies or all states of this thread's namespace. Raise OSError."""
    with closing(rt.Rtnetlink(_NETLINK_XFRM)) as netlink:
        netlink.request(*_FLUSH[what])
