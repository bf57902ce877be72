"""What the process of an engine or a program does, from its fork to its end.

All this is loaded once, in the process that forks them, and shared by them: so nothing is imported here but what they
need; what programs need is loaded before the first of them is forked.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from labctl.engine.drop_privileges import NOBODY
from labctl.engine.endpoint import Endpoint, serve
from labctl.engine.features import told
from labctl.errors import LabError, kernel_errors_as
from labctl.lab.engines.engine_errors import engine_errors_as
from labctl.lab.engines.task import CableTask, EngineTask, Task
from labctl.plan.engine_spec import EngineSpec
from labctl.process.detach import redirect_output
from labctl.process.log_file import LogFile
from labctl.process.syscalls import CLONE_NEWNET, setns
from labctl.process.title import set_title

if TYPE_CHECKING:
    from labctl.lab.programs.task import ProgramTask

Signal = Callable[[], None]
Work = Callable[[Signal, Signal], None]
"""What the process of a task does. It calls the first argument, which waits for permission, before it touches the
network of the lab, and the second once it forwards. It raises LabError."""

Forward = Callable[[LogFile, Signal, Signal], None]
"""The same with a log to write to; the first function also enters the namespace."""


def work_of(task: Task) -> Work:
    """Return the work of a task. What can be computed before the process is forked is."""
    match task:
        case EngineTask():
            forward = _built_in(task)
        case CableTask():
            forward = _cable(task)
        case _:
            forward = _program(task)

    def work(begin: Signal, ready: Signal) -> None:
        def enter() -> None:
            begin()
            _enter(task.namespace)

        with kernel_errors_as(f"{task.name} could not be started"):
            redirect_output(str(task.log))
            log = LogFile(1)
        with kernel_errors_as(f"{task.name} broke off"), _logged(log):
            forward(log, enter, ready)

    return work


def endpoint_of(spec: EngineSpec) -> Endpoint:
    """Return what the built-in engine serves. Raise ValueError for ends that cannot meet."""
    return Endpoint(
        spec.device.interface,
        spec.bind,
        spec.peer,
        verbose=spec.verbose,
        offload=spec.offload,
        too_big=spec.too_big,
        impair=spec.impair,
        impair_in=spec.impair_in,
    )


def _built_in(task: EngineTask) -> Forward:
    endpoint, device = endpoint_of(task.spec), task.spec.device
    kinds = endpoint.kinds

    def forward(log: LogFile, enter: Signal, ready: Signal) -> None:
        def forwarding(engaged: list[str]) -> None:
            print(f"ttun: {device} forwards; {told(engaged)}", file=log)
            ready()

        with engine_errors_as(f"{task.name} cannot start"):
            ending = serve(
                endpoint,
                kinds,
                counters_path=task.counters,
                control_path=task.control,
                begin=enter,
                ready=forwarding,
                out=cast("TextIO", log),
                run_as=NOBODY if task.run_as is None else task.run_as,
            )
        print(f"ttun: {device} {ending.value}", file=log)

    return forward


def opened(task: Task) -> Task:
    """Return a task with what it has of the network that this process is in. Raise KernelRefused."""
    if not isinstance(task, CableTask):
        return task
    from labctl.engine.cable.udp import bound

    first, last = task.spec.ports
    with engine_errors_as(f"{task.name} cannot start"):
        return replace(task, opened=(bound(task.spec.address, range(first, last + 1)).detach(),))


def _cable(task: CableTask) -> Forward:
    from labctl.engine.cable.forward import Ends
    from labctl.engine.cable.serve import serve as serve_end
    from labctl.lab.cables.library import load

    load()
    spec = task.spec
    ends = Ends(spec.cable, str(spec.device), str(spec.peer))

    def forward(log: LogFile, enter: Signal, ready: Signal) -> None:
        def waiting(engaged: list[str]) -> None:
            print(f"cable {spec.cable}: waits to be joined with its other end; engaged: {' '.join(engaged)}", file=log)
            ready()

        (descriptor,) = task.opened
        with socket.socket(fileno=descriptor) as open_socket, engine_errors_as(f"{task.name} cannot start"):
            ending = serve_end(
                spec.device.interface,
                ends,
                open_socket,
                counters_path=task.counters,
                control_path=task.control,
                begin=enter,
                ready=waiting,
                out=cast("TextIO", log),
            )
        print(f"cable {spec.cable}: {ending.value}", file=log)

    return forward


def _program(task: ProgramTask) -> Forward:
    from labctl.kernel import view
    from labctl.lab.programs.supervisor import run

    def forward(log: LogFile, enter: Signal, ready: Signal) -> None:
        enter()
        for problem in view.show(task.namespace.name):
            print(problem, file=log)
        set_title(f"labctl: runs {task.command}")
        run(task, log, ready)

    return forward


def _enter(namespace: Path) -> None:
    # Only now: when this process was forked, it may not have existed. O_NONBLOCK: opening a FIFO would wait.
    fd = os.open(namespace, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    setns(fd, CLONE_NEWNET)
    os.close(fd)


@contextmanager
def _logged(log: LogFile) -> Iterator[None]:
    """Log an error of the body, too: after `up` it can be read nowhere else."""
    try:
        yield
    except LabError as error:
        print(error, file=log)
        raise
    except BaseException:
        sys.__excepthook__(*sys.exc_info())  # which needs no module, as `traceback` would be, in every engine
        raise
