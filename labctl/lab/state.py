"""The recorded state of one lab.

    /run/labctl/LAB/                0700; the lock of the lab is a flock(2) on this directory (lock.py)
        topology.json               the topology as applied
        journal                     what exists of the lab (journal.py)
        challenge                   that a challenge runs, and how far it got (challenge.py)
        files/NAMESPACE/            what its programs alone see (kernel/own_files.py)
        commands/NAMESPACE          what a person has run there, where a lesson asks for it (command_record.py)
        engines/DEVICE.log          what an engine wrote, or a program
        engines/DEVICE.run          what has become of a program (programs/run_record.py)
        engines/DEVICE.counters     what it has counted
        engines/DEVICE.control      the socket on which it is told what changes

In a rootless environment all of this is in the private /run, and goes with it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import KernelRefused, UsageError
from labctl.kernel.namespaces import NamespaceId
from labctl.kernel.own_files import FILES, Own
from labctl.lab.journal import CableEngine, Engine, Journal, Program, Recorded, as_entry, boot_id
from labctl.lab.run_directory import ROOT
from labctl.plan.recorded import Ran, Substitution
from labctl.process.disk import (
    contents,
    kept_in,
    refuse_if_others_may_write,
    removable,
    remove,
    replace_text,
    unreadable,
)
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef

if TYPE_CHECKING:
    from labctl.plan.firewall import Applied
    from labctl.topology.model import Topology


class State:
    """The recorded state of one lab. Everything that writes needs the lock."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self.directory = ROOT / lab
        self._journal = Journal(self.directory / "journal")
        self._topology = self.directory / "topology.json"
        self.challenge = self.directory / "challenge"

    def exists(self) -> bool:
        """Return whether the lab has a directory."""
        return self.directory.is_dir() and not self.directory.is_symlink()

    def begun(self) -> bool:
        """Return whether anything is recorded that may exist."""
        return os.path.lexists(self._journal.path)

    def begin(self, mode: str) -> None:
        """Record that the lab is being made, and the mark of its namespaces. Raise MachineError."""
        with kept_in(self.directory):
            (self.directory / "engines").mkdir(mode=0o700, exist_ok=True)
        mark = f"labctl: {self.lab} {os.urandom(4).hex()}"
        self._journal.append({"begin": {"mode": mode, "boot": boot_id(), "mark": mark}})

    def record_namespace(self, name: str, found: NamespaceId) -> None:
        """Record a namespace, before it has its name. Raise MachineError, as all that writes does."""
        self._journal.append({"namespace": name, **found._asdict()})

    def record_engine(self, engine: Engine) -> None:
        """Record an engine, before it begins; or that it has other impairments now."""
        self._journal.append({"engine": asdict(engine.spec), **asdict(engine.process), "files": dict(engine.files)})

    def record_cable(self, cable: CableEngine) -> None:
        """Record the engine of an end of a cable, before it begins."""
        self._journal.append({"cable": asdict(cable.spec), **asdict(cable.process)})

    def forget_cable(self, device: InterfaceRef) -> None:
        """Record that it has ended."""
        self._journal.append({"forget_cable": device})

    def record_file(self, namespace: str, path: str) -> None:
        """Record a file or a directory that a namespace alone has, before it is there."""
        self._journal.append({"file": path, "of": namespace})

    def forget_file(self, namespace: str, path: str) -> None:
        """Record that it is gone."""
        self._journal.append({"forget_file": path, "of": namespace})

    def record_line(self, namespace: str, line: Ran) -> None:
        """Record a line of shell that has run in a namespace."""
        self._journal.append({"ran": asdict(line), "of": namespace})

    def forget_line(self, namespace: str, line: Ran) -> None:
        """Record that it is not in the file any more: should it come back, it runs again."""
        self._journal.append({"forget_ran": asdict(line), "of": namespace})

    def forget_namespace(self, name: str) -> None:
        """Record that a namespace is gone, and remove what it alone had."""
        self._journal.append({"forget_namespace": name})
        with kept_in(self.directory):
            self.files_of(name).forget()

    def forget_engine(self, device: InterfaceRef) -> None:
        """Record that an engine has ended."""
        self._journal.append({"forget_engine": device})

    def record_program(self, program: Program) -> None:
        """Record a program of a namespace, before it begins."""
        self._journal.append({"program": asdict(program.spec), **asdict(program.process), "files": dict(program.files)})

    def forget_program(self, ref: ProgramRef) -> None:
        """Record that a program has ended."""
        self._journal.append({"forget_program": ref})

    def record_substitution(self, substitution: Substitution) -> None:
        """Record what stands in for what this machine lacks."""
        self._journal.append({"substitution": asdict(substitution)})

    def forget_substitution(self, subject: InterfaceRef | ProgramRef) -> None:
        """Record that a substitute is gone."""
        self._journal.append({"forget_substitution": subject})

    def record_firewall(self, namespace: str, applied: Applied) -> None:
        """Record the firewall that a namespace has now, and what the kernel has made of it."""
        self._journal.append({"firewall": namespace, **as_entry(applied)})

    def forget_firewall(self, namespace: str) -> None:
        """Record that a namespace has no firewall any more."""
        self._journal.append({"forget_firewall": namespace})

    def complete(self, topology: str, file: str) -> None:
        """Record that the lab is up, and is from here on what this topology (as JSON), of this file, says."""
        with kept_in(self.directory):
            replace_text(self._topology, topology)
        self._journal.append({"complete": True, "file": file})

    def topology(self) -> Topology | None:
        """Return the topology as applied, None where `up` was cut off. Raise MachineError where it is damaged."""
        from labctl.topology.model import Topology  # which most commands do without

        written = contents(self._topology)
        try:
            return None if written is None else Topology.of_record(written)
        except ValueError:
            raise unreadable(self._topology, "it is damaged") from None

    def read(self) -> Recorded:
        """Return what is recorded. After a reboot its processes are gone, and of its namespaces all but the names.

        Raise MachineError if it cannot be read, or if another user may have written it.
        """
        for directory in (ROOT, self.directory):
            with suppress(FileNotFoundError):
                refuse_if_others_may_write(directory)
        recorded = self._journal.read()
        if recorded.boot in ("", boot_id()):
            return recorded
        return Recorded(recorded.mode, namespaces=recorded.namespaces)

    def files_of(self, namespace: str) -> Own:
        """Return what is kept for the programs of a namespace."""
        return Own(self.directory, namespace)

    def log_of(self, ref: InterfaceRef | ProgramRef) -> Path:
        """Return the path of the log of an engine, or of a program: no program is called as an interface is."""
        return self.directory / "engines" / f"{ref}.log"

    def run_record_of(self, ref: InterfaceRef | ProgramRef) -> Path:
        """Return the path of what the supervisor of a program shows."""
        return self.directory / "engines" / f"{ref}.run"

    def control_of(self, device: InterfaceRef) -> Path:
        """Return the path of the socket on which a built-in engine is told what changes, or that of a cable."""
        return self.directory / "engines" / f"{device}.control"

    def counters_of(self, device: InterfaceRef) -> Path:
        """Return the path of the counters of a built-in engine, or of that of a cable."""
        return self.directory / "engines" / f"{device}.counters"

    def reset(self) -> None:
        """Record that nothing of the lab is left. The journal goes last: while it is there, it is true."""
        engines = self.directory / "engines"
        # The directory itself stays until the lab is forgotten: an engine that has not begun may be making its files.
        within = engines.iterdir() if engines.is_dir() and not engines.is_symlink() else (engines,)
        for path in (*within, self.directory / FILES, self.directory / "commands", self._topology, self.challenge):
            remove(path)
        self._journal.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the lab. Raise MachineError where its directory cannot be removed."""
        with removable(self.lab):
            while self.exists():
                try:
                    remove(self.directory)
                except OSError as error:
                    # An engine that had not begun when its `up` was killed may still be making its files.
                    if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                        raise


def applied(state: State) -> Topology:
    """Return the topology as applied. Raise KernelRefused where the lab never came up."""
    topology = state.topology()
    if topology is None:
        raise KernelRefused(
            f"lab {state.lab} never came up", "its labctl up was cut off", f"labctl down -l {state.lab}"
        )
    return topology


def existing(lab: str) -> State:
    """Return the state of a lab. Raise UsageError if there is no such lab."""
    state = State(lab)
    if not state.exists():
        raise none_named(lab)
    return state


def none_named(lab: str) -> UsageError:
    """Return the error for a lab that is not there, or not any more."""
    return UsageError(f"there is no lab named {lab}", "", "labctl list shows what is running")
