"""What becomes of a packet's addresses where the file translates them, on its way and on that of the answer.

Where a namespace masquerades, the file says how. What a ruleset of the file does only nft(8) can read, so there the
kernel is believed: the connections that it follows have both ends, as they began and as answers are expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from labctl.kernel.conntrack import Connection
from labctl.kernel.flow import Flow
from labctl.topology.values import Host

Followed = Mapping[tuple[str, Host, int], Connection]
"""The connections that are translated, by namespace, and by the address and the port that they began with."""

NONE: Followed = {}
"""No connection is translated, or none is known."""


def followed(found: Iterable[tuple[str, Connection]]) -> Followed:
    """Return those connections that are translated, each given with its namespace."""
    return {(name, each.original.to, each.original.dport): each for name, each in found if each.translated}


class Translations:
    """What was translated on a way so far. Depth is that of tunnels around the packet."""

    def __init__(self, connections: Followed) -> None:
        self._connections = connections
        self._hidden: dict[tuple[int, str, Host], Host] = {}  # who is behind a source
        self._sources: dict[tuple[int, str, Host, int], Host] = {}  # from where packets to some end are sent on
        self._shown: dict[tuple[int, str, Host, int], tuple[Host, int]] = {}  # as which end another one is known

    def coming_in(self, depth: int, namespace: str, flow: Flow) -> Flow:
        """Return a flow as a namespace routes it: with the destination that it gets there."""
        if (behind := self._hidden.get((depth, namespace, flow.to))) is not None:
            return replace(flow, to=behind)
        found = self._connections.get((namespace, flow.to, flow.dport))
        if found is None:
            return flow
        to, port = found.reply.source or flow.to, found.reply.sport
        self._sources[depth, namespace, to, port] = found.reply.to
        if (to, port) != (flow.to, flow.dport):
            self._shown[depth, namespace, to, port] = (flow.to, flow.dport)
        return replace(flow, to=to, dport=port)

    def leaving(self, depth: int, namespace: str, flow: Flow, masqueraded: Host | None) -> Flow | None:
        """Return a flow as it leaves a namespace, None where that does not change it; it may be masqueraded there."""
        if flow.source is None:
            return None
        if shown := self._shown.get((depth, namespace, flow.source, flow.sport)):
            return replace(flow, source=shown[0], sport=shown[1])
        source = self._sources.get((depth, namespace, flow.to, flow.dport), masqueraded)
        if source is None or source == flow.source:
            return None
        self._hidden[depth, namespace, source] = flow.source
        return replace(flow, source=source)
