"""Terminals as pictures: a session of commands is run, and what a terminal shows of it is drawn as SVG.

What the commands write is real: a lab is made, checked, broken, checked again and removed. From one drawing to the next
only the times that it took differ.

The SVG holds to what librsvg and browsers draw alike: shapes and text with attributes. There is no style sheet, no
clip path, and no textLength, which librsvg ignores. Every word is placed by itself, so that it stands in its columns
whatever the font is.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

REPO = Path(__file__).parents[1]

COLUMNS = 100
_FONTS = "DejaVu Sans Mono, Menlo, Consolas, Liberation Mono, monospace"
_SIZE, _ADVANCE, _LINE = 13, 7.83, 17  # pixels; DejaVu Sans Mono advances by 0.602 of its size
_MARGIN, _TITLE = 18, 40
_CONSOLE = Console()

# How a display that changes goes back to its first line (ECMA-48: CUU, EL).
_UP, _ERASE = "\x1b[1A\x1b[2K", "\r\x1b[2K"
_MOVES = re.compile(f"({re.escape(_UP)}|{re.escape(_ERASE)}|\n)")


@dataclass(frozen=True)
class Session:
    """Commands that are typed in a directory with these files, after others that are not shown."""

    shown: tuple[str, ...]
    before: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def terminal(session: Session) -> str:
    """Run a session, and return as SVG what a terminal of COLUMNS shows of it."""
    lines: list[Text] = []
    with _directory(session) as directory:
        for command in session.shown:
            lines += [Text.assemble(("$ ", "green"), (command, "bold")), *_run(command, directory), Text()]
    return svg(lines[:-1])


def written(session: Session, file: str) -> str:
    """Run a session, and return what it has written to a file."""
    with _directory(session) as directory:
        for command in session.shown:
            _run(command, directory)
        return Path(directory, file).read_text(encoding="utf-8")


@contextmanager
def _directory(session: Session) -> Iterator[str]:
    """Yield a directory in which a session begins; its labs are gone at the end, whatever becomes of a command."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in session.files.items():
            Path(directory, name).write_text(text)
        try:
            for command in session.before:
                _run(command, directory)
            yield directory
        finally:
            _run("labctl down --all", directory)


def _run(command: str, directory: str) -> list[Text]:
    """Run a command of labctl as in a terminal; return the lines that stand there in the end."""
    words = [sys.executable, "-m", *shlex.split(command)]
    paths = os.pathsep.join(filter(None, (str(REPO), os.environ.get("PYTHONPATH"))))
    terminal = {"PYTHONPATH": paths, "TERM": "xterm", "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    others = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
    done = subprocess.run(words, cwd=directory, env=others | terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = [""]
    for part in _MOVES.split(done.stdout.decode()):
        if part == "\n":
            lines.append("")
        elif part == _UP:
            lines.pop()
            lines[-1] = ""
        elif part == _ERASE:
            lines[-1] = ""
        else:
            lines[-1] += part
    return [Text.from_ansi(line.rstrip()) for line in lines[:-1]]


def svg(lines: list[Text]) -> str:
    """Return a terminal with these lines as SVG."""
    width = round(COLUMNS * _ADVANCE + 2 * _MARGIN)
    height = _TITLE + len(lines) * _LINE + _MARGIN
    background, foreground = DIMMED_MONOKAI.background_color.hex, DIMMED_MONOKAI.foreground_color.hex
    buttons = "".join(
        f'<circle cx="{_MARGIN + 6 + 20 * number}" cy="20" r="6" fill="{colour}"/>'
        for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    words = "\n".join(
        word for number, line in enumerate(lines, 1) for word in _words(line, _TITLE + number * _LINE - 4)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<rect width="{width}" height="{height}" rx="8" fill="{background}"/>
{buttons}
<g font-family="{_FONTS}" font-size="{_SIZE}" fill="{foreground}">
{words}
</g>
</svg>
"""


def _words(line: Text, baseline: int) -> Iterator[str]:
    """Yield an element for each word of a line, or for each part of one that has a style of its own."""
    column = 0
    for part, style, _ in line.render(_CONSOLE):
        for found in re.finditer(r"\S+", part):
            x = _MARGIN + (column + found.start()) * _ADVANCE
            yield f'<text x="{x:.1f}" y="{baseline}"{_attributes(style)}>{escape(found[0], quote=False)}</text>'
        column += len(part)


def _attributes(style: Style | None) -> str:
    """Return a style as attributes of SVG."""
    if style is None:
        return ""
    colour = f' fill="{style.color.get_truecolor(DIMMED_MONOKAI).hex}"' if style.color else ""
    return colour + (' font-weight="bold"' if style.bold else "") + (' opacity="0.6"' if style.dim else "")
