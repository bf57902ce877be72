"""netem, the qdisc that impairs what an interface sends, over rtnetlink (linux/pkt_sched.h, net/sched/sch_netem.c).

Every attribute is sent each time: what a request leaves out keeps its value from the one before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from labctl.kernel import qdiscs
from labctl.kernel import rtnetlink as rt
from labctl.plan.netem import Netem

_QOPT = struct.Struct("=6I")  # latency and jitter in ticks, which the 64-bit attributes replace; limit, loss, gap, dup
_CORR, _REORDER, _CORRUPT, _RATE, _RATE64, _LATENCY64, _JITTER64 = 1, 3, 4, 6, 8, 10, 11
_LIMIT = 1000  # packets that may be under way, as tc(8) has it
_UINT32 = 2**32 - 1


def attach(netlink: rt.Rtnetlink, index: int, netem: Netem) -> None:
    """Have an interface send through netem, in place of whatever there is. Raise Refused."""
    qdiscs.attach(netlink, index, "netem", options(netem))


def attached(found: Iterable[qdiscs.Attached]) -> dict[int, Netem]:
    """Return what netem does to the interfaces of a namespace, by their index."""
    return {each.index: read(each.options) for each in found if each.kind == "netem" and qdiscs.is_root(each)}


def options(netem: Netem) -> bytes:
    """Return TCA_OPTIONS of a request."""
    gap = 1 if netem.reorder else 0  # each packet may be the one that overtakes
    return (
        _QOPT.pack(0, _LIMIT, netem.loss, gap, netem.duplicate, 0)
        + rt.attribute(_CORR, bytes(12))
        + rt.attribute(_REORDER, struct.pack("=II", netem.reorder, 0))
        + rt.attribute(_CORRUPT, struct.pack("=II", netem.corrupt, 0))
        + rt.attribute(_RATE, struct.pack("=IiIi", min(netem.rate, _UINT32), 0, 0, 0))
        + rt.attribute(_RATE64, struct.pack("=Q", netem.rate))
        + rt.attribute(_LATENCY64, struct.pack("=q", netem.delay))
        + rt.attribute(_JITTER64, struct.pack("=q", netem.jitter))
    )


def read(options: bytes) -> Netem:
    """Return what TCA_OPTIONS of a dump says."""
    _, _, loss, gap, duplicate, _ = _QOPT.unpack_from(options)
    more = rt.attributes(options[_QOPT.size :])

    def number(kind: int, layout: str) -> int:
        return int(struct.unpack_from(layout, more[kind])[0]) if kind in more else 0

    return Netem(
        number(_LATENCY64, "=q"),
        number(_JITTER64, "=q"),
        loss,
        duplicate,
        number(_CORRUPT, "=I"),
        number(_REORDER, "=I") if gap else 0,
        number(_RATE64, "=Q") or number(_RATE, "=I"),
    )
