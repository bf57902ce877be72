"""Which lab is meant: by its file, by its name, or because there is only one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.errors import UsageError

if TYPE_CHECKING:
    from labctl.kernel.room import Place
    from labctl.topology.model import Topology


def topology_of(file: str, name: str | None = None) -> Topology:
    from labctl.topology.load import load
    from labctl.topology.rename import renamed
    from labctl.topology.shipped import find

    topology = load(find(file))
    return renamed(topology, name) if name is not None else topology


def places_of_mine() -> dict[str, Place]:
    """Every lab of this user, with the place where it lives."""
    from labctl.kernel.room import places
    from labctl.lab.state import recorded_labs

    return {name: place for place in places() for name in ([place.lab] if place.lab else place.call(recorded_labs))}


def running_lab(lab: str | None) -> tuple[Place, str]:
    """The lab that is meant, and its place. Raises UsageError where that is none or not clear."""
    from labctl.kernel.room import refuse_elsewhere

    running = places_of_mine()
    if lab is None and len(running) == 1:
        lab = next(iter(running))
    if lab is None:
        raise which_lab(running)
    if lab not in running:
        refuse_elsewhere(lab)
        raise UsageError(
            f"there is no lab named {lab}",
            f"running: {', '.join(running) or 'none'}",
            "labctl up FILE makes one, labctl list shows yours",
        )
    return running[lab], lab


def which_lab(running: dict[str, Place]) -> UsageError:
    if not running:
        return UsageError("no lab is running", "", "make one first, for example: labctl up two-site")
    return UsageError("several labs are running", ", ".join(running), "say which one with -l LAB")
