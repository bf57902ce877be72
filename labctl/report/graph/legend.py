"""The legend of a picture: what its lines and colours mean, of those that it has."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.report.graph.model import Picture
from labctl.report.graph.pipes import BORES, outside

_ADVANCE = 7.5  # pixels of a character, in the mean
_SWATCH, _APART = 44, 14


def legend(picture: Picture, width: float) -> Iterator[list[str]]:
    """Yield the lines of the legend: of what the picture has, what it means."""
    line: list[str] = []
    left = 0.0
    for swatch, words in _entries(picture):
        wide = _SWATCH + len(words) * _ADVANCE
        if line and left + wide > width:
            yield line
            line, left = [], 0.0
        line += [f'<g transform="translate({left:.1f} 0)">{swatch}<text x="{_SWATCH - 6}" y="9">{words}</text></g>']
        left += wide + _APART
    if line:
        yield line


def _entries(picture: Picture) -> Iterator[tuple[str, str]]:
    """Yield what is drawn in a picture, each with a small piece of it."""
    interfaces = list(picture.interfaces)
    engines = [one.engine for one in interfaces if one.engine]
    if picture.cables:
        yield '<path class="cable" d="M0,5H30"/>', "cable (veth)"
    if picture.tunnels:
        yield (
            f'<path class="wall rank0" stroke-width="{outside(0)}" d="M0,5H30"/>'
            f'<path class="bore rank0" stroke-width="{BORES[0]}" d="M0,5H30"/>',
            "tunnel, around what carries it",
        )
    if engines:
        yield (
            '<rect class="pill" x="0" y="-3" width="30" height="16" rx="8"/>',
            "engine (ttun): UDP address it is bound to → its peer",
        )
    if any(one.impaired for one in interfaces) or any(engine.impaired for engine in engines):
        yield '<rect class="swatch impaired" x="8" y="-1" width="14" height="12" rx="2"/>', "impaired"
    if picture.state:
        yield (
            '<rect class="swatch fault" x="8" y="-1" width="14" height="12" rx="2"/>',
            "differs from the file, or dead",
        )
