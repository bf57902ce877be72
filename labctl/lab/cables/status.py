"""How an end of a cable is, in numbers and in words, and what is in the way of one without a carrier."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from labctl.engine.cable.counters import words_for
from labctl.frozen import frozen
from labctl.lab.cables.joining import Seen


@frozen
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
    state: str  # of labctl.engine.cable.line.State, in lower case; empty where the engine does not run
    path_mtu: int  # of the way between the hosts, 0 before it is known
    carried: int  # the largest packet, in bytes, that travels in one datagram; larger ones take several
    counters: dict[str, int]
    offload: tuple[str, ...]
    stopped: bool = False  # the engine runs, but for SIGSTOP

    @property
    def is_up(self) -> bool:
        """Return whether it has a carrier."""
        return self.state == "up"

    @property
    def settled(self) -> bool:
        """Return whether it has a carrier, and the path MTU is known exactly."""
        return self.is_up and not self.counters.get("searching")

    def seen(self) -> Seen:
        """Return what it shows of the cable."""
        but = instead(self.counters, self.host)
        return Seen(self.state, self.port, self.path_mtu, self.carried, but, refused(self.counters))

    def __str__(self) -> str:
        """Return how the cable is, and what is in the way of one that does not carry."""
        return _told(self)


def _told(end: CableStatus) -> str:
    """Return how an end is, and of one that does not carry what is known of the reason."""
    if not end.running:
        return "its engine has ended: labctl up starts it again"
    if end.stopped:
        return "its engine is stopped (SIGSTOP): labctl up starts it again"
    peer = f"{end.host} ({end.peer})"
    unsent = f"; this host does not send: {words}" if (words := refused(end.counters)) else ""
    match end.state:
        case "unplugged":
            return f"waits at UDP port {end.port} to be joined with {end.host}: labctl up joins it"
        case "up":
            several = f"packets over {end.carried} bytes travel in several datagrams"
            return f"joined with {peer}; path MTU {end.path_mtu}: {several}"
        case "peer_down":
            return f"joined with {peer}, where {end.to} is down"
        case "only_in":
            return f"hears {peer}, which does not hear this end{unsent}"
        case "too_small":
            return f"joined with {peer}, but only small datagrams arrive there"
        case "nothing_in":
            but = f", but {words}" if (words := instead(end.counters, end.host)) else ""
            return f"nothing comes from {peer} to UDP port {end.port}{but}{unsent}"
    return "does not show how it is"


def instead(counters: Mapping[str, int], host: str) -> str:
    """Return what has come since nothing comes of the other end, which is on `host`; nothing where nothing has."""
    return " and ".join(_instead(counters, host))


def _instead(counters: Mapping[str, int], host: str) -> Iterator[str]:
    if number := counters.get("instead_not_authentic"):
        yield words_for("in_not_authentic", number)
    if number := counters.get("instead_not_from_peer"):
        port = counters.get("instead_from_port")
        yield words_for("in_not_from_peer", number) + (f", from port {port} of {host}" if port else "")


def refused(counters: Mapping[str, int]) -> str:
    """Return why the kernel refuses to send what this end sends, in its words; nothing where it does not."""
    number = counters.get("send_errno")
    return os.strerror(number) if number else ""
