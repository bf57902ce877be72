"""Starting the engines of a lab, and waiting until they are ready.

An engine is the built-in one or a program that is named in the file (own_program.py). The built-in one reports that it
is ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from labctl.kernel import namespaces
from labctl.lab.engines.forkserver_client import Waiting
from labctl.lab.engines.task import CableTask, EngineTask, Task
from labctl.lab.journal import CableEngine, Engine
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan.cable_spec import CableSpec
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.steps import StartCable, StartEngine
from labctl.process.processes import Process

if TYPE_CHECKING:
    from labctl.lab.engines.own_program import OwnProgram
    from labctl.lab.programs.program_files import Signature

Start: TypeAlias = StartEngine | StartCable


@contextmanager
def forked(steps: Sequence[Start], session: Session) -> Iterator[Iterator[Start]]:
    """Fork the engines of endpoints and of cables. Yield their steps, each as soon as it is done.

    All begin with the first `next`. The steps raise the LabError of the first engine that does not become ready.
    """
    if not steps:
        yield iter(())
        return
    engines = [_engine(step, session.state) for step in steps]
    tasks: list[Task] = [engine.task() for engine in engines]
    with session.fork(tasks) as waiting:
        yield _begun(steps, engines, session.state, waiting)


def _begun(
    steps: Sequence[Start], engines: Sequence[_BuiltIn | OwnProgram | _Cable], state: State, waiting: Waiting
) -> Iterator[Start]:
    for engine in engines:
        engine.before_it_begins()

    def record(number: int, process: Process) -> None:
        match steps[number]:
            case StartCable(spec=cable):
                state.record_cable(CableEngine(process, cable))
            case StartEngine(spec=spec):
                state.record_engine(Engine(process, spec, engines[number].files()))

    for step, engine, process in zip(steps, engines, waiting.begin(record), strict=True):
        engine.wait_until_ready(process)
        yield step


def _engine(step: Start, state: State) -> _BuiltIn | OwnProgram | _Cable:
    if isinstance(step, StartCable):
        return _Cable(step.spec, state)
    if step.spec.program:
        from labctl.lab.engines.own_program import OwnProgram  # which most labs do without

        return OwnProgram(step.spec, state)
    return _BuiltIn(step.spec, state)


class _Ours:
    """An engine of labctl: it says itself that it is ready, and has no files that could be edited."""

    def before_it_begins(self) -> None:
        pass

    def files(self) -> Mapping[str, Signature]:
        return {}

    def wait_until_ready(self, process: Process) -> None:
        pass  # it was waited for until it said so


class _Cable(_Ours):
    """The engine of an end of a cable."""

    def __init__(self, spec: CableSpec, state: State) -> None:
        self._spec = spec
        self._state = state

    def task(self) -> CableTask:
        spec, state = self._spec, self._state
        namespace, log = namespaces.path_of(spec.device.namespace), state.log_of(spec.device)
        return CableTask(spec, namespace, log, state.counters_of(spec.device), state.control_of(spec.device))


class _BuiltIn(_Ours):
    """The built-in engine of an endpoint."""

    def __init__(self, spec: EngineSpec, state: State) -> None:
        self._spec = spec
        self._state = state

    def task(self) -> EngineTask:
        spec, state = self._spec, self._state
        namespace, log = namespaces.path_of(spec.device.namespace), state.log_of(spec.device)
        return EngineTask(
            spec, namespace, _uid(spec.run_as), log, state.counters_of(spec.device), state.control_of(spec.device)
        )


def _uid(user: str | None) -> int | None:
    if user is None:
        return None
    from labctl.process.users import uid_of

    return uid_of(user)
