"""The parts of a lesson.md: the front matter between two lines `---`, and a section of Markdown for each step.

A heading of the second level (##) begins the section of a step; what comes before the first one introduces the lesson.
The first heading of the third level (###) within a section begins what is shown only once the step is done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from labctl.frozen import frozen

FENCE = "---"


@frozen
class Section:
    """The text of a step, in Markdown, without its heading; `line` is 0-based."""

    title: str
    text: str
    afterwards: str
    line: int


@frozen
class Document:
    """A lesson.md in its parts. `front` begins with an empty line, so that positions in it are those of the file."""

    front: str
    introduction: str
    sections: tuple[Section, ...]


def document(text: str) -> Document | None:
    """Return the parts of a text; None where it does not begin with front matter."""
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        return None
    end = next((number for number, line in enumerate(lines) if number and line.rstrip() == FENCE), None)
    if end is None:
        return None
    body = [""] * (end + 1) + lines[end + 1 :]
    introduction, sections = _sections(body)
    return Document("\n".join(["", *lines[1:end]]), introduction, sections)


def before_commands(text: str) -> str:
    """Return what a text says before its first block of commands."""
    return re.split(r"^```console\b", text, maxsplit=1, flags=re.MULTILINE)[0].rstrip("\n")


def _sections(lines: Sequence[str]) -> tuple[str, tuple[Section, ...]]:
    headings = _headings("\n".join(lines))
    steps = [(line, title) for line, level, title in headings if level == 2]
    starts = [line for line, _ in steps]
    sections = []
    for (line, title), end in zip(steps, [*starts, len(lines)][1:], strict=True):
        below = next((at for at, level, _ in headings if line < at < end and level == 3), end)
        sections.append(Section(title, _text(lines[line + 1 : below]), _text(lines[below:end]), line))
    return _text(lines[: starts[0] if starts else len(lines)]), tuple(sections)


def _headings(text: str) -> list[tuple[int, int, str]]:
    """Return line, level and text of each heading of a Markdown text: not of what looks like one in a block of code."""
    from markdown_it import MarkdownIt  # what rich reads Markdown with

    tokens = MarkdownIt().parse(text)
    return [
        (token.map[0], int(token.tag[1:]), inline.content)
        for token, inline in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
    ]


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip("\n")
