"""A picture as SVG 1.1, whole in itself: no script, no font, no request to anywhere.

What it shows has stable names, so that a page can colour it and let things move along its lines: `ns-NAMESPACE`,
`if-NAMESPACE:INTERFACE` and `engine-NAMESPACE:DEVICE` are groups, `link-NAMESPACE:INTERFACE` (the end that stands first
in the file) and `tun-NAMESPACE:DEVICE` are paths, with both ends in `data-from` and `data-to`; what is inside of the
wall of a tunnel is `bore-NAMESPACE:DEVICE`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from html import escape

from labctl.report.graph.cards import HEAD, INDENT, PILL, SMALL, Row, indent, width
from labctl.report.graph.layout import MARGIN, Layout, layout
from labctl.report.graph.legend import legend
from labctl.report.graph.legs import MOST_APART, legs_of, shared
from labctl.report.graph.model import Engine, Picture
from labctl.report.graph.part import Box
from labctl.report.graph.paths import middle, written
from labctl.report.graph.pipes import BORES, outside
from labctl.report.graph.style import style
from labctl.report.graph.words import cable_words, sentences, summary, tunnel_words

_NARROWEST = 460
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(picture: Picture) -> str:
    """Return the picture as SVG."""
    return drawn(picture).text(f"<style>{style()}</style>\n")


def svg_without_style(picture: Picture) -> str:
    """Return the picture as SVG for a page that has its style sheet already."""
    return drawn(picture).text("")


def drawn(picture: Picture) -> Drawing:
    """Return the drawing of a picture, which knows its size."""
    return Drawing(layout(picture))


def text(words: str) -> str:
    """Return words as text or as an attribute of XML and HTML."""
    return escape(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", words))


class Drawing:
    """A picture on its canvas, `width` and `height` pixels large, with its heading and its legend."""

    def __init__(self, drawn: Layout) -> None:
        self._drawn, self._picture = drawn, drawn.picture
        self.width = max(round(drawn.width), _NARROWEST)
        self._left = (self.width - round(drawn.width)) / 2
        self._head = list(self._heading())
        self._top = 30 + 22 * len(self._head)
        self._ranks = {
            device: pipe.rank for pipe in drawn.pipes for device in (pipe.tunnel.device, pipe.tunnel.far) if device
        }
        self._legend = list(legend(self._picture, self.width - 2 * MARGIN))
        foot = 26 * len(self._legend) + 6 if self._legend else 0
        self.height = round(drawn.height + self._top + foot)

    def text(self, style_sheet: str) -> str:
        """Return it as SVG, with a style sheet in it where that is not empty."""
        return "\n".join(self._elements(style_sheet)) + "\n"

    def _elements(self, style_sheet: str) -> Iterator[str]:
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="lab" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" role="img" aria-labelledby="lab-title lab-desc">'
        )
        yield f'<title id="lab-title">{text(self._picture.lab)}: {text(summary(self._picture))}</title>'
        yield f'<desc id="lab-desc">{text(" ".join(sentences(self._picture)))}</desc>'
        yield f'{style_sheet}<rect class="paper" width="{self.width}" height="{self.height}"/>'
        yield from self._head
        yield f'<g transform="translate({self._left:.1f} {self._top})">'
        for box in self._drawn.boxes:
            yield from _card(box)
        yield from self._pipes()
        yield from self._cables()
        for box in self._drawn.boxes:
            yield from _brackets(box)
            for row in box.card.rows:
                yield from self._row(box, row)
        yield "</g>"
        for number, line in enumerate(self._legend):
            y = self._drawn.height + self._top + 26 * number
            yield f'<g class="legend" transform="translate({MARGIN} {y:.1f})">'
            yield from line
            yield "</g>"
        yield "</svg>"

    def _heading(self) -> Iterator[str]:
        picture = self._picture
        yield f'<text class="heading" x="{MARGIN}" y="40">{text(picture.lab)}</text>'
        longest = int((self.width - 2 * MARGIN) / 7.6)
        lines = textwrap.wrap(picture.description, longest, max_lines=2, placeholder=" …")
        for number, line in enumerate(lines):
            yield f'<text class="description" x="{MARGIN}" y="{62 + 20 * number}">{text(line)}</text>'
        if picture.state:
            differs = " differs" if "differs" in picture.state else ""
            y = 64 + 20 * len(lines)
            yield f'<text class="state{differs}" x="{MARGIN}" y="{y}">{text(picture.state)}</text>'

    def _pipes(self) -> Iterator[str]:
        """Yield the pipes, the widest first: those within stand out, and those of one rank run into each other."""
        for rank in sorted({pipe.rank for pipe in self._drawn.pipes}, reverse=True):
            pipes = [pipe for pipe in self._drawn.pipes if pipe.rank == rank]
            yield "<g>"
            for pipe in pipes:
                tunnel = pipe.tunnel
                far = str(tunnel.far or "")
                yield (
                    f'<path id="tun-{text(str(tunnel.device))}" class="wall rank{rank}{_dead(pipe.tunnel.dead)}" '
                    f'data-from="{text(str(tunnel.device))}" data-to="{text(far)}" '
                    f'stroke-width="{outside(rank)}" d="{written(pipe.path)}">'
                    f"<title>tunnel {text(tunnel_words(tunnel))}</title></path>"
                )
            for pipe in pipes:
                yield (
                    f'<path id="bore-{text(str(pipe.tunnel.device))}" class="bore rank{rank}{_dead(pipe.tunnel.dead)}" '
                    f'stroke-width="{BORES[rank]}" d="{written(pipe.path)}"/>'
                )
            yield "</g>"

    def _cables(self) -> Iterator[str]:
        for cable, path in self._drawn.cables.items():
            yield (
                f'<path id="link-{text(str(cable.one))}" class="cable{_dead(cable.dead)}" '
                f'data-from="{text(str(cable.one))}" data-to="{text(str(cable.other))}" d="{written(path)}">'
                f"<title>cable {text(cable_words(cable))}</title></path>"
            )
        carried = shared(legs_of(self._picture))
        for cable, path in self._drawn.cables.items():
            number = carried.get(frozenset(cable.ends), 0)
            if number > MOST_APART:
                at, words = middle(path), f"{number} tunnels"
                wide = width(words, SMALL) + 16
                yield (
                    f'<rect class="badge" x="{at.x - wide / 2:.1f}" y="{at.y - 9:.1f}" width="{wide:.1f}" height="18" '
                    f'rx="9"/><text class="count" x="{at.x:.1f}" y="{at.y + 4:.1f}">{words}</text>'
                )

    def _row(self, box: Box, row: Row) -> Iterator[str]:
        interface, left, top = row.interface, box.text + indent(row), box.y
        kinds, addresses = box.card.columns
        wrong = " wrong" if interface.faults else ""
        name = text(str(row.ref))
        yield (
            f'<g id="if-{name}" class="if {text(interface.kind)}{wrong}" data-interface="{name}" '
            f'data-namespace="{text(row.ref.namespace)}">'
        )
        for line in row.lines:
            base = top + line.middle + 4
            if line.kind == "interface":
                if port := self._drawn.ports.get(row.ref):
                    start = box.text - 5 if port.side == "left" else box.end + 5
                    yield f'<path class="lead" d="M{start:.1f},{port.at.y:.1f}H{port.at.x:.1f}"/>'
                    yield f'<circle class="port" cx="{port.at.x:.1f}" cy="{port.at.y:.1f}" r="4.5"/>'
                yield _text("name", left, base, row.ref.interface)
                yield _text("kind", box.text + kinds, base, interface.kind)
            if line.kind in ("interface", "address") and line.text:
                yield _text("address", box.text + addresses, base, line.text)
            elif line.kind in ("impaired", "fault", "program"):
                yield _text(line.kind, left + INDENT, base, line.text)
        if interface.engine:
            yield from self._engine(box, row, interface.engine)
        yield "</g>"

    def _engine(self, box: Box, row: Row, engine: Engine) -> Iterator[str]:
        lines = [line for line in row.lines if line.kind == "engine"]
        top, high = box.y + lines[0].top + 1, sum(line.height for line in lines) - 2
        rank = f" rank{self._ranks[row.ref]}" if row.ref in self._ranks else ""
        dead = " dead" if engine.dead else " wrong" if engine.faults else ""
        yield f'<g id="engine-{text(str(row.ref))}" class="engine{rank}{dead}">'
        yield (
            f'<rect class="pill" x="{box.text:.1f}" y="{top:.1f}" width="{box.end - box.text:.1f}" '
            f'height="{high}" rx="{min(high / 2, 9):g}"/>'
        )
        for line in lines:
            yield _text("udp", box.text + PILL, box.y + line.middle + 4, line.text)
        yield "</g>"


def _dead(dead: bool) -> str:
    return " dead" if dead else ""


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{text(words)}</text>'


def _card(box: Box) -> Iterator[str]:
    space = box.card.namespace
    name = text(space.name)
    state = " gone" if space.gone else " wrong" if space.faults else ""
    yield f'<g id="ns-{name}" class="ns{state}" data-namespace="{name}">'
    yield (
        f'<rect class="card" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="9"/>'
    )
    yield f'<path class="head" d="M{box.x:.1f},{box.y + HEAD - 8:.1f}h{box.width:.1f}"/>'
    yield _text("title", box.x + 14, box.y + 21, space.name)
    if space.traits:
        x, tag = box.x + box.width - 14, text(", ".join(space.traits))
        yield f'<text class="tag" text-anchor="end" x="{x:.1f}" y="{box.y + 20:.1f}">{tag}</text>'
    for line in box.card.faults:
        yield _text("fault", box.text, box.y + line.middle + 4, line.text)
    yield "</g>"


def _brackets(box: Box) -> Iterator[str]:
    """Yield the lines that hold the ports of a bridge together."""
    for bridge in box.card.rows:
        name = bridge.ref.interface
        ports = [row.lines[0].middle + box.y for row in box.card.rows if row.interface.master == name]
        if ports:
            top = box.y + bridge.lines[-1].top + bridge.lines[-1].height - 2
            turns = "".join(f"M{box.text + 4:.1f},{port:.1f}h{INDENT - 7}" for port in ports)
            yield f'<path class="bracket" d="M{box.text + 4:.1f},{top:.1f}V{max(ports):.1f}{turns}"/>'
