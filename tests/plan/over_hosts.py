"""A lab over several hosts, made of one on one machine."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.topology.model import Topology
from labctl.topology.program_ref import ProgramRef

HOSTS = ("srv1", "srv2", "srv3")


def over_hosts(topology: Topology, place: Mapping[str, str]) -> Topology:
    """The same lab with each namespace in its place."""
    values = topology.written()
    for name, host in place.items():
        values["namespaces"][name]["host"] = host
        for program in values["namespaces"][name].get("programs", ()):  # each waits for those of its own host alone
            waits = [ProgramRef.near(other, name) for other in program.get("after", ())]
            program["after"] = [str(other) for other in waits if place[other.namespace] == host]
    return Topology.read(values | {"hosts": {host: {"ports": "47000-47099"} for host in HOSTS}})
