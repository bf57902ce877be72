"""Impairments of a running lab, changed and shown: those of an engine, and netem of a veth or a TAP device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from labctl.engine.packets.impairment import Impairment
from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.lab.engines import control
from labctl.lab.engines.control import Changes
from labctl.lab.names import meant, unknown
from labctl.lab.state import State, existing
from labctl.plan.engine_spec import NO_IMPAIRMENT
from labctl.plan.facts import Link
from labctl.topology.interface_ref import InterfaceRef

_AS_NETEM = "as tc netem writes it: --delay 50ms --loss 10% --rate 10mbit"


@frozen
class InForce:
    """The impairments of a tunnel endpoint, a veth or a TAP device, by direction."""

    lab: str
    device: str
    by_direction: Mapping[str, Impairment]

    def __str__(self) -> str:
        return "\n".join(f"{self.device} {way}: {shown}" for way, shown in self.by_direction.items())


def impair(lab: str, device: str, changes: Changes) -> InForce:
    """Change what packets of an endpoint, a veth or a TAP device suffer, and return what is in force after that.

    Raise UsageError for a value that is wrong or that the device does not support, KernelRefused where the engine does
    not answer or the kernel refuses.
    """
    state = existing(lab)
    known = {str(ref): ref for ref in state.read().engines}
    try:
        if engine := meant(lab, device, known):
            return InForce(lab, engine, control.impair(known[engine], state, changes))
        links = _links(state, InterfaceRef.typed(device).namespace)
        if link := meant(lab, device, links):
            return InForce(lab, link, _of_link(*links[link], state, changes))
    except ValueError as error:
        raise UsageError(str(error), "", _AS_NETEM) from None
    raise unknown(lab, device, [*known, *links], "neither an engine nor a veth")


def _links(state: State, typed: str) -> dict[str, tuple[InterfaceRef, Link]]:
    """Return the veths and TAP devices of the namespace of a lab that is meant, by name."""
    from labctl.kernel.observe import observe

    namespace = meant(state.lab, typed, state.read().namespaces)
    there = observe(namespace) if namespace else None
    if namespace is None or there is None:
        return {}
    links = ((InterfaceRef(namespace, name), link) for name, link in there.links.items())
    return {str(ref): (ref, link) for ref, link in links if link.kind in ("veth", "tap")}


def _of_link(ref: InterfaceRef, link: Link, state: State, changes: Changes) -> dict[str, Impairment]:
    from labctl.kernel.perform import Performer
    from labctl.plan.netem import as_kept
    from labctl.plan.steps import ClearNetem, SetNetem

    if changes.get("in"):
        raise UsageError(f"{ref} impairs what it sends, not what comes in", "", "impair the other end of the cable")
    current = link.netem or NO_IMPAIRMENT
    if "out" in changes:
        change = changes["out"]
        if change and change.get("seed") is not None:
            raise ValueError("netem does not support seed")
        wanted = as_kept(NO_IMPAIRMENT if change is None else current.merged(change))
        recorded = state.read()
        with closing(Performer(recorded.mark, recorded.namespaces, state.record_namespace)) as performer:
            if wanted:
                performer.perform(SetNetem(*ref, wanted))
            elif link.netem is not None:
                performer.perform(ClearNetem(*ref, link.netem))
        current = wanted or NO_IMPAIRMENT
    return {"out": current}
