"""Markdown as lines of a terminal. Code stands as it is typed: set in, without a box, so that it can be copied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.text import Text
from rich.theme import Theme

COMMAND, CODE = "bold cyan", "cyan"

_THEME = Theme({"markdown.code": COMMAND, "markdown.block_quote": "italic", "markdown.link_url": "underline"})


_COMMENTED = re.compile(r"(\$ .*?\S) +(# .*)")
"""A command, and a comment to it."""


class _Code(CodeBlock):
    """A block of code in which a command stands out; a comment that is too long for its line has the next one."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.text.plain.rstrip().splitlines():
            command, comment = line, ""
            if len(line) + 2 > options.max_width and (found := _COMMENTED.fullmatch(line)):
                command, comment = found.groups()
            yield Text(f"  {command}", COMMAND if line.startswith("$ ") else CODE, overflow="fold")
            if comment:
                yield Text(f"    {comment}", CODE, overflow="fold")


class _Heading(Heading):
    """A heading of any level, on the left."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.text.plain, "bold")


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Code,
        "code_block": _Code,
        "heading_open": _Heading,
    }


def inline(text: str, style: str = "") -> Text:
    """Return a text of one line in a style; what stands in it between two backticks stands out."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # one has no other
        return Text(text, style)
    return Text.assemble(*((piece, COMMAND if number % 2 else style) for number, piece in enumerate(pieces)))


@lru_cache(maxsize=64)
def markdown(text: str, width: int) -> tuple[Text, ...]:
    """Return Markdown as lines that are no wider than `width` columns."""
    return tuple(_lines(text, width))


def _lines(text: str, width: int) -> Iterator[Text]:
    # Nothing is written to this console: which colours are shown is up to the one that is.
    paper = Console(width=width, color_system="truecolor", force_terminal=True, emoji=False, theme=_THEME)
    for segments in paper.render_lines(_Page(text, hyperlinks=False), pad=False):
        line = Text()
        for segment in segments:
            line.append(segment.text, segment.style)
        line.rstrip()
        yield line
