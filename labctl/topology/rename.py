"""A topology under another name: every namespace gets the name as a prefix, wherever the file names it.

So the same file can be up twice on one machine, and what `ip netns` lists is what labctl says.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from labctl.errors import UsageError
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.routed import Routed
from labctl.topology.values import LONGEST_LAB, LONGEST_NAMESPACE, Mistaken, check_name
from labctl.topology.ways import Way


def given_name(lab: str, namespaces: Collection[str]) -> str:
    """Return the name of a lab where its `up` needs it: all namespaces begin with it, as with `--name`; else empty."""
    return lab if namespaces and all(name.startswith(f"{lab}-") for name in namespaces) else ""


def renamed(routed: Routed, name: str) -> Routed:
    """Return the same as lab `name`, or itself where it is called that. Raise UsageError for a bad name."""
    if name == routed.topology.name:
        return routed

    def moved(ref: InterfaceRef) -> InterfaceRef:
        return ref._replace(namespace=f"{name}-{ref.namespace}")

    ways = {
        moved(device): Way(tuple(map(moved, way.interfaces)), way.end and f"{name}-{way.end}", way.mtu)
        for device, way in routed.ways.items()
    }
    return Routed(_renamed(routed.topology, name), ways, routed.file)


def _renamed(topology: Topology, name: str) -> Topology:
    try:
        check_name(name, "lab", LONGEST_LAB)
        for space in topology.namespaces:
            check_name(f"{name}-{space}", "namespace", LONGEST_NAMESPACE)
    except Mistaken as mistaken:
        raise UsageError(f"--name {name!r}: {mistaken.what}", "", mistaken.hint) from None
    data = topology.written()

    def prefixed(reference: str) -> str:
        return f"{name}-{reference}"

    for space in data["namespaces"].values():
        for interface in space.get("interfaces", {}).values():
            _replace(interface, ("peer",), prefixed)
        for program in space.get("programs", ()):
            program["after"] = [prefixed(other) if ":" in other else other for other in program.get("after", ())]
    for endpoint in data.get("ttun", ()):
        _replace(endpoint, ("device",), prefixed)
    for asked, check in zip(topology.checks, data.get("checks", ()), strict=True):
        _replace(check[asked.kind], tuple(asked.probe.namespaces), prefixed)
        for key in ("crosses", "quiet"):
            check[key] = [prefixed(reference) for reference in check.get(key, ())]
    data["namespaces"] = {prefixed(space): value for space, value in data["namespaces"].items()}
    return Topology.read({**data, "name": name})


def _replace(values: dict[str, Any], keys: tuple[str, ...], prefixed: Any) -> None:
    for key in keys:
        if key in values:
            values[key] = prefixed(values[key])
