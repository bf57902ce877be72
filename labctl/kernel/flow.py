"""What of a packet decides its way: the headers that rules, routes, firewalls and sockets look at."""

from __future__ import annotations

from dataclasses import replace

from labctl.frozen import frozen
from labctl.topology.values import Host


@frozen
class Flow:
    """The packets from one end to another, as long as they are answered the other way round.

    The source is None where the kernel has yet to choose it. The protocol is a name of `topology.iproute.IP_PROTOCOLS`,
    or empty for packets of any; ports are 0 where there are none. `bound_to` is the interface that its socket is bound
    to, if any (SO_BINDTODEVICE), and `user` the number of the socket's owner, None where that is not known.
    """

    to: Host
    source: Host | None = None
    protocol: str = ""
    sport: int = 0
    dport: int = 0
    mark: int = 0
    bound_to: str = ""
    user: int | None = None

    @property
    def answer(self) -> Flow:
        """The flow of the replies. Raise ValueError where the source is not chosen yet."""
        if self.source is None:
            raise ValueError("packets without a source have no answer")
        return replace(
            self, to=self.source, source=self.to, sport=self.dport, dport=self.sport, mark=0, bound_to="", user=None
        )
