"""The lines of a picture along which packets move: cables, and the tunnels around them, with their names in the SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.frozen import frozen
from labctl.report.graph.model import Picture
from labctl.topology.interface_ref import InterfaceRef


@frozen
class Way:
    """One direction of a line: `back` where it is against that of the path."""

    line: str
    to: InterfaceRef
    back: bool = False


@frozen
class Lines:
    """The ways that begin at the end of a cable, and those that begin at a TUN device."""

    cables: Mapping[InterfaceRef, Way]
    tunnels: Mapping[InterfaceRef, Way]

    @classmethod
    def of(cls, picture: Picture) -> Lines:
        """Return the lines of a picture."""
        return cls(dict(_cables(picture)), dict(_tunnels(picture)))


def _cables(picture: Picture) -> Iterator[tuple[InterfaceRef, Way]]:
    for cable in picture.cables:
        line = f"link-{cable.one}"
        yield cable.one, Way(line, cable.other)
        yield cable.other, Way(line, cable.one, back=True)


def _tunnels(picture: Picture) -> Iterator[tuple[InterfaceRef, Way]]:
    for tunnel in picture.tunnels:
        if tunnel.far is not None:
            line = f"tun-{tunnel.device}"
            yield tunnel.device, Way(line, tunnel.far)
            if tunnel.both:
                yield tunnel.far, Way(line, tunnel.device, back=True)
