"""Pictures of a topology and of a running lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from labctl.report.graph.languages import LANGUAGES
from labctl.report.graph.model import Picture
from labctl.report.graph.of_status import of_status
from labctl.report.graph.of_topology import of_topology

if TYPE_CHECKING:
    from labctl.lab.status import Status
    from labctl.topology.model import Topology

Language = Literal["mermaid", "dot", "svg", "html"]


def drawn(topology: Topology, language: Language) -> str:
    """Return the picture of a topology."""
    return LANGUAGES[language](of_topology(topology))


def drawn_running(found: Status, language: Language) -> str:
    """Return the picture of a lab as it runs, with what is dead or differs from its file in red."""
    return LANGUAGES[language](of_status(of_topology(found.topology) if found.topology else Picture(found.lab), found))
