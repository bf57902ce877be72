"""How an end of a cable is, in words, and what is in the way of one without a carrier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labctl.engine.cable.counters import words_for

if TYPE_CHECKING:
    from labctl.lab.cables.ends import CableStatus


def told(end: CableStatus) -> str:
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
