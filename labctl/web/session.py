"""A lab that is shown to browsers: one process follows it and serves the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from labctl.api.calls.watch import watch
from labctl.engine.loop.signals import heard
from labctl.lab.live.tapper import tap
from labctl.lab.live.watch import Work
from labctl.lab.live.watchers import CHECKS, LOOKS, TOPOLOGY
from labctl.process.signals import TERMINATION
from labctl.web import pages
from labctl.web.access import Access, Place
from labctl.web.feed import Feed
from labctl.web.http import Request, Response
from labctl.web.server import Server

MOST = 200
"""Packets of a sample: a ping through five routers and back is seen forty times."""


def works_of_page() -> Mapping[str, Work]:
    """Return who looks at a lab for its picture, and for what moves in it."""
    return {**TOPOLOGY, "tap": partial(tap, most=MOST)}


def serve(lab: str, place: Place, verify: bool, ready: Callable[[str], None]) -> None:
    """Serve the page of a lab until a signal ends it; `ready` is told its URL. Raise UsageError where it cannot be."""
    works: Mapping[str, Work] = {**LOOKS, **works_of_page(), **(CHECKS if verify else {})}
    feed = Feed(lab)

    def answer(asked: Request) -> tuple[Response, bytes]:
        refusal = access.refusal(asked) or pages.refusal(asked)
        if refusal is not None:
            return refusal, b""
        response = pages.answer(asked.path.removeprefix(access.root))
        return response, feed.whole() if response.is_stream else b""

    with heard(*TERMINATION) as signals, Server(place, answer) as server, watch(lab, works) as following:
        access = Access(server.place)
        ready(access.url)
        for moment in following.moments(also=(signals, server.fileno())):
            if signals in moment.ready:
                return
            server.serve()
            if news := feed.news(moment, time.time()):
                server.send(news)
