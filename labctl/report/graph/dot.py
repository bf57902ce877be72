"""A picture in the language of Graphviz (dot, neato, sfdp)."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.report.graph.model import Namespace, Picture
from labctl.report.graph.words import interface_words
from labctl.topology.interface_ref import InterfaceRef

_RED = 'color="#b91c1c", style=dashed'


def dot(picture: Picture) -> str:
    """Return the picture as an undirected graph of Graphviz; a one-way tunnel has an arrow."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield f"graph {_quoted(picture.lab)} {{"
    title = "\n".join(filter(None, (picture.lab, picture.state)))
    yield f"  graph [rankdir=LR, label={_quoted(title)}, labelloc=t, fontname=sans]"
    yield "  node [shape=box, fontname=monospace, fontsize=10]"
    yield "  edge [fontname=sans, fontsize=9]"
    for index, (host, spaces) in enumerate(picture.hosts.items()):
        if host:
            yield f"  subgraph cluster_host{index} {{"
            yield f"    graph [label={_quoted(host)}, style=dotted]"
        for number, space in spaces:
            yield from _namespace(number, space)
        yield from ("  }",) if host else ()
    known = {interface.ref for interface in picture.interfaces}
    for interface in picture.interfaces:
        bridge = InterfaceRef(interface.ref.namespace, interface.master)
        if bridge in known:
            yield f"  {_node(bridge)} -- {_node(interface.ref)} [style=dotted]"
    for cable in picture.cables:
        yield f"  {_node(cable.one)} -- {_node(cable.other)} [{_RED if cable.dead else 'penwidth=2'}]"
    for tunnel in picture.tunnels:
        if tunnel.far:
            arrow = "none" if tunnel.both else "forward"
            looks = _RED if tunnel.dead else 'color="#0f8f83"'
            yield f"  {_node(tunnel.device)} -- {_node(tunnel.far)} [label=tunnel, penwidth=5, dir={arrow}, {looks}]"
    yield "}"


def _namespace(number: int, space: Namespace) -> Iterator[str]:
    title = "\n".join((space.name, *space.faults))
    yield f"  subgraph cluster_{number} {{"
    yield f"    graph [label={_quoted(title)}, {_RED if space.faults else 'style=rounded'}]"
    for interface in space.interfaces:
        words = "\n".join((interface.ref.interface, *interface_words(interface)))
        wrong = interface.faults or (interface.engine and interface.engine.faults)
        looks = f", {_RED}" if wrong else ""
        yield f"    {_node(interface.ref)} [label={_quoted(words)}{looks}]"
    if not space.interfaces:
        yield f"    {_quoted(space.name)} [style=invis, label={_quoted('')}]"
    yield "  }"


def _node(ref: InterfaceRef) -> str:
    return _quoted(str(ref))


def _quoted(words: str) -> str:
    """Return a quoted identifier, in which a line ends with \\n."""
    escaped = words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{"".join(letter for letter in escaped if letter.isprintable())}"'
