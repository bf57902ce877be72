"""Pictures of a topology and of a running lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from labctl.api.sources import routed_of
from labctl.report.graph.languages import LANGUAGES
from labctl.report.graph.model import Picture
from labctl.report.graph.of_status import of_status
from labctl.report.graph.of_topology import of_topology

if TYPE_CHECKING:
    from labctl.lab.status import Status
    from labctl.topology.model import Topology

__all__ = ["LANGUAGES", "Language", "picture_of", "picture_of_running"]

Language = Literal["mermaid", "dot", "svg", "html"]


def picture_of(source: str | Topology, inventory: str | None = None) -> Picture:
    """Return the picture of a topology. Raise UsageError where it is wrong or not there."""
    return of_topology(routed_of(source, inventory=inventory).topology)


def picture_of_running(found: Status) -> Picture:
    """Return the picture of a lab as it runs, with what is dead or differs from its file in red."""
    return of_status(of_topology(found.topology) if found.topology else Picture(found.lab), found)
