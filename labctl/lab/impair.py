"""Impairments of a running lab, changed and shown: those of an engine, and netem of a veth."""

from __future__ import annotations

from contextlib import closing

from labctl.engine.packets.impairment import Impairment
from labctl.errors import UsageError
from labctl.lab.engines import control
from labctl.lab.engines.control import Changes
from labctl.lab.state import State, existing
from labctl.plan.facts import Link
from labctl.topology.mistakes import nearest

_AS_NETEM = "as tc netem writes it: --delay 50ms --loss 10% --rate 10mbit"


def impair(lab: str, device: str, changes: Changes) -> dict[str, Impairment]:
    """Change what packets of an endpoint or a veth suffer; gives what is in force, by direction. No changes: only ask.

    Raises UsageError for a wrong wish or a device that cannot, KernelRefused where the engine is silent or the kernel
    does not want to.
    """
    state = existing(lab)
    known = state.read().engines
    try:
        if device in known:
            return control.impair(device, state, changes)
        cables = _cables(state, device.partition(":")[0])
        if device in cables:
            return _of_veth(device, cables[device], state, changes)
    except ValueError as error:
        raise UsageError(str(error), "", _AS_NETEM) from None
    able = [*known, *cables]
    near = nearest(device, able)
    raise UsageError(
        f"lab {lab} has neither an engine nor a veth {device!r}",
        f"it has: {', '.join(able) or 'none'}",
        f"did you mean {near!r}?" if near else "",
    )


def _cables(state: State, namespace: str) -> dict[str, Link]:
    """The veths of a namespace of a lab."""
    from labctl.kernel.observe import observe

    there = observe(namespace) if namespace in state.read().namespaces else None
    links = there.links if there else {}
    return {f"{namespace}:{name}": link for name, link in links.items() if link.kind == "veth"}


def _of_veth(device: str, link: Link, state: State, changes: Changes) -> dict[str, Impairment]:
    from labctl.kernel.perform import Performer
    from labctl.plan.netem import as_kept
    from labctl.plan.steps import ClearNetem, SetNetem

    if changes.get("in"):
        raise UsageError(f"{device} impairs what it sends, not what comes in", "", "impair the other end of the cable")
    current = Impairment.from_text(link.netem or "none")
    if "out" in changes:
        change = changes["out"]
        if change and "seed" in change:
            raise ValueError("netem does not support seed: leave it out for a veth")
        wanted = as_kept(str(Impairment() if change is None else current.merged(change)))
        namespace, _, interface = device.partition(":")
        recorded = state.read()
        with closing(Performer(recorded.mark, recorded.namespaces, state.record_namespace)) as performer:
            if wanted:
                performer.perform(SetNetem(namespace, interface, wanted))
            elif link.netem:
                performer.perform(ClearNetem(namespace, interface, link.netem))
        current = Impairment.from_text(wanted or "none")
    return {"out": current}
