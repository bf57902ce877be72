"""The engines of a lab: started beside their TUN device, and what each has counted and said."""

from __future__ import annotations

import sys
from collections.abc import Callable

from labctl.engine.counters import Counters
from labctl.engine.endpoint import Address, Endpoint, serve
from labctl.engine.errors import EngineError
from labctl.engine.jail import NOBODY
from labctl.errors import KernelRefused
from labctl.kernel import namespaces
from labctl.kernel.syscalls import CLONE_NEWNET, setns
from labctl.kernel.tuntap import uid_of
from labctl.lab import processes
from labctl.lab.state import Engine, State
from labctl.plan.steps import StartEngine


def start(step: StartEngine, state: State) -> processes.Starting:
    """Start the engine of an endpoint in the namespace of its device."""
    endpoint = Endpoint(
        step.interface,
        Address(step.bind_host, step.bind_port),
        Address(step.peer_host, step.peer_port),
        verbose=step.verbose,
    )
    run_as = uid_of(step.run_as) if step.run_as else NOBODY

    def work(ready: Callable[[], None]) -> None:
        # The descriptor is opened here: it is of no use to anybody else, and the namespace is already named.
        setns(namespaces.open_namespace(step.namespace), CLONE_NEWNET)
        try:
            ending = serve(
                endpoint, counters_path=state.counters_of(step.subject), ready=ready, out=sys.stdout, run_as=run_as
            )
            print(f"ttun: {step.subject} {ending.value}", flush=True)
        except EngineError as error:
            raise KernelRefused(
                f"the engine of {step.subject} cannot start: {error.what}", error.why, error.hint
            ) from None

    return processes.start(
        f"the engine of {step.subject}",
        step.command,
        state.log_of(step.subject),
        lambda process: state.record_engine(step.subject, Engine(process, step.command)),
        work,
    )


def counted(device: str, state: State) -> dict[str, int]:
    """What an engine has counted so far, by name; empty where it has not begun."""
    try:
        counters = Counters.open(state.counters_of(device))
    except FileNotFoundError:
        return {}
    with counters:
        return counters.snapshot()
