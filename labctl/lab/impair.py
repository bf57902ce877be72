"""Impairments of a running lab, changed and shown: those of an engine, and netem of a veth."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from labctl.engine.control import ask
from labctl.engine.impairment import Impairment
from labctl.errors import KernelRefused, UsageError, kernel_words
from labctl.lab.state import State, existing
from labctl.plan.facts import Link
from labctl.topology.mistakes import nearest

Changes = Mapping[str, Mapping[str, object] | None]
"""By direction, out or in, what is to change; None takes every impairment away."""

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
            return of_engine(device, state, changes)
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


def of_engine(device: str, state: State, changes: Changes) -> dict[str, Impairment]:
    """The same for an engine. Raises ValueError for a wrong wish, UsageError where it cannot, KernelRefused."""
    try:
        return ask(state.control_of(device), changes)
    except FileNotFoundError:
        raise UsageError(
            f"the engine of {device} cannot impair", "it is not the built-in one", "leave `engine:` out of the file"
        ) from None
    except OSError as error:
        raise KernelRefused(
            f"the engine of {device} does not answer", kernel_words(error), "labctl status, labctl logs"
        ) from None


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
            raise ValueError("netem of the kernel has its own luck: on a veth no seed can be given")
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
