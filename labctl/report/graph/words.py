"""What a picture says, in words: for who cannot see it, and for tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labctl.report.graph.model import Cable, Interface, Namespace, Picture, Tunnel


def summary(picture: Picture) -> str:
    """Return how much there is, and how a running lab compares with its file."""
    counts = (
        (len(picture.namespaces), "namespace"),
        (len(picture.cables), "cable"),
        (len(picture.tunnels), "tunnel"),
    )
    told = ", ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in counts if number or what != "tunnel")
    return f"{told}; {picture.state}" if picture.state else told


def sentences(picture: Picture) -> Iterator[str]:
    """Yield all that a picture says."""
    yield f"Lab {picture.lab}: {summary(picture)}."
    for namespace in picture.namespaces:
        yield f"Namespace {namespace.name}{_of_namespace(namespace)}: {_interfaces(namespace.interfaces)}."
    for cable in picture.cables:
        yield f"Cable {cable_words(cable)}."
    for tunnel in picture.tunnels:
        yield f"Tunnel {tunnel_words(tunnel)}."


def _of_namespace(namespace: Namespace) -> str:
    found = (*namespace.traits, *namespace.faults)
    return f" ({', '.join(found)})" if found else ""


def _interfaces(interfaces: Sequence[Interface]) -> str:
    return "; ".join(" ".join((one.ref.interface, *interface_words(one))) for one in interfaces) or "no interfaces"


def interface_words(interface: Interface) -> Iterator[str]:
    """Yield what is said of an interface, behind its name."""
    port = f", port of {interface.master}" if interface.master else ""
    yield f"{interface.kind}{port}"
    yield from interface.addresses
    if interface.impaired:
        yield f"impaired: {interface.impaired}"
    if engine := interface.engine:
        yield f"engine {engine.bind} to {engine.peer}"
        yield from (engine.program,) if engine.program else ()
        yield from (f"impaired: {words}" for words in engine.impaired)
        yield from engine.faults
    yield from interface.faults


def cable_words(cable: Cable) -> str:
    """Return the ends of a cable."""
    return f"{cable.one} to {cable.other}{', dead' if cable.dead else ''}"


def tunnel_words(tunnel: Tunnel) -> str:
    """Return where a tunnel leads and what carries it."""
    there = f"{'and' if tunnel.both else 'to'} {tunnel.far}" if tunnel.far else "to no TUN device of the lab"
    carried = f", carried by {', '.join(map(str, tunnel.way))}" if tunnel.way else ""
    return f"{tunnel.device} {there}{carried}{', dead' if tunnel.dead else ''}"


def faults(picture: Picture) -> Iterator[tuple[str, str]]:
    """Yield what differs from the file or is dead: where, and what."""
    for namespace in picture.namespaces:
        yield from ((namespace.name, words) for words in namespace.faults)
    for interface in picture.interfaces:
        engine = interface.engine.faults if interface.engine else ()
        yield from ((str(interface.ref), words) for words in interface.faults)
        yield from ((str(interface.ref), f"engine {words}") for words in engine)
