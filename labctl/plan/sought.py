"""What has to be looked at in a namespace, because its topology says something of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from labctl.frozen import frozen
from labctl.plan import settings
from labctl.plan.steps import SetSysctl, Step
from labctl.topology.model import Namespace, Tap, Topology, Tun, Veth


@frozen
class Sought:
    """What to look at in one namespace beside what every namespace has."""

    settings: tuple[str, ...] = ()  # by their path below /proc/sys
    peers: tuple[str, ...] = ()  # the namespaces into which its cables lead
    owners: Mapping[str, str] = field(default_factory=dict)  # of its devices, as the file spells them


def sought(topology: Topology, steps: Iterable[Step]) -> dict[str, Sought]:
    """Return what to look at in each namespace of a topology whose steps are these."""
    paths = {name: list(settings.kept(space)) for name, space in topology.namespaces.items()}
    for step in steps:
        if isinstance(step, SetSysctl):
            paths[step.namespace].append(step.path)
    return {
        name: Sought(tuple(paths[name]), _peers(space), _owners(space)) for name, space in topology.namespaces.items()
    }


def _peers(space: Namespace) -> tuple[str, ...]:
    return tuple(each.peer.namespace for each in space.interfaces.values() if isinstance(each, Veth))


def _owners(space: Namespace) -> dict[str, str]:
    asked = ((name, each.owner) for name, each in space.interfaces.items() if isinstance(each, Tun | Tap))
    return {name: owner for name, owner in asked if owner}
