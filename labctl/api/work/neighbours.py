"""Work that a host does where interfaces of the lab on other hosts are others now: what was learned of them is old."""

from __future__ import annotations

from collections.abc import Collection

from labctl.api.caller import Caller

LEARNED = ("reachable", "stale", "delay", "probe")
"""States of a neighbour that was asked for, and has answered (RFC 4861, section 7.3.2)."""


def forget(lab: str, addresses: Collection[str], caller: Caller) -> None:
    """Forget the MAC addresses that the namespaces here have learned for some addresses; each is asked for again."""
    from contextlib import closing

    from labctl.kernel.observe import observe
    from labctl.kernel.perform import Performer
    from labctl.lab.own_labs import context_of
    from labctl.lab.state import existing
    from labctl.plan.steps import DeleteNeighbour

    def work() -> None:
        state = existing(lab)
        recorded = state.read()
        with closing(Performer(recorded.mark, recorded.namespaces, state.record_namespace)) as performer:
            for name in recorded.namespaces:
                there = observe(name)
                for interface, link in there.links.items() if there else ():
                    for neighbour in link.neighbours:
                        if neighbour.to in addresses and neighbour.state in LEARNED:
                            performer.perform(DeleteNeighbour(name, interface, neighbour))

    context_of(lab).call(work)
