"""A lab over hosts as one: what each host has of it, put together.

The namespaces are a partition over the hosts, so what is known of one comes from its own host. What is said of the
lab as a whole, that it is up, or how it differs from its file, is said only where every host has told it; of a host
that is lost nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from labctl.live.events import Event, HostEvent, LabEvent
from labctl.live.readings import Difference, Spread
from labctl.live.state import HostState, LabState, Phase, Space


def spread(state: LabState, over: Spread) -> LabState:
    """Return a lab once it is known over which hosts it is; what was known of each of them stays."""
    hosts = {
        host: replace(state.hosts.get(host) or HostState(host, (), LabState(state.lab)), namespaces=names)
        for host, names in over.hosts.items()
    }
    return replace(state, hosts=hosts, file=over.file, complete=over.complete)


def merged(lab: LabState) -> LabState:
    """Return a lab over hosts with all that its hosts have told."""
    shares = [known.share for known in lab.hosts.values() if known.told]
    overruns, phase = sum(known.share.overruns for known in lab.hosts.values()), _phase(lab)
    if phase == "down":
        nothing = LabState(lab.lab, file=lab.file, topology=lab.topology, overruns=overruns, at=lab.at)
        return replace(nothing, hosts=lab.hosts, complete=lab.complete)
    return replace(
        lab,
        phase=phase,
        mode="/".join(sorted({share.mode for share in shares if share.mode})),
        spaces={space.name: space for known in lab.hosts.values() for space in _spaces(known, lab.complete)},
        engines={ref: engine for share in shares for ref, engine in share.engines.items()},
        programs={ref: program for share in shares for ref, program in share.programs.items()},
        impairments={ref: ways for share in shares for ref, ways in share.impairments.items()},
        drift=_drift(lab.hosts.values()),
        challenge=max((share.challenge for share in shares), default=0.0),
        overruns=overruns,
    )


def between_hosts(before: LabState, after: LabState) -> Iterator[Event]:
    """Yield what happened to hosts, and to the lab as a whole."""
    for host, now in after.hosts.items():
        was = before.hosts.get(host)
        if now.lost and not (was and was.lost):
            yield HostEvent("lost", host, now.lost)
        elif was and was.lost and now.told:
            yield HostEvent("reached", host)
        elif was and was.told and was.share.phase != now.share.phase != "mixed" and after.phase == "mixed":
            yield HostEvent(now.share.phase, host)
    if after.phase != before.phase and after.phase != "mixed":
        yield LabEvent(after.phase, after.mode, after.file)


def _phase(lab: LabState) -> Phase:
    """Return how a lab over hosts is; as before while it is awaited what one of them tells."""
    known = lab.hosts.values()
    if not lab.complete:
        return "begun"
    if any(not host.told and not host.lost for host in known):
        return lab.phase
    phases = {host.share.phase for host in known if host.told}
    if lab.lost:
        return "mixed"
    return phases.pop() if len(phases) == 1 else "begun" if "begun" in phases else "mixed"


def _spaces(known: HostState, complete: bool) -> Iterator[Space]:
    """Yield the namespaces of a host: not seen where it is lost, gone where a lab that is complete has them not."""
    is_gone = complete and known.told and known.share.phase != "begun"
    missing = Space("", seen=True, there=False) if is_gone else Space("")
    there = known.share.spaces if known.told else {}
    for name in known.namespaces:
        yield there.get(name) or replace(missing, name=name)


def _drift(hosts: Iterable[HostState]) -> tuple[Difference, ...] | None:
    """Return how a lab differs from its file; None where that is not known of one of its hosts."""
    found: list[Difference] = []
    for known in hosts:
        if not known.told or known.share.drift is None:
            return None
        found += known.share.drift
    return tuple(found)
