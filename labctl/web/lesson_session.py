"""A lesson in a browser: its text beside the live picture of its lab, and what the student does there."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from labctl.engine.loop.signals import heard
from labctl.errors import LabError
from labctl.lab.live.watch import Moment
from labctl.learn.player import Player
from labctl.process.signals import TERMINATION
from labctl.web import http, pages
from labctl.web.access import Access, Place
from labctl.web.feed import Feed
from labctl.web.http import Request, Response
from labctl.web.lesson_page import as_json
from labctl.web.server import Server
from labctl.web.session import works_of_page

OVER = "This was the last step: the lesson is over, and its lab is gone. Ctrl-C in the terminal ends this page."

_DONE = Response(HTTPStatus.NO_CONTENT, body=b"")
_UNKNOWN = Response(HTTPStatus.BAD_REQUEST, body=b"This is nothing that a student can do.\n")


def serve(player: Player, place: Place, ready: Callable[[str], None]) -> None:
    """Serve the page of a lesson until a signal ends it; `ready` is told its URL. Raise LabError where it cannot be."""
    with heard(*TERMINATION) as signals, player:
        session = _Session(player)
        with Server(place, session.answer) as server:
            session.access = Access(server.place)
            player.start()
            player.follow(works_of_page())
            ready(session.access.url)
            while not session.over:
                for moment in player.moments(also=(signals, server.fileno())):
                    if signals in moment.ready:
                        return
                    server.serve()
                    server.send(session.news(moment))
                    if session.do_what_was_asked():
                        break
                server.send(session.lesson())
            while signals not in select.select([signals, server.fileno()], [], [])[0]:
                server.serve()


class _Session:
    """What browsers know of a lesson, and what they have asked for."""

    access: Access

    def __init__(self, player: Player) -> None:
        self._player = player
        self._feed = Feed(player.stage.name)
        self._asked: list[dict[str, Any]] = []
        self._known: dict[str, Any] = {}
        self.over = False

    def answer(self, asked: Request) -> tuple[Response, bytes]:
        """Return the answer to a request; what is to be done is done later, where nothing waits for it."""
        refusal = self.access.refusal(asked)
        if refusal is not None:
            return refusal, b""
        name = asked.path.removeprefix(self.access.root)
        if asked.method == "POST":
            return self._ask(name, asked.body), b""
        response = pages.lesson(name)
        return response, self._feed.whole() + http.event("lesson", self._page()) if response.is_stream else b""

    def news(self, moment: Moment) -> bytes:
        """Return what browsers are sent that know what was before."""
        return self._feed.news(moment, time.time()) + self.lesson()

    def lesson(self) -> bytes:
        """Return the page of the lesson, where it is another one than it was."""
        before, self._known = self._known, self._page()
        return http.event("lesson", self._known) if self._known != before else b""

    def do_what_was_asked(self) -> bool:
        """Do what browsers have asked for. Return whether anything was."""
        asked, self._asked = self._asked, []
        for each in asked:
            try:
                self._player.notice = ""
                self._do(each)
            except LabError as error:
                self._player.notice = f"{error.what}: {error.why}" if error.why else error.what
        return bool(asked)

    def _do(self, asked: dict[str, Any]) -> None:
        """Do one thing for a student, where it fits what the page shows by now. Raise LabError."""
        player, page = self._player, self._player.page
        match asked["do"]:
            case "hint":
                player.hint()
            case "back":
                player.back()
            case "skip" if not page.done:
                player.skip()
            case "next" if page.done and not player.forward():
                player.end()
                player.notice = OVER
                self.over = True
            case "answer" if page.question is not None and page.question.name == asked["question"]:
                player.answer(asked["question"], asked["answer"])

    def _page(self) -> dict[str, Any]:
        return as_json(self._player.page)

    def _ask(self, name: str, body: bytes) -> Response:
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return _UNKNOWN
        match asked:
            case {"do": "hint" | "back" | "skip" | "next"} | {"do": "answer", "question": str(), "answer": str()} if (
                name == "do"
            ):
                self._asked.append(asked)
                return _DONE
        return _UNKNOWN
