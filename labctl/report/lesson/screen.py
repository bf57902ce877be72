"""A page of a lesson on a terminal of any size: how far, its text, its goals, and the keys in the last line; pure.

The text scrolls; the goals stand still below it, so that one that turns green is seen. Where they take too much of a
small screen they are the end of what scrolls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from labctl.frozen import frozen
from labctl.report.lesson import Goal, Page
from labctl.report.lesson.markdown import COMMAND, inline, markdown

WIDEST = 100
"""Columns of a line of text at most: longer ones are hard to read."""

LEAST = 4
"""Lines that the text has at least, where goals stand below it."""

_STEPS = {"ahead": ("□", "dim"), "here": ("▶", "bold"), "done": ("■", "green"), "skipped": ("▨", "yellow")}
_GOALS = {"open": ("○", "dim"), "failed": ("✘", "red"), "reached": ("✔", "bold green")}

Key = tuple[str, str]
"""A key, and what it does."""


@frozen
class Shown:
    """What is shown beside the page, and where: `typed` is an answer that is not finished, None where none is begun."""

    width: int = 80
    height: int = 24
    top: int = 0  # the first line of the text that is shown
    keys: Sequence[Key] = ()
    typed: str | None = None
    said: str = ""  # to the last key


@frozen
class Screen:
    """The lines of a screen; `top` is the first line of the text that is on it, `last` the greatest that it can be."""

    lines: Sequence[Text]
    top: int
    last: int
    newest: int  # where the part of the text begins that came last
    room: int  # lines of the text that are on it


@dataclass
class _Body:
    """What scrolls."""

    width: int
    lines: list[Text] = field(default_factory=list)
    newest: int = 0

    def part(self, lines: Sequence[Text], *, is_news: bool = False) -> None:
        """Add a part of the text, with an empty line before it."""
        if not lines:
            return
        if self.lines:
            self.lines.append(Text())
        if is_news:
            self.newest = len(self.lines)
        self.lines += lines


def screen(page: Page, shown: Shown) -> Screen:
    """Return a page as a screen: as many lines as that has, none wider than it is."""
    width, height = max(1, shown.width), max(1, shown.height)
    body, below = _body(page, min(width, WIDEST)), list(_goals(page, min(width, WIDEST)))
    least = min(LEAST, len(body.lines))
    foot = [*_said(page, shown), _keys(shown.keys, width)]
    if len(below) > height - 2 - len(foot) - least:
        body.part(below)
        below = []
    room = max(1, height - 2 - len(below) - len(foot))
    last = max(0, len(body.lines) - room)
    top = min(max(0, shown.top), last)
    visible = [line.copy() for line in body.lines[top : top + room]]
    lines = [_bar(page, width), *visible, *[Text()] * (room - len(visible))]
    lines += [_rule(len(body.lines) - top - room, top, width), *below, *foot]
    lines = [lines[0], *lines[len(lines) - height + 1 :]] if len(lines) > height > 1 else lines[-height:]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Screen(lines, top, last, body.newest, room)


def _bar(page: Page, width: int) -> Text:
    """Return how far the student is: a sign for each step."""
    right = Text("  ")
    if width >= len(page.steps) + 30:
        for state in page.steps:
            right.append(*_STEPS[state])
        right.append("  ")
    right.append(f"step {page.step + 1} of {len(page.steps)}")
    line = Text(page.title, "bold")
    line.truncate(max(0, width - len(right)), overflow="ellipsis", pad=True)
    return line.append_text(right)


def _body(page: Page, width: int) -> _Body:
    body = _Body(width)
    body.part([Text(page.heading, "bold underline")])
    body.part(markdown(page.text, width) if page.text else ())
    for number, hint in enumerate(page.hints, 1):
        body.part([Text(f"Hint {number}", "bold yellow"), *markdown(hint, width)], is_news=True)
    if page.solution:
        lines = [Text("One solution", "bold yellow"), *(Text(f"  $ {line}", COMMAND) for line in page.solution)]
        body.part(_wrapped(lines, width), is_news=True)
    if page.done:
        told = [*_prediction(page, width), *(markdown(page.afterwards, width) if page.afterwards else ())]
        body.part(told, is_news=not page.solution)
    return body


def _prediction(page: Page, width: int) -> Iterator[Text]:
    """Yield what was expected, and what is the case."""
    if not (page.predicted and page.right):
        return
    was_right = page.predicted == page.right
    mark = _GOALS["reached" if was_right else "failed"]
    line = Text.assemble(mark, f" You expected: {page.predicted}.")
    if not was_right:
        line.append(f" It is: {page.right}.")
    yield from _wrapped([line], width)
    yield Text()


def _goals(page: Page, width: int) -> Iterator[Text]:
    """Yield the goals, and what is asked."""
    asked = page.question
    for goal in page.goals:
        if asked is None or goal.name != asked.name:
            yield from _goal(goal, width)
    if asked is None:
        return
    yield from _indented(Text.assemble(("? ", "bold magenta"), inline(asked.text, "bold")), width)
    for number, choice in enumerate(asked.choices, 1):
        yield from _indented(Text.assemble("  ", (f" {number} ", "reverse"), " ", inline(choice)), width, by=6)
    if asked.wrong:
        yield from _indented(Text.assemble(_GOALS["failed"], " ", inline(asked.wrong, "red")), width)


def _goal(goal: Goal, width: int) -> Iterator[Text]:
    mark, style = _GOALS[goal.state]
    line = Text.assemble((f"{mark} ", style), inline(goal.text, "green" if goal.state == "reached" else ""))
    if goal.observed and goal.state != "reached":
        line.append(f"  ({goal.observed})", "dim")
    yield from _indented(line, width)


def _said(page: Page, shown: Shown) -> Iterator[Text]:
    """Yield what is being typed, or else what labctl has to say, right above the keys."""
    if shown.typed is not None:
        line = Text.assemble(("> ", "bold magenta"), shown.typed, ("_", "blink"))
        yield line[max(0, len(line) - shown.width) :]
        return
    for words, style in ((page.notice, "bold yellow"), (shown.said, "bold")):
        for told in words.splitlines():
            yield from _indented(Text(told, style), min(shown.width, WIDEST))
    if page.done and not (page.notice or shown.said):
        yield Text("✔ This step is done." if page.steps[page.step] == "done" else "This step is over.", "bold green")


def _rule(below: int, above: int, width: int) -> Text:
    """Return the line under the text, which says how much of it is not on the screen."""
    told = f" {_lines(below)} below: PgDn " if below > 0 else f" {_lines(above)} above: PgUp " if above else ""
    return Text(f"──{told}".ljust(width, "─"), "bold" if below > 0 else "dim")


def _lines(number: int) -> str:
    return f"{number} line{'s' * (number != 1)}"


def _keys(keys: Sequence[Key], width: int) -> Text:
    line = Text()
    spacious = sum(len(key) + len(does) + 5 for key, does in keys) <= width
    for key, does in keys:
        line.append(f" {key} " if spacious else key, "reverse")
        line.append(f" {does}  " if spacious else f" {does} ")
    return line


def _indented(line: Text, width: int, by: int = 2) -> Iterator[Text]:
    """Yield a text in lines, of which all but the first are indented."""
    first, *others = _wrapped([line], width) or [Text()]
    yield first
    if others:
        rest = line[len(first) :]
        rest = rest[len(rest) - len(rest.plain.lstrip()) :]
        for each in _wrapped([rest], max(1, width - by)):
            yield Text.assemble(" " * by, each)


def _wrapped(lines: Sequence[Text], width: int) -> list[Text]:
    """Return lines of which those that are too long go on in the next one."""
    from rich.console import Console

    paper = Console(width=max(1, width))
    return [each for line in lines for each in line.wrap(paper, max(1, width), overflow="fold")]
