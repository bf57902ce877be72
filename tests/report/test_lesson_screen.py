"""A page of a lesson fits a screen of any size, and what matters is on it or can be scrolled to."""

from __future__ import annotations

import os
import termios
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from labctl.report.lesson import Goal, Page, Question, view
from labctl.report.lesson.screen import Shown, screen

KEYS = (("h", "hint"), ("q", "quit"))
TEXT = "\n\n".join(f"Paragraph {number} of a text that is long enough to go on in another line." for number in range(9))
PAGE = Page(
    "tun", "What a TUN device is", 1, ("done", "here", "ahead"), "A neighbour", f"{TEXT}\n\n```console\n$ ip a\n```\n",
    goals=(
        Goal("seen", "Ping it.", "reached"), Goal("answers", "It answers.", "failed", "no reply"),
        Goal("ttl", "Which TTL?"),
    ), question=Question("ttl", "Which TTL?"),
)  # fmt: skip
PREDICTION = replace(PAGE, goals=(), question=Question("prediction", "What will it see?", ("all " * 30, "nothing")))
DONE = replace(
    PAGE, question=None, done=True, steps=("done", "done", "ahead"), hints=("Look *there*.",), predicted="all",
    right="nothing", afterwards="It never left.", notice="The teacher says: hurry",
)  # fmt: skip


def lines_of(page: Page, shown: Shown) -> list[str]:
    return [line.plain.rstrip() for line in screen(page, shown).lines]


@given(
    st.sampled_from((PAGE, PREDICTION, DONE)),
    st.integers(1, 130),
    st.integers(1, 50),
    st.integers(-3, 200),
    st.none() | st.text(max_size=300).filter(str.isprintable),
    st.sampled_from(("", "This step is not done yet.", "one\ntwo\nthree")),
)
def test_it_fills_a_screen_of_any_size(
    page: Page, width: int, height: int, top: int, typed: str | None, said: str
) -> None:
    found = screen(page, Shown(width, height, top, KEYS, typed, said))
    assert len(found.lines) == height and 0 <= found.top <= found.last
    assert all(line.cell_len <= width for line in found.lines)


@given(st.sampled_from((PAGE, PREDICTION, DONE)), st.integers(40, 130), st.integers(10, 50))
def test_all_of_it_can_be_scrolled_to(page: Page, width: int, height: int) -> None:
    seen, top = set[str](), 0
    while True:
        found = screen(page, Shown(width, height, top, KEYS))
        seen |= {line.plain.strip() for line in found.lines}
        if found.top == found.last:
            break
        top = found.top + found.room
    asked = page.question.text if page.question else ""
    for text in ("A neighbour", "$ ip a", "Paragraph 8 of a text", asked, *(goal.text for goal in page.goals)):
        assert any(text in line for line in seen), text


def test_goals_stand_below_the_text_at_80x24() -> None:
    lines = lines_of(PAGE, Shown(keys=KEYS))
    assert lines[0].startswith("What a TUN device is  ") and lines[0].endswith("■▶□  step 2 of 3")
    assert lines[1] == "A neighbour" and lines[-5].startswith("── ") and "below: PgDn" in lines[-5]
    assert lines[-4:] == ["✔ Ping it.", "✘ It answers.  (no reply)", "? Which TTL?", " h  hint   q  quit"]


def test_a_choice_has_its_number_and_goes_on_below_itself() -> None:
    lines = lines_of(PREDICTION, Shown(60, 40, keys=KEYS))
    first = lines.index("   1  " + ("all " * 13).strip())
    assert lines[first + 1].startswith("      all") and lines[-2] == "   2  nothing"


def test_code_in_a_question_is_shown_without_its_backticks() -> None:
    asked = Question("ttl", "What does `ip route` say?", wrong="Look behind `via`. A ` alone stays.")
    lines = lines_of(replace(PAGE, question=asked), Shown(80, 40, 0, KEYS))
    assert "? What does ip route say?" in lines
    assert "✘ Look behind `via`. A ` alone stays." in lines


def test_what_is_told_once_it_is_done_stands_at_the_end() -> None:
    found = screen(DONE, Shown(80, 60, keys=KEYS))
    lines = [line.plain.rstrip() for line in found.lines]
    told = lines[lines.index("Hint 1") :]
    assert told[:6] == ["Hint 1", "Look there.", "", "✘ You expected: all. It is: nothing.", "", "It never left."]
    assert lines[found.newest + 1] == "✘ You expected: all. It is: nothing."
    assert "The teacher says: hurry" in lines


def test_an_answer_is_shown_as_it_is_typed_its_end_at_least() -> None:
    assert lines_of(PAGE, Shown(keys=KEYS, typed="64"))[-2] == "> 64_"
    assert lines_of(PAGE, Shown(20, 24, keys=KEYS, typed="x" * 40 + "end"))[-2].endswith("xend_")


def test_a_hint_is_seen_until_the_reader_scrolls_also_where_the_goals_become_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    with os.fdopen(master, "rb", buffering=0) as screens, os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(view, "console", lambda: Console(file=terminal, force_terminal=True, color_system=None))

        def drawn(page: Page) -> str:
            shown.draw(page, KEYS)
            screen = ""
            while "quit" not in screen:
                screen = (screen + screens.read(1 << 16).decode()).rpartition("\x1b[H")[2]
            return screen

        with view.LessonView() as shown:
            assert "Look there." not in drawn(PAGE)
            hinted = replace(PAGE, hints=("Look *there*.",))
            assert "Look there." in drawn(hinted)
            failed = Goal("answers", "It answers.", "failed", "no reply, and this is why: " * 8)
            longer = replace(hinted, goals=(PAGE.goals[0], failed, PAGE.goals[2]))
            assert "Look there." in drawn(longer)
            shown.turn(-1)
            assert "Look there." not in drawn(longer)


@pytest.mark.parametrize(
    ("command", "width", "lines"),
    [
        ("ping 10.0.1.1   # exit code 1", 80, ["  $ ping 10.0.1.1   # exit code 1"]),
        ("ping 10.0.1.1   # exit code 1", 30, ["  $ ping 10.0.1.1", "    # exit code 1"]),
        ("ping -c 3 -W 1 10.0.1.1", 20, ["  $ ping -c 3 -W 1", "10.0.1.1"]),
    ],
)
def test_a_comment_behind_a_command_goes_on_below_it_as_a_whole(command: str, width: int, lines: list[str]) -> None:
    shown = lines_of(replace(PAGE, text=f"```console\n$ {command}\n```\n"), Shown(width, 30))
    begin = shown.index(lines[0])
    assert shown[begin : begin + len(lines)] == lines
