"""Work in sessions that other threads hear: each of them hands on what its host says of that work."""

from __future__ import annotations

import queue
from collections import ChainMap
from collections.abc import Callable, Mapping

from labctl.api.caller import Work
from labctl.api.over_hosts.sessions import Sessions
from labctl.api.over_hosts.task import SILENTLY, Aside, Result, Task, Tell


class Beside(Sessions):
    """Sessions on hosts, each of which another thread hears all the time (`until`), and says when its host is lost."""

    def __init__(self, heard: Mapping[str, Sessions]) -> None:
        super().__init__()
        self.lost = ChainMap(*(each.lost for each in heard.values()))
        self._heard = heard
        self._aside: Aside = queue.SimpleQueue()

    @property
    def reached(self) -> tuple[str, ...]:
        return tuple(host for host in self._heard if host not in self.lost)

    def start(self, host: str, work: Work[Result], aside: Aside | None = None) -> Task[Result]:
        return self._heard[host].start(host, work, aside or self._aside)

    def until(self, over: Callable[[], bool], tell: Tell = SILENTLY) -> None:
        while not over():
            task, kind, what = self._aside.get()
            if kind == "told":
                tell(task, what)
