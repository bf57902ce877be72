"""Sessions on the hosts of a lab: work is sent to all at once, and what they tell comes in one queue.

A host that ends its session, or that says nothing for SILENT seconds, is lost. Its work has failed then, and on the
host all that is not kept is taken back (api/agent.py). One thread hears what hosts say; others may have work done in
the same sessions (beside.py).
"""

from __future__ import annotations

import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from labctl import __version__
from labctl.api import agent
from labctl.api.caller import Work
from labctl.api.over_hosts.task import SILENTLY, Aside, Result, Task, Tell
from labctl.errors import LabError
from labctl.hosts import answers
from labctl.hosts.annotations import fits
from labctl.hosts.errors import HostLost, at, other_version, speaks_otherwise
from labctl.hosts.link import Link, Links, links
from labctl.hosts.record import Host

BEAT = 5.0
"""Seconds between two words to each host."""

SILENT = 15.0
"""Seconds without a word from a host after which it is lost: before its lease ends (agent.LEASE)."""

TellLost = Callable[[str, LabError], object]
"""Called with the name of a host that is lost, and why."""


class Sessions:
    """Sessions on hosts. `lost` says of those that are not reached why."""

    def __init__(self) -> None:
        self.lost: MutableMapping[str, LabError] = {}
        self._tell_lost: TellLost = lambda host, why: None
        self._said: deque[tuple[str, bytes | LabError]] = deque()  # what each host says, and why one is lost
        self._more = threading.Event()
        self._last: dict[str, float] = {}  # when each said something
        self._taken: dict[str, int] = {}  # bytes of what each has told that it does not know to be taken
        self._numbers = count(1)
        self._tasks: dict[int, Task[Any]] = {}
        self._links: dict[str, Link] = {}

    def log_in(self, made: Links, hosts: Mapping[str, Host]) -> None:
        """Log in to hosts. `beat` keeps those that are reached first until all are tried, which may take long."""
        found = made.connect(hosts, self._begin)
        self.lost = {host: why for host, why in found.items() if isinstance(why, LabError)}
        self._links = {host: link for host, link in found.items() if not isinstance(link, LabError)}
        self._last = dict.fromkeys(found, time.monotonic())

    def _begin(self, link: Link) -> None:
        """Begin a session. Raise HostUnfit where labctl there is of another version."""
        version = link.call(agent.begin, link.sender)
        if version != __version__:
            raise other_version(link.host, link.login, version)
        self._links[link.host] = link  # from now on for `beat`

    def heard(self, host: str, said: bytes | None) -> None:
        """Take note of what a host says; None once it is lost."""
        self._last[host] = time.monotonic()
        if said != agent.ALIVE:
            self._said.append((host, HostLost(host, "the session has ended") if said is None else said))
            self._more.set()

    @property
    def reached(self) -> tuple[str, ...]:
        """Return the hosts that are reached."""
        return tuple(host for host in self._links if host not in self.lost)

    def tell_lost(self, tell: TellLost) -> None:
        """Tell of hosts that are not reached, now and from now on."""
        self._tell_lost = tell
        for host, why in self.lost.items():
            tell(host, why)

    def reach_some(self) -> None:
        """Raise LabError where no host is reached, or one of them is, and is not fit."""
        if not self.reached or not all(isinstance(error, HostLost) for error in self.lost.values()):
            self.reach_all()

    def reach_all(self) -> None:
        """Raise LabError where a host is not reached, with all that are not."""
        for error in self.lost.values():
            if len(self.lost) == 1:
                raise error
            words = [
                " ".join(line for line in (each.what, each.why and f"({each.why})") if line)
                for each in self.lost.values()
            ]
            several = LabError(f"{len(self.lost)} hosts cannot be used", "\n".join(words), error.hint)
            several.exit_code = error.exit_code
            raise several

    def start(self, host: str, work: Work[Result], aside: Aside | None = None) -> Task[Result]:
        """Begin some work on a host, of which the thread that hears hosts is told, or another one aside."""
        number = next(self._numbers)
        task: Task[Result] = Task(self._links[host], number, work, aside)
        self._tasks[number] = task  # first: a host that is lost from now on fails it
        if host in self.lost:
            del self._tasks[number]
            task.fail(self.lost[host])
        else:
            task.link.cast(agent.start, number, pickle.dumps(work))
        return task

    def wait(self, tasks: Iterable[Task[Any]], tell: Tell = SILENTLY) -> None:
        """Wait until each has a result or an error; interrupted, interrupt them, and wait until they are over."""
        waiting = list(tasks)
        try:
            self.until(lambda: all(task.over for task in waiting), tell)
        except BaseException:
            self.interrupt(waiting)
            self.until(lambda: all(task.over for task in waiting), SILENTLY)
            raise

    def tell(self, task: Task[Any], what: object) -> None:
        """Tell some work something, which waits for it."""
        task.link.cast(agent.tell, task.number, pickle.dumps(what))

    def first_told(self, *tasks: Task[Any]) -> Any:
        """Wait for the first thing that some work tells. Return it, None where one is over before."""
        told: list[Any] = []
        self.until(
            lambda: bool(told) or any(task.over for task in tasks),
            lambda task, what: told.append(what) if task in tasks else None,
        )
        return told[0] if told else None

    def interrupt(self, tasks: Iterable[Task[Any]]) -> None:
        """Interrupt some work."""
        for task in tasks:
            if not task.over:
                task.link.cast(agent.interrupt, task.number)

    def settle(self, tasks: Iterable[Task[Any]], *, keep: bool) -> None:
        """Have what some work made last, or have it taken back, and wait until that is so."""
        waiting = [task for task in tasks if not task.settled]
        for task in waiting:
            task.link.cast(agent.settle, task.number, keep)
        self.until(lambda: all(task.settled for task in waiting), SILENTLY)

    def do(self, works: Mapping[str, Work[Result]], tell: Tell = SILENTLY) -> dict[str, Result | LabError]:
        """Have some work done on each host. Return what came of it, or why nothing did."""
        tasks = [self.start(host, work) for host, work in works.items()]
        self.wait(tasks, tell)
        self.settle(tasks, keep=True)
        return {task.host: task.error or task.result for task in tasks}

    def all(self, works: Mapping[str, Work[Result]], tell: Tell = SILENTLY) -> dict[str, Result]:
        """Have some work done on each host. Return what came of it. Raise the LabError of the first that failed."""
        return {host: _result_of(answer) for host, answer in self.do(works, tell).items()}

    def on(self, host: str, work: Work[Result], tell: Callable[[Any], object] = lambda _: None) -> Result:
        """Have some work done on one host. Return its result, raise what it raised."""
        task = self.start(host, work)
        self.wait([task], lambda _, what: tell(what))
        self.settle([task], keep=True)
        return task.result

    def until(self, over: Callable[[], bool], tell: Tell = SILENTLY) -> None:
        """Hear what hosts say until something is so. What was being heard as Ctrl-C was pressed is heard again."""
        while not over():
            if not self._said and self._more.wait(1):
                self._more.clear()
            if self._said:
                self._hear(*self._said[0], tell)
                self._said.popleft()
            self._drop_silent()

    def _hear(self, host: str, said: bytes | LabError, tell: Tell) -> None:
        if isinstance(said, LabError):
            self.lose(host, said)
            return
        try:
            match answers.loads(said):
                case (int(number), str(kind), what) if kind != "failed" or isinstance(what, LabError):
                    task = self._tasks.get(number)
                    if task and task.host == host and kind != "told":
                        task.hear(kind, what)
                case _:
                    raise answers.NotPlain("it is no answer to what was asked")
        except answers.NotPlain as error:
            self.lose(host, speaks_otherwise(host, str(error)))
            return
        if kind == "told":
            self._take(host, len(said))
        if task is None or task.host != host:
            return
        if task.settled:
            del self._tasks[number]
        if task.aside is not None:
            task.aside.put((task, kind, what))
        elif kind == "told":
            tell(task, what)

    def _take(self, host: str, size: int) -> None:
        """Let a host tell more, now and then: what it may tell ahead of a slow reader here is bounded."""
        self._taken[host] = self._taken.get(host, 0) + size
        if self._taken[host] >= agent.AHEAD // 4 and host not in self.lost:
            self._links[host].cast(agent.took, self._taken.pop(host))

    def _drop_silent(self) -> None:
        for host in self.reached:
            if time.monotonic() - self._last[host] > SILENT:
                self._said.appendleft((host, HostLost(host, f"nothing was heard of it for {SILENT:g} s")))

    def lose(self, host: str, why: LabError) -> None:
        """Have nothing more come of what a host does."""
        if host not in self.lost:
            self.lost[host] = why
            self._tell_lost(host, why)
        for task in (*self._tasks.values(),):  # another thread may begin more meanwhile
            if task.host == host:
                task.fail(why)
                if task.aside is not None:
                    task.aside.put((task, "failed", why))

    def ask(self, function: Callable[[bytes], bytes], asked: Mapping[str, object], hint: Any) -> dict[str, Any]:
        """Put a question to hosts, each its own, at once. Return the answers, of an annotated type. Raise LabError."""
        waiting = {host: self._links[host].begin(function, pickle.dumps(what)) for host, what in asked.items()}
        found: dict[str, Any] = {}
        for host, answer in waiting.items():
            try:
                told = answers.loads(answer())
                if not fits(told, hint | LabError):
                    raise answers.NotPlain(f"what it answers is of type {type(told).__name__}")
                found[host] = told
            except answers.NotPlain as error:
                raise speaks_otherwise(host, str(error)) from None
        for host, told in found.items():
            if isinstance(told, LabError):
                raise at(host, told)
        return found

    def beat(self) -> None:
        """Let each host know that this machine is there, and have it answer."""
        for link in tuple(self._links.values()):  # more may be logged in to meanwhile
            link.cast(agent.alive)


def _result_of(answer: Result | LabError) -> Result:
    if isinstance(answer, LabError):
        raise answer
    return answer


@contextmanager
def sessions(hosts: Mapping[str, Host]) -> Iterator[Sessions]:
    """Yield sessions on hosts, each for the lab that is meant there.

    They end with the body, and so does what was not kept.
    """
    found, over = Sessions(), threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            found.beat()

    with links(found.heard) as made:
        threading.Thread(target=beat, daemon=True).start()
        try:
            found.log_in(made, hosts)
            yield found
        finally:
            over.set()
