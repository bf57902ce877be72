"""What a rule finds, and the one thing that most rules ask: is what is named here there?"""

from __future__ import annotations

from typing import NamedTuple

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.paths import Path
from labctl.topology.routing import LOOPBACK
from labctl.topology.unknown_names import did_you_mean


class Finding(NamedTuple):
    """A mistake between values, and the path to the value that a person would change first.

    `absent` are the places where something was looked for in vain. Where the file has something broken in one of
    them, the finding may be a consequence, and is not reported before the cause is mended.
    """

    path: Path
    what: str
    hint: str
    absent: tuple[Path, ...] = ()


def unknown_namespace(topology: Topology, name: str, path: Path) -> Finding | None:
    """Return the finding for a namespace that is not there, None where it is."""
    if name in topology.namespaces:
        return None
    hint = did_you_mean(name, topology.namespaces)
    return Finding(path, f"there is no namespace {name!r}", hint, (("namespaces", name),))


def unknown_interface(topology: Topology, ref: InterfaceRef, path: Path) -> Finding | None:
    """Return the finding for an interface or a namespace that is not there, None where it is."""
    namespace = topology.namespaces.get(ref.namespace)
    if namespace is None:
        return unknown_namespace(topology, ref.namespace, path)
    if ref.interface in namespace.interfaces or ref.interface == LOOPBACK:
        return None
    hint = did_you_mean(ref.interface, namespace.interfaces)
    absent = ("namespaces", ref.namespace, "interfaces", ref.interface)
    return Finding(path, f"the namespace {ref.namespace!r} has no interface {ref.interface!r}", hint, (absent,))


def kind_of(topology: Topology, ref: InterfaceRef) -> str:
    """Return the kind of an interface that is there; every namespace has a `lo`, written or not."""
    interface = topology.namespaces[ref.namespace].interfaces.get(ref.interface)
    return "lo" if interface is None else interface.kind
