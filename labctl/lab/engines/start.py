"""Starting the engines of a lab, and waiting until they are ready.

An engine is the built-in one or a program that is named in the file (own_program.py). The built-in one reports that it
is ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labctl.kernel import namespaces
from labctl.lab.engines.forkserver_client import Waiting
from labctl.lab.engines.task import EngineTask, Task
from labctl.lab.journal import Engine
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.steps import StartEngine
from labctl.process.processes import Process

if TYPE_CHECKING:
    from labctl.lab.engines.own_program import OwnProgram
    from labctl.lab.programs.program_files import Signature


@contextmanager
def forked(steps: Sequence[StartEngine], session: Session) -> Iterator[Iterator[StartEngine]]:
    """Fork the engines of endpoints. Yield their steps, each as soon as it is done; all begin with the first `next`.

    The steps raise the LabError of the first engine that does not become ready.
    """
    if not steps:
        yield iter(())
        return
    engines = [_engine(step.spec, session.state) for step in steps]
    tasks: list[Task] = [engine.task() for engine in engines]
    with session.fork(tasks) as waiting:
        yield _begun(steps, engines, session.state, waiting)


def _begun(
    steps: Sequence[StartEngine], engines: Sequence[_BuiltIn | OwnProgram], state: State, waiting: Waiting
) -> Iterator[StartEngine]:
    for engine in engines:
        engine.before_it_begins()

    def record(number: int, process: Process) -> None:
        state.record_engine(Engine(process, steps[number].spec, engines[number].files()))

    for step, engine, process in zip(steps, engines, waiting.begin(record), strict=True):
        engine.wait_until_ready(process)
        yield step


def _engine(spec: EngineSpec, state: State) -> _BuiltIn | OwnProgram:
    if spec.program:
        from labctl.lab.engines.own_program import OwnProgram  # which most labs do without

        return OwnProgram(spec, state)
    return _BuiltIn(spec, state)


class _BuiltIn:
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

    def before_it_begins(self) -> None:
        pass

    def files(self) -> Mapping[str, Signature]:
        return {}

    def wait_until_ready(self, process: Process) -> None:
        pass  # it was waited for until it said so


def _uid(user: str | None) -> int | None:
    if user is None:
        return None
    from labctl.process.users import uid_of

    return uid_of(user)
