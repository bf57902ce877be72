"""A picture as a Mermaid flowchart, which GitHub and many editors of Markdown draw.

It keeps to what every version of Mermaid knows: subgraphs, nodes and links with quoted text, and linkStyle and style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.report.graph.model import Interface, Namespace, Picture
from labctl.report.graph.words import interface_words
from labctl.topology.interface_ref import InterfaceRef

_RED = "stroke:#b91c1c,stroke-width:2px,stroke-dasharray:5 4"
_ENTITIES = str.maketrans({"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;"})
"""Mermaid's own entities, with # in place of &."""


def mermaid(picture: Picture) -> str:
    """Return the picture as a Mermaid flowchart."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    nodes: dict[InterfaceRef, str] = {}
    red: list[str] = []
    yield "flowchart LR"
    if picture.state:
        yield f"  %% {' '.join(picture.state.split())}"
    for index, (host, spaces) in enumerate(picture.hosts.items()):
        yield from (f"  subgraph h{index}[{_text(host)}]",) if host else ()
        for number, space in spaces:
            box = f"n{number}"
            nodes |= {interface.ref: f"{box}i{place}" for place, interface in enumerate(space.interfaces)}
            yield from _namespace(box, space, nodes)
            red += [box] if space.faults or space.gone else []
            red += [nodes[one.ref] for one in space.interfaces if one.faults or (one.engine and one.engine.faults)]
        yield from ("  end",) if host else ()
    links = [*_bridges(picture, nodes), *_cables(picture, nodes), *_tunnels(picture, nodes)]
    yield from (f"  {link}" for link, _ in links)
    dead = ",".join(str(number) for number, (_, is_dead) in enumerate(links) if is_dead)
    if dead:
        yield f"  linkStyle {dead} {_RED}"
    yield from (f"  style {node} {_RED}" for node in red)


def _namespace(box: str, space: Namespace, nodes: Mapping[InterfaceRef, str]) -> Iterator[str]:
    title = _text(" ".join([space.name, *(f"({words})" for words in space.faults)]))
    if not space.interfaces:
        yield f"  {box}[{title}]"
    else:
        yield f"  subgraph {box}[{title}]"
        yield from (f"    {nodes[interface.ref]}[{_label(interface)}]" for interface in space.interfaces)
        yield "  end"


def _bridges(picture: Picture, nodes: dict[InterfaceRef, str]) -> Iterator[tuple[str, bool]]:
    for interface in picture.interfaces:
        bridge = nodes.get(InterfaceRef(interface.ref.namespace, interface.master))
        if bridge:
            yield f"{bridge} -.- {nodes[interface.ref]}", False


def _cables(picture: Picture, nodes: dict[InterfaceRef, str]) -> Iterator[tuple[str, bool]]:
    for cable in picture.cables:
        yield f"{nodes[cable.one]} --- {nodes[cable.other]}", cable.dead


def _tunnels(picture: Picture, nodes: dict[InterfaceRef, str]) -> Iterator[tuple[str, bool]]:
    for tunnel in picture.tunnels:
        if tunnel.far:
            arrow = "<==>" if tunnel.both else "==>"
            yield f'{nodes[tunnel.device]} {arrow}|"tunnel"| {nodes[tunnel.far]}', tunnel.dead


def _label(interface: Interface) -> str:
    return _text("\n".join((interface.ref.interface, *interface_words(interface))))


def _text(words: str) -> str:
    lines = (" ".join(line.split()).translate(_ENTITIES) for line in words.split("\n"))
    return f'"{"<br/>".join(filter(None, lines))}"'
