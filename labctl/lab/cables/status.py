"""How an end of a cable is, in numbers and in words, and what is in the way of one without a carrier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labctl.engine.cable.counters import words_for


@dataclass(frozen=True)
class CableStatus:
    """One end of a cable: whether its engine runs, as which PID, and how the cable is, seen from here."""

    device: str
    cable: str  # its name, the same at both ends
    to: str  # the device at the other end
    host: str  # and its host
    running: bool
    pid: int
    port: int  # of the UDP socket on this host
    peer: str | None  # the address and port of the other end, once they are joined
    state: str  # of labctl.engine.cable.line.State, in lower case; empty where it is not known
    path_mtu: int  # of the way between the hosts, 0 before it is known
    carried: int  # the largest packet, in bytes, that travels in one datagram; larger ones take several
    counters: dict[str, int]
    offload: tuple[str, ...]

    @property
    def is_up(self) -> bool:
        """Return whether it has a carrier."""
        return self.state == "up"

    def __str__(self) -> str:
        """Return how the cable is, and what is in the way of one that does not carry."""
        return _told(self)


def _told(end: CableStatus) -> str:
    """Return how an end is, and of one that does not carry what is known of the reason."""
    if not end.running:
        return "its engine has ended: labctl up starts it again"
    peer = f"{end.host} ({end.peer})"
    match end.state:
        case "unplugged":
            return f"waits at UDP port {end.port} to be joined with {end.host}: labctl up joins it"
        case "up":
            several = f"packets over {end.carried} bytes travel in several datagrams"
            return f"joined with {peer}; path MTU {end.path_mtu}: {several}"
        case "peer_down":
            return f"joined with {peer}, where {end.to} is down"
        case "only_in":
            return f"hears {peer}, but what is sent to that port does not arrive there"
        case "too_small":
            return f"joined with {peer}, but only small datagrams arrive there"
        case "nothing_in":
            return "; ".join([f"nothing comes from {peer} to UDP port {end.port}", *_but(end)])
    return "does not show how it is"


def _but(end: CableStatus) -> Iterator[str]:
    """Yield what came in place of the datagrams that are missing."""
    for name in ("in_not_authentic", "in_not_from_peer"):
        if number := end.counters.get(name):
            yield f"but {words_for(name, number)}"
