"""The qdiscs of a namespace's interfaces, over rtnetlink (linux/rtnetlink.h: tcmsg; linux/pkt_sched.h).

What the kernel attaches by itself has no handle (net/sched/sch_generic.c: attach_default_qdiscs()); a request for a
qdisc always assigns one. So whatever has a handle was asked for: by netem of the file, or by hand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.plan.facts import Qdisc

TCMSG = struct.Struct("=BxxxiIII")  # family, ifindex, handle, parent, info
TCA_KIND, TCA_OPTIONS, _TCA_STATS2 = 1, 2, 7
_BASIC, _QUEUE, _PACKETS_64 = 1, 3, 8  # TCA_STATS_* (linux/gen_stats.h)
_PARENT_OF = {"root": 0xFFFFFFFF, "ingress": 0xFFFFFFF1, "clsact": 0xFFFFFFF1}
_MAJOR = 0xFFFF0000


@frozen
class Counted:
    """What passed a qdisc or an action, and what it has dropped, in packets; `waiting` are those that are there now.

    `overlimits` is how often one had to wait, or was too many, by the limits that were set.
    """

    packets: int = 0
    drops: int = 0
    overlimits: int = 0
    waiting: int = 0

    def since(self, before: Counted) -> Counted:
        """Return what was counted since an earlier look. What has begun to count anew since then is told as it is."""
        if self.packets < before.packets or self.drops < before.drops:
            return self
        return replace(
            self,
            packets=self.packets - before.packets,
            drops=self.drops - before.drops,
            overlimits=self.overlimits - before.overlimits,
        )


@frozen
class Attached:
    """One qdisc of an interface; `parent` is the class that it is attached to, or a place of the interface."""

    index: int
    handle: int
    parent: int
    kind: str
    options: bytes
    counted: Counted


def attached(netlink: rt.Rtnetlink) -> list[Attached]:
    """Return every qdisc of a namespace."""
    return [_read(message) for message in netlink.messages(rt.RTM_GETQDISC, TCMSG.pack(0, 0, 0, 0, 0))]


def _read(message: bytes) -> Attached:
    _, index, handle, parent, _ = TCMSG.unpack_from(message)
    found = rt.attributes(message[TCMSG.size :])
    kind, options = found[TCA_KIND].rstrip(b"\0").decode(), found.get(TCA_OPTIONS, b"")
    return Attached(index, handle, parent, kind, options, counted(found.get(_TCA_STATS2, b"")))


def counted(data: bytes) -> Counted:
    """Return the counts of a qdisc (TCA_STATS2) or an action (TCA_ACT_STATS)."""
    found = rt.attributes(data)
    _, packets = struct.unpack_from("=QI", found.get(_BASIC, bytes(12)))
    if _PACKETS_64 in found:
        (packets,) = struct.unpack("=Q", found[_PACKETS_64])
    waiting, _, drops, _, overlimits = struct.unpack_from("=5I", found.get(_QUEUE, bytes(20)))
    return Counted(packets, drops, overlimits, waiting)


def is_root(qdisc: Attached) -> bool:
    """Return whether a qdisc has all that its interface sends."""
    return qdisc.parent == _PARENT_OF["root"]


def asked_for(qdiscs: Iterable[Attached]) -> dict[int, list[Qdisc]]:
    """Return what was attached on request, by index of the interface, but netem at the root, which files describe.

    A qdisc below another that is in the answer is left out: it goes with that one.
    """
    found: dict[int, list[Qdisc]] = {}
    named = [qdisc for qdisc in qdiscs if qdisc.handle and not (is_root(qdisc) and qdisc.kind == "netem")]
    handles = {(qdisc.index, qdisc.handle) for qdisc in named}
    for qdisc in named:
        if (qdisc.index, qdisc.parent & _MAJOR) not in handles or qdisc.parent in _PARENT_OF.values():
            found.setdefault(qdisc.index, []).append(Qdisc(qdisc.kind, place_of(qdisc)))
    return found


def place_of(qdisc: Attached) -> str:
    """Return where a qdisc is attached, in the words of tc(8)."""
    if is_root(qdisc):
        return "root"
    if qdisc.kind in _PARENT_OF:
        return qdisc.kind
    return f"parent {qdisc.parent >> 16:x}:{qdisc.parent & 0xFFFF:x}"


def attach(netlink: rt.Rtnetlink, index: int, kind: str, options: bytes) -> None:
    """Have an interface send through a qdisc, in place of whatever there is. Raise Refused."""
    attributes = rt.attribute(TCA_KIND, kind.encode() + b"\0") + rt.attribute(TCA_OPTIONS, options)
    netlink.request(rt.RTM_NEWQDISC, _at(index, "root") + attributes, rt.NLM_F_CREATE | rt.NLM_F_REPLACE)


def detach(netlink: rt.Rtnetlink, index: int, place: str = "root") -> None:
    """Restore the qdisc that a place of an interface was created with, or none. Raise Refused."""
    netlink.request(rt.RTM_DELQDISC, _at(index, place))


def _at(index: int, place: str) -> bytes:
    parent = _PARENT_OF.get(place)
    if parent is None:
        major, _, minor = place.removeprefix("parent ").partition(":")
        parent = int(major, 16) << 16 | int(minor, 16)
    return TCMSG.pack(0, index, 0, parent, 0)
