"""What a page of a lesson is asked for."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest

from labctl.learn.lesson.load import load
from labctl.learn.player import Player
from labctl.learn.progress import Folder
from labctl.web.access import Access, Place
from labctl.web.http import MOST, Request
from labctl.web.lesson_session import _Session

LESSON = Path(__file__).parents[1] / "learn" / "lessons" / "two-hosts"


@pytest.mark.parametrize("body", [b"", b"[" * MOST, b"\xff", b"null", b'{"do": "everything"}'])
def test_what_is_nothing_that_a_student_can_do_is_refused(tmp_path: Path, body: bytes) -> None:
    session = _Session(Player.anew(load(LESSON, 1), Folder(tmp_path)))
    session.access = Access(Place("127.0.0.1", 8484))
    response, _ = session.answer(Request("POST", "/do", "localhost:8484", body))
    assert response.status is HTTPStatus.BAD_REQUEST and not session.do_what_was_asked()
