"""What tc(8) has set at the interfaces of a namespace: qdiscs with what they dropped, filters with their actions."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace

from labctl.engine.packets.impairment import Impairment
from labctl.frozen import frozen
from labctl.kernel import netem, qdiscs
from labctl.kernel import rtnetlink as rt
from labctl.kernel.qdiscs import TCA_KIND, TCA_OPTIONS, TCMSG, Attached, Counted

_RTM_GETTFILTER = 46
_CLSACT = {0xFFFFFFF2: "ingress", 0xFFFFFFF3: "egress"}  # linux/pkt_sched.h: TC_H_MIN_INGRESS, TC_H_MIN_EGRESS
_ETHERTYPES = {0x0003: "all", 0x0800: "ip", 0x0806: "arp", 0x86DD: "ipv6"}
_ACTIONS_OF = {"u32": 7, "matchall": 2, "flower": 3, "bpf": 1, "basic": 3, "fw": 4, "flow": 9, "route": 6}
"""Which attribute of its options has the actions of a filter, by its kind (linux/pkt_cls.h: TCA_*_ACT)."""

_U32_SELECTOR = 5  # TCA_U32_SEL; an entry without one is a table of its own making
_ACT_KIND, _ACT_OPTIONS, _ACT_STATS = 1, 2, 4  # TCA_ACT_*
_PARAMETERS = 2  # TCA_GACT_PARMS, TCA_MIRRED_PARMS
_GENERAL = struct.Struct("=IIiii")  # tc_gen: index, capab, action, refcnt, bindcnt
_CONTROLS = {
    -1: "continue", 0: "pass", 1: "reclassify", 2: "drop", 3: "pipe", 4: "stolen", 7: "redirect", 8: "trap",
}  # fmt: skip
"""TC_ACT_* in the words of tc-actions(8)."""

_MIRRED = {1: "redirect to", 2: "mirror to", 3: "redirect into", 4: "mirror into"}  # TCA_EGRESS_REDIR, ...


@frozen
class Queue:
    """A qdisc that was asked for, with what it has counted: `place` is root, ingress, clsact or parent MAJOR:MINOR."""

    kind: str
    place: str
    counted: Counted
    netem: Impairment | None = None


@frozen
class Action:
    """An action of a filter in words, as `drop`, `redirect to eth1`, or the kind alone; and what it has counted."""

    words: str
    counted: Counted


@frozen
class Filter:
    """A filter: where packets meet it (ingress, egress, root), and what is done to those that it matches."""

    place: str
    preference: int
    protocol: str
    kind: str
    actions: tuple[Action, ...]

    @property
    def words(self) -> str:
        done = "".join(f" action {action.words}" for action in self.actions)
        return f"{self.place} pref {self.preference} protocol {self.protocol} {self.kind}{done}"


@frozen
class TrafficControl:
    """What is set at one interface."""

    queues: tuple[Queue, ...]
    filters: tuple[Filter, ...]

    def since(self, before: TrafficControl) -> TrafficControl:
        """Return the same with what was counted since an earlier look."""
        queues = {(each.kind, each.place): each.counted for each in before.queues}
        actions = {(one.words, number): each.counted for one in before.filters for number, each in _numbered(one)}
        return TrafficControl(
            tuple(
                replace(each, counted=each.counted.since(queues.get((each.kind, each.place), Counted())))
                for each in self.queues
            ),
            tuple(
                replace(
                    one,
                    actions=tuple(
                        replace(each, counted=each.counted.since(actions.get((one.words, number), Counted())))
                        for number, each in _numbered(one)
                    ),
                )
                for one in self.filters
            ),
        )


def _numbered(one: Filter) -> Iterator[tuple[int, Action]]:
    yield from enumerate(one.actions)


def traffic_control() -> dict[str, TrafficControl]:
    """Return what is set at the interfaces of this thread's namespace, by name; those with nothing are left out."""
    names = dict(socket.if_nameindex())
    asked_for: dict[int, list[Attached]] = {}
    with closing(rt.Rtnetlink()) as netlink:
        for qdisc in qdiscs.attached(netlink):
            if qdisc.handle:
                asked_for.setdefault(qdisc.index, []).append(qdisc)
        return {
            names[index]: TrafficControl(
                tuple(map(_queue, found)),
                tuple(one for qdisc in found for one in _filters(netlink, qdisc, names)),
            )
            for index, found in asked_for.items()
            if index in names
        }


def _queue(qdisc: Attached) -> Queue:
    impairment = netem.read(qdisc.options).impairment() if qdisc.kind == "netem" else None
    return Queue(qdisc.kind, qdiscs.place_of(qdisc), qdisc.counted, impairment)


def _filters(netlink: rt.Rtnetlink, qdisc: Attached, names: Mapping[int, str]) -> Iterator[Filter]:
    places = _CLSACT if qdisc.kind == "clsact" else {qdisc.handle: qdiscs.place_of(qdisc)}
    for parent, place in places.items():
        for message in netlink.messages(_RTM_GETTFILTER, TCMSG.pack(0, qdisc.index, 0, parent, 0)):
            _, _, handle, _, info = TCMSG.unpack_from(message)
            told = rt.attributes(message[TCMSG.size :])
            kind, options = told[TCA_KIND].rstrip(b"\0").decode(), rt.attributes(told.get(TCA_OPTIONS, b""))
            if handle and (kind != "u32" or _U32_SELECTOR in options):
                ethertype = socket.ntohs(info & 0xFFFF)
                protocol = _ETHERTYPES.get(ethertype, f"{ethertype:#06x}")
                actions = rt.attributes(options.get(_ACTIONS_OF.get(kind, 0), b""))
                yield Filter(place, info >> 16, protocol, kind, tuple(_action(one, names) for one in actions.values()))


def _action(data: bytes, names: Mapping[int, str]) -> Action:
    told = rt.attributes(data)
    kind = told[_ACT_KIND].rstrip(b"\0").decode()
    parameters = rt.attributes(told.get(_ACT_OPTIONS, b"")).get(_PARAMETERS, b"")
    words = kind
    if kind == "gact":
        _, _, control, _, _ = _GENERAL.unpack_from(parameters)
        words = _CONTROLS.get(control, kind)
    elif kind == "mirred":
        how, index = struct.unpack_from("=iI", parameters, _GENERAL.size)
        words = f"{_MIRRED.get(how, kind)} {names.get(index, index)}"
    return Action(words, qdiscs.counted(told.get(_ACT_STATS, b"")))
