"""Why a check over hosts has failed, as far as cables show it: one on its way does not carry, and what blocks it.

An end of a cable measures whether its datagrams and those of the other end arrive, all the time; so this is known. What
else may have taken a packet is not asked yet of a lab over hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.path import Paths
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.lab.cables.status import CableStatus
from labctl.topology.cables import Cable, cables_of
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check, Topology

Ends = Mapping[InterfaceRef, tuple[str, CableStatus]]
"""The ends of cables: the host of each, and how it is."""


def causes(topology: Topology, check: Check, ends: Ends) -> list[Verdict]:
    """Return which cables on the way of a check do not carry, and why."""
    paths = Paths(topology)
    asked = asked_of(check, paths)
    if asked is None or not asked.answered:
        return []
    on_the_way = {stage.ref for stage in paths.stages(asked)}
    found = (_of(cable, ends) for cable in cables_of(topology) if on_the_way & {cable.one, cable.other})
    return [verdict for verdict in found if verdict is not None]


def _of(cable: Cable, ends: Ends) -> Verdict | None:
    """Return why a cable does not carry; None where it does, or where neither end shows why."""
    there = {ref: ends[ref] for ref in cable if ref in ends}
    if not there or all(end.is_up for _, end in there.values()):
        return None
    evidence = tuple(Witness(str(ref), f"cable, on {host}", str(end)) for ref, (host, end) in there.items())
    for ref, (host, end) in there.items():
        if not end.running:
            words = f"the engine of the cable has ended on {host}"
            return Verdict(str(ref), Reason.ENGINE_ENDED, words, evidence, "labctl up, with the file of the lab")
    return next(_blocked(there, evidence), None)


def _blocked(there: Ends, evidence: tuple[Witness, ...]) -> Iterator[Verdict]:
    """Yield which way is closed, the surest first."""
    for ref, (host, end) in there.items():
        if end.state == "peer_down":
            yield Verdict(end.to, Reason.LINK_DOWN, f"{end.to} is down, on {end.host}", evidence, "")
        elif end.state == "too_small":
            words = f"only small datagrams from {host} arrive on {end.host}: the MTU of the way between them is smaller"
            yield Verdict(str(ref), Reason.MTU_BLACK_HOLE, words, evidence, "")
    silent = [(ref, host, end) for ref, (host, end) in there.items() if end.state == "nothing_in"]
    if len(silent) == 2:
        ref, host, end = silent[0]
        words = f"nothing arrives between {host} and {end.host}, in either direction"
        ports = " and ".join(f"UDP port {each.port} of {where}" for _, where, each in silent)
        yield Verdict(str(ref), Reason.NO_CARRIER, words, evidence, f"let through what goes to {ports}")
    for ref, host, end in silent:
        words = f"what {end.host} sends to UDP port {end.port} of {host} does not arrive"
        yield Verdict(
            str(ref), Reason.NO_CARRIER, words, evidence, f"let through what goes to UDP port {end.port} of {host}"
        )
