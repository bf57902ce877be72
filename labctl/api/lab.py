"""A lab, from Python: what `labctl` does from a shell, in the same words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from labctl.api.caller import Work, Worker
from labctl.api.calls import inspect, lifecycle, operate, packets
from labctl.api.namespace import Namespace
from labctl.api.work import lessons

if TYPE_CHECKING:
    from labctl.api.pictures import Language
    from labctl.api.streams import Capture, Stream
    from labctl.checks.results import Result
    from labctl.lab.events import Event, Removed
    from labctl.lab.impair import InForce
    from labctl.lab.names import Names
    from labctl.lab.reconcile import Planned
    from labctl.lab.restart import Restarted
    from labctl.lab.status import Status, Summary
    from labctl.lab.traced import Traced
    from labctl.lab.up import UpReport
    from labctl.lab.verify import Verified
    from labctl.lab.why import Reached
    from labctl.live.events import Event as LabEvent
    from labctl.topology.model import Topology

Answer = TypeVar("Answer")


def _silent(_: Any) -> None:
    pass


def _source(topology: str | Path | Topology) -> str | Topology:
    return os.fspath(topology) if isinstance(topology, str | Path) else topology


def _path(file: str | os.PathLike[str] | None) -> str | None:
    return os.fspath(file) if file is not None else None


class Lab:
    """A lab that runs. `Lab.up` makes one, `Lab(NAME)` finds one, `Lab.running` finds all.

    With `with`, a lab that this very call of `Lab.up` made ends with the block, or with this program if that is killed
    in it; one that stood before stays.
    """

    name: str
    report: UpReport | None = None
    """What `up` did, where this is from `Lab.up`."""

    def __init__(self, name: str) -> None:
        """Find a lab of this user that runs. Raise UsageError where there is none of that name."""
        self.name = name
        self._made = False
        self._worker: Worker | None = None
        from labctl.lab.names import no_lab

        running = self._do(inspect.running)
        if name not in running:
            raise no_lab(name, running)

    @staticmethod
    def _new_worker() -> Worker:
        from labctl.api.client import client

        return client()

    @classmethod
    def _known(cls, name: str, worker: Worker, made: bool = False) -> Self:
        lab = cls.__new__(cls)
        lab.name, lab._worker, lab._made = name, worker, made
        return lab

    @classmethod
    def up(
        cls,
        topology: str | Path | Topology,
        *,
        name: str | None = None,
        inventory: str | Path | None = None,
        fresh: bool = False,
        tied: bool = False,
        notify: Callable[[Event], object] = _silent,
    ) -> Self:
        """Make the lab of a topology, a file, or one that ships with labctl; or make a lab that runs what it says.

        `name` is another name for the lab, and the prefix of every namespace. `inventory` is a file with the hosts that
        the lab is over, and the namespaces on each. With `fresh` a lab of that name is ended
        first. A lab that is `tied` and was not there before ends with this program, however that ends, from its first
        moment on. `notify` is told of each step.

        Raise LabError; a lab that was not there before is then removed, one that was is put back as it was. So it is,
        too, where this is interrupted.
        """
        from labctl.process.processes import own

        worker, owner = cls._new_worker(), own() if tied else None

        def accept(report: UpReport) -> None:
            if tied and report.fresh:
                worker.bind(report.lab, partial(lifecycle.down, [report.lab]))

        report = worker.do(
            partial(lifecycle.up, _source(topology), name, _path(inventory), fresh, owner), notify, accept
        )
        lab = cls._known(report.lab, worker, made=report.fresh)
        lab.report = report
        return lab

    @classmethod
    def plan(
        cls, topology: str | Path | Topology, *, name: str | None = None, inventory: str | Path | None = None
    ) -> Planned:
        """Look what `up` would do, without doing it. Raise LabError where it would."""
        work = partial(lifecycle.plan, _source(topology), name, _path(inventory))
        found: Planned = cls._new_worker().do(work, _silent, _silent)
        return found

    @staticmethod
    def export(topology: str | Path | Topology, *, name: str | None = None) -> str:
        """Return the lab of a topology as the script that a person would type, with its own way back."""
        from labctl.api.sources import desired_of
        from labctl.plan.script import script

        return script(desired_of(_source(topology), name))

    @staticmethod
    def draw(topology: str | Path | Topology, language: Language = "mermaid") -> str:
        """Draw a topology. Return the picture as text."""
        from labctl.api.pictures import LANGUAGES, picture_of

        return LANGUAGES[language](picture_of(_source(topology)))

    @classmethod
    def list(cls) -> tuple[Summary, ...]:
        """Return a line about each lab of this user, also about one whose `up` was cut off."""
        return cls._new_worker().do(inspect.summaries, _silent, _silent)

    @classmethod
    def running(cls) -> tuple[Self, ...]:
        """Return the labs of this user that run."""
        worker = cls._new_worker()
        return tuple(cls._known(name, worker) for name in worker.do(inspect.running, _silent, _silent))

    def _do(self, work: Work[Answer], notify: Callable[[Any], object] = _silent) -> Answer:
        answer: Answer = self._with_worker().do(work, notify, _silent)
        return answer

    def _with_worker(self) -> Worker:
        if self._worker is None or not self._worker.usable:
            self._worker = self._new_worker()
        return self._worker

    def __repr__(self) -> str:
        return f"<Lab {self.name}>"

    def __enter__(self) -> Self:
        if self._made:
            self._with_worker().bind(self.name, partial(lifecycle.down, [self.name]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._made:
            self.down()

    def __getitem__(self, namespace: str) -> Namespace:
        """Return a namespace of the lab, by its name with or without the prefix of the lab. Raise UsageError."""
        from labctl.lab.names import resolve

        return Namespace(self, resolve(self.name, namespace, self.names().namespaces, "no namespace named"))

    def __iter__(self) -> Iterator[Namespace]:
        """Yield the namespaces of the lab."""
        return iter([Namespace(self, name) for name in self.names().namespaces])

    def names(self) -> Names:
        """Return the names inside the lab: of namespaces, tunnel endpoints, programs and checks."""
        return self._do(partial(inspect.names, self.name))

    @property
    def id(self) -> str:
        """Return what tells this lab from another one of the same name, made before or after it."""
        return self._do(partial(lessons.identity, self.name))

    def record_commands(self) -> None:
        """Record what is run by `exec` and `shell` in the lab from now on, for a lesson that asks for it."""
        self._do(partial(lessons.record_commands, self.name))

    def record_command(self, namespace: str, command: str) -> None:
        """Record a command as one that was typed: what a program runs here is none."""
        self._do(partial(lessons.record_command, self.name, namespace, command))

    def verify(
        self,
        *checks: str,
        system_tools: bool = False,
        file: str | Path | None = None,
        notify: Callable[[Result], object] = _silent,
    ) -> Verified:
        """Run the checks of the lab, all or those named with what they need, and prove each with packet counts.

        With `file` they are those of another file than the lab's: one with `checks:`, or a topology.

        A check that fails raises nothing: `raise_for_failures` of what is returned does. `notify` is told of each
        result as soon as it is there. With `system_tools` the programs of this machine are used, such as ping and nc.
        Raise UsageError for a check that does not exist, FileMistakes where those of a file do not fit the lab.
        """
        return self._do(partial(operate.verify, self.name, checks, system_tools, _path(file)), notify)

    def why(self, namespace: str, address: str) -> Reached:
        """Ping an address from a namespace, and explain where packets end, where none comes back.

        Raise UsageError where there is no such namespace, or the address is not that of one host.
        """
        return self._do(partial(operate.why, self.name, namespace, str(address)))

    def status(self) -> Status:
        """Look what is there: namespaces, interfaces, addresses, engines with their counters, what differs."""
        return self._do(partial(inspect.status, self.name))

    def impair(
        self,
        device: str,
        *,
        direction: Literal["out", "in"] = "out",
        delay: str | None = None,
        jitter: str | None = None,
        loss: str | None = None,
        duplicate: str | None = None,
        corrupt: str | None = None,
        reorder: str | None = None,
        rate: str | None = None,
        seed: str | None = None,
        reset: bool = False,
    ) -> InForce:
        """Change what packets of a tunnel endpoint or a cable suffer, as `tc netem` writes it: 50ms, 10%, 10mbit.

        What is not named stays; with `reset` every impairment is taken away first, in both directions. Return what is
        in force. Raise UsageError for a value that is wrong or that the device does not support.
        """
        from labctl.plan.engine_spec import NO_IMPAIRMENT

        words = {
            "delay": delay, "jitter": jitter, "loss": loss, "duplicate": duplicate,
            "corrupt": corrupt, "reorder": reorder, "rate": rate, "seed": seed,
        }  # fmt: skip
        named = {word: value for word, value in words.items() if value is not None}
        changes: dict[str, Mapping[str, object] | None] = {"out": None, "in": None} if reset else {}
        if named:
            changes[direction] = {**NO_IMPAIRMENT.as_dict(), **named} if reset else named
        return self._do(partial(operate.impair, self.name, device, changes))

    def trace(self, check: str, *, notify: Callable[[Result], object] = _silent) -> Traced:
        """Run a check, and follow each of its packets through all interfaces and engines.

        `notify` is told of its result. `lab["siteA"].trace(COMMAND)` follows those of a command.

        Raise UsageError for a check that does not exist, KernelRefused where packets cannot be seen.
        """
        return self._do(partial(packets.trace_check, self.name, check), notify)

    def capture(
        self,
        *where: str,
        filter: str | None = None,
        file: str | os.PathLike[str] | None = None,
        count: int | None = None,
        duration: float | None = None,
    ) -> Capture:
        """Return a context manager that sees packets of interfaces NS:INTERFACE, of namespaces, or of the whole lab.

        `filter` is in the words of tcpdump. With `file` they are written as pcapng, as they come. It ends with its
        block, after `count` packets, or after `duration` seconds.
        """
        from labctl.api.streams import Capture

        return Capture(partial(packets.capture, self.name, where, filter, _path(file), count, duration))

    def events(self, *, verify: bool = False) -> Stream[tuple[float, LabEvent]]:
        """Return an iterator of what happens in the lab from now on, each with its time in seconds since the epoch.

        It goes on through `down` and `up`. With `verify` the checks are run again and again, too.
        """
        from labctl.api.streams import Stream

        return Stream(partial(inspect.events, self.name, verify), tells_when_ready=True)

    def logs(self, *names: str, follow: bool = False) -> Stream[str]:
        """Return an iterator of the lines that engines and programs wrote: all, or those that are named.

        With `follow` it goes on as they write, until it is closed. Raise UsageError for a name that is neither.
        """
        from labctl.api.streams import Stream

        return Stream(partial(inspect.logs, self.name, names, follow))

    def graph(self, language: Language = "mermaid") -> str:
        """Draw the lab as it runs, with what is dead or differs from its file in red. Return the picture as text."""
        from labctl.api.pictures import LANGUAGES, picture_of_running

        return LANGUAGES[language](picture_of_running(self.status()))

    def restart(self, *names: str) -> Restarted:
        """End the engines and programs of the lab, or those that are named, and start them again. Return them.

        Raise UsageError for a name that is neither, LabError for a program that does not become ready.
        """
        return self._do(partial(lifecycle.restart, self.name, names))

    def down(self) -> tuple[Removed, ...]:
        """End the lab and leave no trace of it; a second time is no error. Return what was removed.

        Raise LabError where it cannot be ended.
        """
        report = self._do(partial(lifecycle.down, [self.name]))
        for error in report.failed:
            raise error
        self._with_worker().free(self.name)
        self._made, self._worker = False, None
        return tuple(report.removed.get(self.name, ()))
