"""What to try next once a lab is up, with the names of this very lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.topology.model import Topology


def hints(topology: Topology, several: bool) -> list[tuple[str, str]]:
    """Return commands, each with what it is for; where `several` labs run, every command says which is meant."""
    space, which = next(iter(topology.namespaces)), f" -l {topology.name}" if several else ""
    found = [(f"labctl status{which}", "interfaces, addresses, engines and their counters")]
    if topology.checks:
        checks = "1 check" if len(topology.checks) == 1 else f"{len(topology.checks)} checks"
        found.insert(0, (f"labctl verify{which}", f"prove it: {checks}, with packet counts"))
    crossing = (check.ping for check in topology.checks if check.ping and check.crosses and check.expect != "no-reply")
    if ping := next(crossing, None):
        found.append((f"labctl exec{which} {ping.from_} -- ping {ping.to}", "try it by hand"))
    found.append((f"labctl shell{which} {space}", f"a shell in {space}"))
    found.append((f"labctl down{which}", "leaves no trace"))
    return found
