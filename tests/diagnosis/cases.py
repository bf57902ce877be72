"""Facts that are written by hand: a lab as its file says, a probe of it, and how far its packets were seen."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.facts import Case, Engine, File, Space
from labctl.diagnosis.path import Asked, Kind, Paths, Stage
from labctl.diagnosis.verdict import Verdict
from labctl.kernel.addresses import Address
from labctl.kernel.lookup import NoWay, Way
from labctl.kernel.packet_taps import PacketType, Seen
from labctl.kernel.programs import Program
from labctl.kernel.sock_diag import Socket
from labctl.plan.desired_routes import route_of
from labctl.plan.facts import Link
from labctl.topology import model
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import load
from labctl.topology.model import Topology
from labctl.trace.dissect import Frame, Icmp, Packet
from labctl.trace.sightings import Journey, Sighting, Station
from tests.e2e.world import REPO

STATIC = ("dual-stack", "single-host", "static-routing", "switched-lan", "two-site")
"""The shipped labs of which all that decides about packets is in the file, without programs and firewalls."""
SHIPPED = [REPO / "topologies" / f"{name}.yaml" for name in STATIC]
OURS = sorted(Path(__file__).with_name("labs").glob("*.yaml"))
CHECKS = [
    (path.stem, check.name) for path in (*SHIPPED, *OURS) for check in load(path).checks if check.kind in ("ping", "nc")
]
"""The checks, by lab and name, whose packets go where the file says."""
PID = 4711
ANY = ip_address("0.0.0.0")


def topology(name: str) -> Topology:
    return load(next(path for path in (*SHIPPED, *OURS) if path.stem == name))


def healthy(found: Topology, check: str, seen: int | None = None) -> Case:
    """A lab that is as its file says, in which the packets of a check were seen up to a stage; None: everywhere."""
    asked = asked_of(next(one for one in found.checks if one.name == check), Paths(found))
    assert asked is not None
    return asking(found, asked, seen)


def asking(found: Topology, asked: Asked, seen: int | None = None) -> Case:
    """A lab that is as its file says, in which the packets of a probe were seen up to a stage; None: everywhere."""
    stages = Paths(found).stages(asked)
    spaces = {name: _space(found, name) for name in found.namespaces}
    engines = {
        end.device: Engine(end.device, PID, True, False, str(end.bind), str(end.peer), counted=_counted())
        for end in found.ttun
    }
    ways = {stage: _way(stage) for stage in stages if stage.kind in (Kind.SEND, Kind.FORWARD, Kind.DELIVER)}
    case = Case(found, File("lab.yaml", "lab.yaml"), asked, stages, spaces, engines, ways, outcome="silent")
    return followed(case, len(stages) if seen is None else seen)


def followed(case: Case, seen: int) -> Case:
    """The same with one request, and its answer, that were seen at the ends of the first `seen` stages."""
    there = [stage for stage in case.stages[:seen] if not stage.back]
    back = [stage for stage in case.stages[:seen] if stage.back]
    engines = dict(case.engines)
    for number, stage in enumerate(case.stages):
        device = stage.ref if stage.kind is Kind.READ else case.engine_behind(number)
        if device in engines and number >= seen:
            engines[device] = replace(engines[device], counted={})
    probe = _journey(case, there, 8)
    reply = _journey(case, back, 0)
    return replace(case, engines=engines, probes=[probe] if probe else [], answers=[reply] if reply else [])


def number_of(case: Case, kind: Kind, namespace: str, depth: int = 0, back: bool = False) -> int:
    """The number of the first such stage."""
    wanted = (kind, namespace, depth, back)
    return next(
        number
        for number, stage in enumerate(case.stages)
        if (stage.kind, stage.namespace, stage.depth, stage.back) == wanted
    )


def with_link(case: Case, ref: str, **changes: Any) -> Case:
    where = InterfaceRef.typed(ref)
    space = case.spaces[where.namespace]
    links = {**space.links, where.interface: replace(space.links[where.interface], **changes)}
    return replace(case, spaces={**case.spaces, where.namespace: replace(space, links=links)})


def with_space(case: Case, namespace: str, **changes: Any) -> Case:
    return replace(case, spaces={**case.spaces, namespace: replace(case.spaces[namespace], **changes)})


def with_engine(case: Case, device: str, **changes: Any) -> Case:
    ref = InterfaceRef.typed(device)
    return replace(case, engines={**case.engines, ref: replace(case.engines[ref], **changes)})


def with_way(case: Case, number: int, way: Way | NoWay) -> Case:
    return replace(case, ways={**case.ways, case.stages[number]: way})


def named(found: list[Verdict]) -> set[tuple[str, str]]:
    return {(verdict.hop, str(verdict.reason)) for verdict in found}


def _space(found: Topology, name: str) -> Space:
    space = found.namespaces[name]
    links = {"lo": Link("lo", "lo", True, True, "unknown", 65536)}
    masters = {
        port: bridge
        for bridge, interface in space.interfaces.items()
        if isinstance(interface, model.Bridge)
        for port in interface.ports
    }
    for number, (interface, written) in enumerate(space.interfaces.items()):
        mac = f"02:00:00:{len(name):02x}:{ord(name[-1]):02x}:{number:02x}" if written.kind != "tun" else ""
        peer = written.peer if isinstance(written, model.Veth) else None
        links[interface] = Link(
            interface, written.kind, True, True, "up", written.mtu or 1500, mac, peer=peer,
            master=masters.get(interface, ""), options={"arp": "on", "type bridge_slave state": "3"},
            local=tuple(f"{own.ip}/{own.max_prefixlen}" for own in written.addresses),
        )  # fmt: skip
    addresses = {
        interface: [Address(str(own.ip), own.network.prefixlen) for own in written.addresses]
        for interface, written in space.interfaces.items()
    }
    readers = {end.device.interface: [Program(PID, "ttun", "sleeping")] for end in found.ttun if end.device[0] == name}
    sockets = [
        Socket("udp", "unconnected", end.bind.host, end.bind.port, ANY, 0, "", number, 0, 0, 0, 0, 0, False)
        for number, end in enumerate(found.ttun)
        if end.device.namespace == name
    ]
    owners = {each.inode: [Program(PID, "ttun", "sleeping")] for each in sockets}
    routes = [route_of(written) for written in space.routes]
    return Space(links=links, addresses=addresses, routes=routes, readers=readers, sockets=sockets, owners=owners)


def _counted() -> dict[str, int]:
    names = ("tun_read_packets", "udp_sent_packets", "udp_received_packets", "tun_written_packets")
    return dict.fromkeys(names, 1)


def _way(stage: Stage) -> Way:
    source = str(stage.flow.source) if stage.flow.source else None
    if stage.kind is Kind.DELIVER or stage.leaves == "lo":
        return Way("lo", None, source, True)
    return Way(stage.leaves, str(stage.via) if stage.via else None, source, False)


def _journey(case: Case, stages: list[Stage], kind: int) -> Journey | None:
    seen = [_sighting(case, stage, kind, at) for at, stage in enumerate(stages) if _shows(stage)]
    return Journey(seen[0].layers[-1], tuple(seen)) if seen else None


def _shows(stage: Stage) -> bool:
    return stage.is_on_the_wire and bool(stage.ref.interface)


def _sighting(case: Case, stage: Stage, kind: int, at: int) -> Sighting:
    inside = next(each for each in case.stages if each.depth == 0 and each.back is stage.back)
    whole = inside if stage.depth else stage
    source = (whole.sent or whole.flow).source
    inner = _packet(str(source), str(whole.flow.to), Icmp(kind, 0, "echo", (1, 1)))
    packet = inner
    for _ in range(stage.depth):
        packet = replace(_packet(str(stage.flow.source), str(stage.flow.to), None), inside=(packet,))
    station = Station(stage.namespace, stage.ref.interface, stage.outgoing)
    type_ = PacketType.OUTGOING if stage.outgoing else PacketType.HOST
    raw = Seen(at, stage.namespace, stage.ref.interface, type_, True, 84, b"")
    return Sighting(station, at, type_, Frame("", "", (), 0x0800, packet, b""), raw)


def _packet(source: str, destination: str, transport: Icmp | None) -> Packet:
    return Packet(4, source, destination, 1, 64, 1, True, 0, False, 84, transport, b"", 56)
