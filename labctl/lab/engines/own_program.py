"""An engine that is a program of the user's, in place of the built-in one.

That it is ready is seen from outside: it has the TUN device open, so the device has a carrier, and it has bound its UDP
port.
"""

from __future__ import annotations

import time

from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.kernel.sockets import bound
from labctl.lab import stray_processes
from labctl.lab.programs.errors import ProgramFailed
from labctl.lab.programs.failure import failed
from labctl.lab.programs.launch import Launch
from labctl.lab.programs.program_files import Signature, signatures
from labctl.lab.programs.strays import marks
from labctl.lab.programs.task import ProgramTask
from labctl.lab.state import State
from labctl.plan.engine_spec import EngineSpec
from labctl.process import processes, working_directory
from labctl.process.disk import remove
from labctl.process.log_file import stamp
from labctl.process.patience import Patience
from labctl.process.processes import Process, title_of
from labctl.process.users import user_here
from labctl.topology.program_ref import ProgramRef

PATIENCE = 5.0
"""Seconds that a program has to open its device and its port."""


class OwnProgram:
    """The program of the user's that is the engine of an endpoint."""

    def __init__(self, spec: EngineSpec, state: State) -> None:
        self._spec = spec
        self._state = state
        self._name = f"the engine of {spec.device}"
        self._directory = spec.directory or working_directory.here()
        self._since = ""

    def task(self) -> ProgramTask:
        """Return what is to be forked. Raise UsageError for a user whom this machine does not know."""
        spec, state = self._spec, self._state
        user = user_here(spec.run_as) if spec.run_as else None
        launch = Launch(spec.program, self._directory, marks(state.lab, ProgramRef(*spec.device)), user)
        namespace, log = namespaces.path_of(spec.device.namespace), state.log_of(spec.device)
        return ProgramTask(self._name, spec.command, launch, namespace, log, state.run_record_of(spec.device))

    def before_it_begins(self) -> None:
        """Raise ProgramFailed where the device is open already: it would have a carrier, and the program no device."""
        self._since = stamp(time.time_ns())
        if self._opened in self._lacking():
            return
        device = self._spec.device
        found = stray_processes.holders(self._state.read().namespaces[device.namespace], device.interface)
        told = " and ".join(f"process {process.pid} ({title_of(process.pid)})" for process in found)
        pids = " ".join(str(process.pid) for process in found)
        raise ProgramFailed(
            f"the engine of {device} cannot be started: {device.interface} is open already",
            f"{told or 'a process of another namespace'} has it open",
            f"labctl exec {device.namespace} -- kill {pids}" if found else "",
        )

    def files(self) -> dict[str, Signature]:
        """Return the files of the program as they are now. Remove what a built-in engine of this device has left."""
        remove(self._state.counters_of(self._spec.device))
        remove(self._state.control_of(self._spec.device))
        return signatures(self._spec.program, self._directory)

    def wait_until_ready(self, process: Process) -> None:
        """Wait until a program is ready. If it does not become so, end it and raise ProgramFailed."""
        lacking: list[str] = []
        for _ in Patience(PATIENCE, process.pid).looks():
            lacking = self._lacking()
            if not lacking:
                return
            if not process.alive():
                raise self._failed("ended before it was ready")
        # First: the program may write to its log when it is ended.
        error = self._failed(f"is not ready after {PATIENCE:g} s: it has not {' and not '.join(lacking)}")
        processes.end([process], processes.GRACE_OF_SUPERVISOR)
        raise error

    def _failed(self, what: str) -> ProgramFailed:
        return failed(self._name, self._spec.command, what, self._state.log_of(self._spec.device), self._since)

    @property
    def _opened(self) -> str:
        return f"opened {self._spec.device.interface}"

    def _lacking(self) -> list[str]:
        """Return what a program has not done yet."""
        device, port = self._spec.device, self._spec.bind.port
        there = observe(device.namespace)
        attached = there is not None and device.interface in there.links and there.links[device.interface].carrier
        with namespaces.inside(device.namespace):
            has_port = bound("udp", port)
        done = {self._opened: attached, f"bound UDP port {port}": has_port}
        return [what for what, is_done in done.items() if not is_done]
