"""A lab, from Python: what `labctl` does from a shell, in the same words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from labctl.api import work
from labctl.api.caller import Work, Worker
from labctl.api.namespace import Namespace

if TYPE_CHECKING:
    from labctl.checks.results import Result
    from labctl.lab.events import Event, Removed
    from labctl.lab.status import Status
    from labctl.lab.up import UpReport
    from labctl.lab.verify import Verified
    from labctl.topology.model import Topology

Answer = TypeVar("Answer")


def _silent(_: Any) -> None:
    pass


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

        running = self._do(work.running)
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
        fresh: bool = False,
        tied: bool = False,
        notify: Callable[[Event], object] = _silent,
    ) -> Self:
        """Make the lab of a topology, a file, or one that ships with labctl; or make a lab that runs what it says.

        `name` is another name for the lab, and the prefix of every namespace. With `fresh` a lab of that name is ended
        first. A lab that is `tied` and was not there before ends with this program, however that ends, from its first
        moment on. `notify` is told of each step.

        Raise LabError; a lab that was not there before is then removed, one that was is put back as it was. So it is,
        too, where this is interrupted.
        """
        source = os.fspath(topology) if isinstance(topology, str | Path) else topology
        worker = cls._new_worker()

        def accept(report: UpReport) -> None:
            if tied and report.fresh:
                worker.bind(report.lab)

        report = worker.do(partial(work.up, source, name, fresh), notify, accept)
        lab = cls._known(report.lab, worker, made=report.fresh)
        lab.report = report
        return lab

    @classmethod
    def running(cls) -> list[Self]:
        """Return the labs of this user that run."""
        worker = cls._new_worker()
        return [cls._known(name, worker) for name in worker.do(work.running, _silent, _silent)]

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
            self._with_worker().bind(self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._made:
            self.down()

    def __getitem__(self, namespace: str) -> Namespace:
        """Return a namespace of the lab, by its name with or without the prefix of the lab. Raise UsageError."""
        from labctl.lab.names import resolve

        known = self._do(partial(work.namespaces, self.name))
        return Namespace(self, resolve(self.name, namespace, known, "no namespace named"))

    def __iter__(self) -> Iterator[Namespace]:
        """Yield the namespaces of the lab."""
        return iter([Namespace(self, name) for name in self._do(partial(work.namespaces, self.name))])

    def verify(
        self, *checks: str, system_tools: bool = False, notify: Callable[[Result], object] = _silent
    ) -> Verified:
        """Run the checks of the lab, all or those named, and prove each with packet counts.

        A check that fails raises nothing: `raise_for_failures` of what is returned does. `notify` is told of each
        result as soon as it is there. With `system_tools` the ping and nc of this machine are used. Raise UsageError
        for a check that does not exist.
        """
        return self._do(partial(work.verify, self.name, checks, system_tools), notify)

    def status(self) -> Status:
        """Return what is there: namespaces, interfaces, addresses, engines with their counters, and how that differs
        from the file."""
        return self._do(partial(work.status, self.name))

    def down(self) -> tuple[Removed, ...]:
        """End the lab and leave no trace of it; a second time is no error. Return what was removed."""
        removed = self._do(partial(work.down, self.name))
        self._with_worker().free(self.name)
        self._made, self._worker = False, None
        return tuple(removed)
