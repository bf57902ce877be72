"""A whole screen: its first line, the sections as far as they fit, and the keys in the last line."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from labctl.live.state import LabState
from labctl.report.watch.layout import shares
from labctl.report.watch.sections import Section, Shown, heading, sections


def screen(state: LabState, shown: Shown, height: int, file: str) -> list[Text]:
    """Return the lines of a screen, no more than its height, and none wider than it is."""
    found = sections(state, shown)
    given = shares([1 + len(section.lines) for section in found], max(0, height - 2))
    lines = [heading(state, shown, file)]
    for section, number in zip(found, given, strict=True):
        lines += _part(section, number, shown.width)
    lines += [Text()] * (height - 1 - len(lines))
    lines.append(_keys(shown))
    for line in lines:
        line.truncate(shown.width, overflow="ellipsis")
    return lines[:height]


def _part(section: Section, number: int, width: int) -> Iterator[Text]:
    """Yield the title of a section, with how many of its lines are not shown, and the others."""
    if not number:
        return
    hidden = len(section.lines) - (number - 1)
    title = section.title + (section.hidden.format(hidden) if hidden else "")
    first = Text(title, section.style)
    if section.columns[: len(title) + 1].isspace():
        first.append(section.columns[len(title) :], "dim")
    yield first
    yield from section.most_telling(number - 1)


def _keys(shown: Shown) -> Text:
    line = Text()
    for key, does in (
        ("q", "quit"),
        ("p", f"{'hide' if shown.packets else 'show'} packets"),
        ("v", f"{'leave' if shown.checks else 'run'} the checks"),
    ):
        line.append(f" {key} ", "reverse")
        line.append(f" {does}  ")
    return line
