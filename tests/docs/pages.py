"""The pages of the repository, cut into what a test can run, resolve and compare; CONTRIBUTING.md has the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.keys import HEADING, anchor
from tests.e2e.world import REPO

PAGES = sorted(path.relative_to(REPO) for path in (*REPO.glob("*.md"), *REPO.glob("docs/*.md")))

_BLOCK = re.compile(
    r"(?:<!-- elsewhere: (?P<elsewhere>\S+) -->\n)?^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.M | re.S
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FILE = re.compile(r"`(?!build/)((?:[a-z_]+/)+(?:[\w.]+)?|[a-z_]+\.py)`")
_EXIT_CODE = re.compile(r"\s# exit code (\d+)")
_VARIES = re.compile(r"(?<=pid )\d+|\d+(?:\.\d+)?(?= m?s\b)")


@dataclass(frozen=True)
class Command:
    """A command of a page: what is typed, the exit code, and the lines that are shown of what it writes."""

    line: str
    code: int
    shown: tuple[str, ...]
    until_interrupted: bool


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is the text of, the file that tests it instead, and its text."""

    language: str
    file: str
    elsewhere: str
    text: str

    @property
    def commands(self) -> Iterator[Command]:
        """Yield the commands of a console block, in order."""
        typed: list[list[str]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                typed.append([line.removeprefix("$ ")])
            elif line.strip() not in ("", "..."):
                typed[-1].append(line)
        for first, *shown in typed:
            line, _, comment = first.partition("  # ")
            code = _EXIT_CODE.search(first)
            yield Command(line.strip(), int(code[1]) if code else 0, tuple(shown), "Ctrl-C ends it" in comment)


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    return blocks_of((REPO / page).read_text())


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a text in Markdown, in order."""
    for found in _BLOCK.finditer(text):
        language, _, file = found["info"].partition(" ")
        yield Block(language, file, found["elsewhere"] or "", found["text"])


def links(page: Path) -> Iterator[str]:
    """Yield the target of every link and picture of a page."""
    yield from _LINK.findall(_prose(page))


def files(page: Path) -> Iterator[str]:
    """Yield every file and folder of the sources that a page names."""
    yield from _FILE.findall(_prose(page))


def anchors(page: Path) -> set[str]:
    """Return what a link can lead to inside a page: its headings."""
    return {anchor(heading) for heading in HEADING.findall(_prose(page))}


def _prose(page: Path) -> str:
    return _BLOCK.sub("", (REPO / page).read_text())


def json_keys(page: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield every command of the table of JSON, and the keys of the object, or of each object, that it writes."""
    for command, keys in re.findall(r"^\| `(\w+)` \| `([^`]+)` \|$", _prose(page), re.MULTILINE):
        outer = keys.removeprefix("[{").removesuffix("}]") if keys.startswith("[{") else keys
        while (flat := re.sub(r"\[[^][]*\]|\{[^{}]*\}|\([^()]*\)", "", outer)) != outer:
            outer = flat
        yield command, set(outer.replace(" ", "").split(","))


def missing(shown: tuple[str, ...], output: str) -> list[str]:
    """Return the lines shown that do not follow one another in the output; others may stand between them.

    White space counts as one blank, and a line may go on to the right. Times in seconds and PIDs may be any.
    """
    written = iter(map(_plain, output.splitlines()))
    return [line for line in shown if not any(_plain(line) in other for other in written)]


def _plain(line: str) -> str:
    return " ".join(_VARIES.sub("N", line).split())
