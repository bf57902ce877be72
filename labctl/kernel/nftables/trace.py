"""Which rules the packets of a flow meet, as `nft monitor trace` shows it, and what becomes of them there.

The kernel reports each rule that a packet matches whose mark `nftrace` is set. A table of our own sets it, which the
kernel removes with the socket that owns it (NFT_TABLE_F_OWNER). Its chains are called before all others, only for
the families and devices that have chains, and they match nothing but the packets that are asked for. Others may be
traced at the same time, by a rule of the lab's or by another diagnosis: a packet is reported here if our table has met
it, or it has the ports of one that it met, as after NAT.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.kernel.flow import Flow
from labctl.kernel.nftables import encode
from labctl.kernel.nftables.matches import of_flow, of_neighbours
from labctl.kernel.nftables.messages import (
    FAMILIES,
    NETLINK_NETFILTER,
    NEWCHAIN,
    NEWRULE,
    NEWTABLE,
    NFGENMSG,
    TRACE,
    change,
    nested,
    number,
    string,
    text,
    u32,
)
from labctl.kernel.nftables.ruleset import HOOKS, Chain
from labctl.kernel.nftables.tables import FLAGS, NAME, OF_A_TRACE, OWNED
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.topology.values import Host

_GROUP = 9  # NFNLGRP_NFTRACE
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_TYPE, _HOOK_NUMBER, _HOOK_PRIORITY, _HOOK_DEVICE = 3, 4, 7, 1, 2, 3
_RULE_CHAIN, _RULE_EXPRESSIONS = 2, 4
_RAW = -300  # linux/netfilter_ipv4.h: NF_IP_PRI_RAW; ours is before
_LOWEST = -(2**31)

_VERDICT_CODE, _VERDICT_CHAIN = 1, 2  # NFTA_VERDICT_*


class _Trace(IntEnum):
    """NFTA_TRACE_*."""

    TABLE = 1
    CHAIN = 2
    RULE_HANDLE = 3
    TYPE = 4
    VERDICT = 5
    ID = 6
    NETWORK_HEADER = 8
    TRANSPORT_HEADER = 9
    IIF = 10
    OIF = 12
    MARK = 14
    POLICY = 16


_TYPES = {1: "policy", 2: "return", 3: "rule"}  # NFT_TRACETYPE_*
_VERDICTS = {
    0: "drop", 1: "accept", 2: "stolen", 3: "queue", 4: "repeat",
    -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return",
}  # fmt: skip
"""NF_* and NFT_* in the words of nft(8)."""

# Where a packet is first met, by family, and the names of the hooks there.
_FIRST = {
    "inet": ("prerouting", "output"),
    "bridge": ("prerouting", "output"),
    "arp": ("input", "output"),
    "netdev": ("ingress", "egress"),
}


_PROTOCOL_AT = {4: 9, 6: 6}
"""Where the protocol is in an IP header, by its version (RFC 791, RFC 8200)."""

_DISCOVERY = (b"\x87", b"\x88")  # neighbour solicitation and advertisement


@frozen
class Event:
    """What became of a packet at a rule, or at the end of a chain by its policy.

    `packet` is the same for all events of one packet in a namespace. The verdict is accept, drop, continue, jump, goto
    or return; `rule` is the handle, None at the end of a chain. `header` is the IP header as it is now, or ARP, and
    `transport` the first bytes behind it: a change from one event to the next is NAT.
    """

    packet: int
    family: str
    table: str
    chain: str
    kind: str  # rule, return, policy
    rule: int | None
    verdict: str
    header: bytes
    transport: bytes
    iif: str
    oif: str
    mark: int = 0  # of the packet, as rules of ip-rule(8) look at it

    @property
    def is_empty(self) -> bool:
        """Whether it says only that no rule of a chain has taken the packet; what its end does is another event."""
        return self.kind == "rule" and self.rule is None

    @property
    def conversation(self) -> tuple[int, bytes] | None:
        """The protocol, and the ports or the identifier of ICMP: what mostly stays as it is when addresses change."""
        version = self.header[0] >> 4 if self.header else 0
        if version not in _PROTOCOL_AT or len(self.header) <= _PROTOCOL_AT[version]:
            return None
        protocol = self.header[_PROTOCOL_AT[version]]
        is_icmp = protocol in (IP_PROTOCOLS["icmp"], IP_PROTOCOLS["ipv6-icmp"])
        return protocol, self.transport[4:8] if is_icmp else self.transport[:4]

    @property
    def is_of_neighbours(self) -> bool:
        """Whether the packet is of ARP (RFC 826) or of neighbour discovery (RFC 4861)."""
        if self.conversation is None:
            return bool(self.header)
        protocol, _ = self.conversation
        return protocol == IP_PROTOCOLS["ipv6-icmp"] and self.transport[:1] in _DISCOVERY

    @property
    def is_end(self) -> bool:
        """Whether the packet ends here."""
        return self.verdict in ("drop", "stolen", "queue")


class FirewallTrace:
    """What the firewall of a namespace does with some flows from now on, until `close`."""

    def __init__(self, chains: Sequence[Chain], flows: Sequence[Flow], neighbours: Sequence[Host] = ()) -> None:
        """Begin in this thread's namespace, which has these chains.

        `neighbours` are the addresses that ARP and neighbour discovery are traced of, too. Raise OSError where the
        kernel refuses.
        """
        self._names = dict(socket.if_nameindex())
        self._table = f"{OF_A_TRACE}{os.getpid()}"
        self._last: dict[int, Event] = {}  # of each packet
        self._met: set[int | tuple[int, bytes]] = set()  # packets, and what of them stays as it is
        self._headers: set[bytes] = set()  # of those, for their copies
        self._events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        self._owner = rt.Rtnetlink(NETLINK_NETFILTER)
        try:
            self._events.setblocking(False)
            self._events.bind((0, 0))
            self._events.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
            for family in _families(chains):
                requests = _table(self._table, family, chains, flows, neighbours)
                change(self._owner, *requests, flags=rt.NLM_F_CREATE)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._owner.close()  # and the table is gone
        self._events.close()

    def events(self) -> Iterator[Event]:
        """Yield the events that have come; where there were too many to keep, the first of them."""
        while True:
            try:
                data = self._events.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # it is told before what was kept
                    raise
                continue
            offset = 0
            while offset < len(data):
                length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
                if kind == TRACE:
                    event = self._whole(_event(data[offset + _HEADER.size : offset + length], self._names))
                    if self._is_ours(event) and not event.table.startswith(OF_A_TRACE) and not event.is_empty:
                        yield event
                offset += (length + 3) & ~3

    def _whole(self, event: Event) -> Event:
        """Return an event with what the kernel tells of a packet only at its first one of each hook."""
        before = self._last.get(event.packet)
        if before is not None and not event.header:
            header, transport = before.header, before.transport
            event = replace(event, header=header, transport=transport, iif=before.iif, oif=before.oif)
        self._last[event.packet] = event
        return event

    def _is_ours(self, event: Event) -> bool:
        """Return whether an event is of a packet that our table has met, and keep which it meets.

        A bridge copies what it floods: a copy is another packet, with the same header.
        """
        known = {event.packet} | ({event.conversation} if event.conversation else set())
        if event.table == self._table and event.rule is not None:
            self._met |= known
            self._headers.add(event.header)
        elif event.family == "bridge" and event.header and event.header in self._headers:
            self._met |= known
        return not known.isdisjoint(self._met)


def _families(chains: Iterable[Chain]) -> list[str]:
    """Return the families in which packets are met that chains are called for."""
    called = [chain for chain in chains if chain.hook]
    found = {"inet" if chain.family in ("ip", "ip6") else chain.family for chain in called}
    found |= {"netdev" for chain in called if chain.hook == "ingress"}  # that of inet is the same
    return sorted(found & set(_FIRST))


def _table(
    name: str, family: str, chains: Sequence[Chain], flows: Sequence[Flow], neighbours: Sequence[Host]
) -> Iterator[tuple[int, str, bytes]]:
    """Yield what makes a table that has these packets traced."""
    yield NEWTABLE, family, string(NAME, name) + u32(FLAGS, OWNED)
    matches = [*of_neighbours(family, neighbours), *(of_flow(family, flow) for flow in flows if family != "arp")]
    for hook, device in _places(family, chains):
        chain = f"{hook}-{device}" if device else hook
        where = u32(_HOOK_NUMBER, HOOKS[family].index(hook)) + u32(_HOOK_PRIORITY, _before_all(chains))
        where += string(_HOOK_DEVICE, device) if device else b""
        described = string(_CHAIN_NAME, chain) + nested(_CHAIN_HOOK, where) + string(_CHAIN_TYPE, "filter")
        yield NEWCHAIN, family, string(NAME, name) + described
        for match in matches:
            expressions = nested(_RULE_EXPRESSIONS, match, encode.set_nftrace())
            yield NEWRULE, family, string(NAME, name) + string(_RULE_CHAIN, chain) + expressions


def _places(family: str, chains: Iterable[Chain]) -> list[tuple[str, str]]:
    """Return the hooks of our chains, for netdev with each device that has chains."""
    if family != "netdev":
        return [(hook, "") for hook in _FIRST[family]]
    return sorted(
        {(chain.hook, device) for chain in chains if chain.hook in _FIRST[family] for device in chain.devices}
    )


def _before_all(chains: Iterable[Chain]) -> int:
    return max(min((_RAW, *(chain.priority for chain in chains))) - 1, _LOWEST)


def _event(message: bytes, names: Mapping[int, str]) -> Event:
    told = rt.attributes(message[NFGENMSG.size :])
    verdict = rt.attributes(told.get(_Trace.VERDICT, b""))
    if _VERDICT_CODE in verdict:
        code = int.from_bytes(verdict[_VERDICT_CODE], signed=True)
        target = f" {text(verdict[_VERDICT_CHAIN])}" if _VERDICT_CHAIN in verdict else ""
    else:
        code, target = int.from_bytes(told.get(_Trace.POLICY, b"\1"), signed=True), ""
    return Event(
        number(told[_Trace.ID]),
        FAMILIES.get(message[0], str(message[0])),
        text(told[_Trace.TABLE]),
        text(told.get(_Trace.CHAIN, b"")),
        _TYPES.get(number(told[_Trace.TYPE]), ""),
        number(told[_Trace.RULE_HANDLE]) if _Trace.RULE_HANDLE in told else None,
        _VERDICTS.get(code, str(code)) + target,
        told.get(_Trace.NETWORK_HEADER, b""),
        told.get(_Trace.TRANSPORT_HEADER, b""),
        names.get(number(told.get(_Trace.IIF, b"")), ""),
        names.get(number(told.get(_Trace.OIF, b"")), ""),
        mark=number(told.get(_Trace.MARK, b"")),
    )
