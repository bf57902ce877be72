"""A mistake in a file: where it stands, what is wrong, what would be right; and all of them as plain text.

Positions are 1-based, as editors count. The text has the form of a compiler's:

    two-site.yaml:11:15: 'siteC:wan0' does not exist
     11 |       wan0: {kind: veth, peer: "siteC:wan0"}
        |                                ^
        = did you mean 'siteA:wan0'?

What a file holds reaches a terminal only through here: lines and sentences are shortened, control characters replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.errors import UsageError

SHOWN = 20  # more than that scrolls off the screen, and the first ones are often the cause of the others
_WIDTH = 100


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake of a file; lines and columns are 1-based."""

    file: str
    line: int
    column: int
    what: str
    hint: str
    source: str

    def __str__(self) -> str:
        number = f"{self.line:4}"
        shown, caret = _window(self.source, self.column - 1)
        lines = [f"{self.file}:{self.line}:{self.column}: {_shortened(self.what)}"]
        if shown.strip():
            lines += [f"{number} | {shown}", f"{' ' * len(number)} | {' ' * caret}^"]
        if self.hint:
            lines.append(f"{' ' * len(number)} = {_shortened(self.hint)}")
        return "\n".join(lines)


@dataclass(frozen=True, order=True)
class BuiltMistake:
    """One mistake of a topology that a program has built; `path` are the keys that lead to it."""

    path: str
    what: str
    hint: str

    def __str__(self) -> str:
        told = f"{self.path}: {_shortened(self.what)}"
        return f"{told}\n     = {_shortened(self.hint)}" if self.hint else told


class TopologyMistakes(UsageError):
    """A topology that is wrong; carries every mistake."""

    def __init__(self, name: str, mistakes: Sequence[Mistake | BuiltMistake]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        shown = [str(mistake) for mistake in mistakes[:SHOWN]]
        if len(mistakes) > SHOWN:
            shown.append(f"... and {len(mistakes) - SHOWN} more")
        super().__init__(f"{_shortened(name)} has {count}", "\n".join(shown))
        self.args = (name, mistakes)  # what pickle calls the class with
        self.mistakes = mistakes

    def __str__(self) -> str:
        return self.why


class FileMistakes(TopologyMistakes):
    """A file that was read and is wrong; its mistakes are sorted by line."""

    mistakes: Sequence[Mistake]

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(mistakes[0].file, mistakes)
        self.args = (mistakes,)


def _window(source: str, caret: int) -> tuple[str, int]:
    """Return the part of a line that has the caret in it, and where the caret stands in that part."""
    start = 0 if len(source) <= _WIDTH or caret < _WIDTH // 2 else caret - _WIDTH // 2
    part = source[start : start + _WIDTH]
    before, after = "..." if start else "", "..." if len(source) > start + _WIDTH else ""
    clean = "".join(char if char.isprintable() else " " for char in part)
    return f"{before}{clean}{after}", caret - start + len(before)


def _shortened(sentence: str) -> str:
    """Return a sentence that quotes a value of any length without its middle, where it is long."""
    clean = "".join(char if char.isprintable() else "?" for char in sentence)
    return clean if len(clean) <= 2 * _WIDTH else f"{clean[:_WIDTH]} ... {clean[-_WIDTH:]}"
