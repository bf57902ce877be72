"""The journal of a lab: what exists of it, so that `down` needs nothing else, even after a kill at any moment.

One JSON object a line, only ever appended, and written ahead: a namespace or a process is in it before it can do
anything. So whatever exists is named there, and a line that was cut off by a kill names something that does not exist
yet. A line that cannot be read is passed over: it was cut off, or it is damaged, and the others are still true.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.engine.packets.address import Address
from labctl.engine.packets.impairment import Impairment
from labctl.frozen import frozen
from labctl.kernel.namespaces import NamespaceId
from labctl.lab.programs.program_files import Signature
from labctl.plan.cable_spec import CableSpec
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.recorded import Ran, Substitution
from labctl.process.disk import contents, kept_in
from labctl.process.processes import Process
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef

if TYPE_CHECKING:
    from labctl.plan.firewall import Applied, Entry
    from labctl.plan.program_spec import ProgramSpec

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# Names become paths. What a topology may call things is in topology.values; nothing else was ever written here.
_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
_PIDS = range(1, 1 << 31)


@frozen
class Engine:
    """An engine that was started: its process, what it was started as, and the files of a program."""

    process: Process
    spec: EngineSpec
    files: Mapping[str, Signature] = field(default_factory=dict)


@frozen
class Program:
    """A program that was started: the process that supervises it, what it was started as, and its files."""

    process: Process
    spec: ProgramSpec
    files: Mapping[str, Signature] = field(default_factory=dict)


@frozen
class CableEngine:
    """The engine of an end of a cable that was started: its process, and what it was started as."""

    process: Process
    spec: CableSpec


@dataclass
class Recorded:
    """What the journal of a lab says."""

    mode: str = "root"
    boot: str = ""
    mark: str = ""
    complete: bool = False
    file: str = ""  # the topology file that it was made from; empty where that was no file
    namespaces: dict[str, NamespaceId] = field(default_factory=dict)
    files: dict[str, set[str]] = field(default_factory=dict)  # the paths of own files by namespace
    ran: dict[str, set[Ran]] = field(default_factory=dict)  # the lines that have run, by namespace
    engines: dict[InterfaceRef, Engine] = field(default_factory=dict)
    firewalls: dict[str, Applied] = field(default_factory=dict)  # by namespace
    cables: dict[InterfaceRef, CableEngine] = field(default_factory=dict)  # between hosts
    programs: dict[ProgramRef, Program] = field(default_factory=dict)
    substitutions: dict[InterfaceRef | ProgramRef, Substitution] = field(default_factory=dict)

    @property
    def engine_processes(self) -> list[Process]:
        """The processes of all engines, those of cables between hosts among them."""
        return [each.process for each in self.engines.values()] + [each.process for each in self.cables.values()]


class Journal:
    """The file; it is there from the first entry on, until nothing of the lab is left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: dict[str, Any]) -> None:
        with kept_in(self.path.parent), self.path.open("ab+") as journal:
            if journal.tell():
                journal.seek(-1, os.SEEK_END)
                if journal.read() != b"\n":  # a full disk, or a kill, has cut the last one off
                    journal.write(b"\n")
            journal.write(json.dumps(entry).encode() + b"\n")

    def read(self) -> Recorded:
        """Return what is recorded. Raise MachineError where the journal is no file that can be read."""
        recorded = Recorded()
        for line in (contents(self.path) or b"").splitlines():
            with suppress(ValueError, RecursionError):
                _apply(json.loads(line), recorded)
        return recorded


def _apply(entry: Any, recorded: Recorded) -> None:
    match entry:
        case {"begin": {"mode": str(mode), "boot": str(boot), "mark": str(mark)}}:
            recorded.mode, recorded.boot, recorded.mark = mode, boot, mark
        case {"namespace": str(name), "device": int(device), "inode": int(inode), "mark": str(mark)}:
            if _NAME.fullmatch(name):
                recorded.namespaces[name] = NamespaceId(device, inode, mark)
                recorded.files.pop(name, None)
                recorded.ran.pop(name, None)
        case {"ran": {"command": str(line), "exit": int(code), "directory": str(directory)}, "of": str(name)}:
            recorded.ran.setdefault(name, set()).add(Ran(line, code, directory))
        case {"forget_ran": {"command": str(line), "exit": int(code), "directory": str(directory)}, "of": str(name)}:
            recorded.ran.get(name, set()).discard(Ran(line, code, directory))
        case {"file": str(path), "of": str(name)} if _NAME.fullmatch(name) and os.path.normpath(path) == path:
            recorded.files.setdefault(name, set()).add(path)
        case {"forget_file": str(path), "of": str(name)}:
            recorded.files.get(name, set()).discard(path)
        case {"engine": engine, "pid": int(pid), "started": int(started), "files": files}:
            if pid in _PIDS:
                spec = _spec(engine)
                recorded.engines[spec.device] = Engine(Process(pid, started), spec, dict(_signatures(files)))
        case {"cable": cable, "pid": int(pid), "started": int(started)}:
            if pid in _PIDS:
                end = _cable(cable)
                recorded.cables[end.device] = CableEngine(Process(pid, started), end)
        case {"program": program, "pid": int(pid), "started": int(started), "files": files}:
            if pid in _PIDS:
                found = _program(program)
                recorded.programs[found.ref] = Program(Process(pid, started), found, dict(_signatures(files)))
        case {"substitution": {"subject": named, "wanted": str(wanted), "used": str(used), "reason": str(why)}}:
            subject = _ref(named)
            recorded.substitutions[subject] = Substitution(subject, wanted, used, why)
        case {"firewall": str(name), "asked": asked, "listing": list(listing)}:
            recorded.firewalls[name] = _applied(asked, listing)
        case {"forget_firewall": str(name)}:
            recorded.firewalls.pop(name, None)
        case {"forget_namespace": str(name)}:
            recorded.namespaces.pop(name, None)
            recorded.files.pop(name, None)
            recorded.ran.pop(name, None)
            recorded.firewalls.pop(name, None)
        case {"forget_engine": device}:
            recorded.engines.pop(_ref(device), None)
        case {"forget_cable": device}:
            recorded.cables.pop(_ref(device), None)
        case {"forget_program": program}:
            recorded.programs.pop(_program_ref(program), None)
        case {"forget_substitution": subject}:
            recorded.substitutions.pop(_ref(subject), None)
        case {"complete": bool(complete), **more}:
            recorded.complete, recorded.file = complete, str(more.get("file", ""))


def _spec(entry: Any) -> EngineSpec:
    """Return the engine of an entry, which is `dataclasses.asdict` of it. Raise ValueError where it is none."""
    match entry:
        case {
            "device": device,
            "bind": {"host": str(bind_host), "port": int(bind_port)},
            "peer": {"host": str(peer_host), "port": int(peer_port)},
            "verbose": bool(verbose),
            "offload": bool(offload),
            "too_big": "fragment" | "icmp" as too_big,
            "impair": dict(impair),
            "impair_in": dict(impair_in),
            "run_as": str() | None as run_as,
            "program": [*program],
            "directory": str(directory),
        } if all(isinstance(word, str) for word in program):
            return EngineSpec(
                _ref(device),
                Address(bind_host, bind_port),
                Address(peer_host, peer_port),
                verbose,
                offload,
                too_big,
                Impairment.from_dict(impair),
                Impairment.from_dict(impair_in),
                run_as,
                tuple(program),
                directory,
            )
    raise ValueError("no engine")


def _cable(entry: Any) -> CableSpec:
    """Return the end of a cable of an entry, which is `dataclasses.asdict` of it. Raise ValueError where it is none."""
    match entry:
        case {
            "device": device,
            "peer": peer,
            "cable": str(cable),
            "host": str(host),
            "address": str(address),
            "ports": [int(first), int(last)],
        }:
            return CableSpec(_ref(device), _ref(peer), cable, host, address, (first, last))
    raise ValueError("no end of a cable")


def as_entry(applied: Applied) -> dict[str, Any]:
    """Return the entry of a firewall, without its namespace."""
    listing = [[list(part), [list(entry) for entry in entries]] for part, entries in applied.listing.items()]
    return {"asked": asdict(applied.asked), "listing": listing}


def _applied(asked: Any, listing: list[Any]) -> Applied:
    """Return the firewall of an entry. Raise ValueError where it is none."""
    from labctl.plan.firewall import PART_KINDS, Applied, Firewall, Part  # which most labs do without

    match asked:
        case {"nft": str(nft), "masquerade": [*masquerade], "versions": [*versions]}:
            firewall = Firewall(nft, tuple(map(str, masquerade)), tuple(map(int, versions)))
        case _:
            raise ValueError("no firewall")
    found: dict[Part, tuple[Entry, ...]] = {}
    for each in listing:
        match each:
            case [[str(family), str(table), str(kind), str(name)], [*entries]] if kind in PART_KINDS:
                found[Part(family, table, kind, name)] = tuple(map(_entry, entries))
            case _:
                raise ValueError("no part of a firewall")
    return Applied(firewall, found)


def _entry(entry: Any) -> Entry:
    from labctl.plan.firewall import Entry

    match entry:
        case [str(words), str(digest)]:
            return Entry(words, digest)
    raise ValueError("no entry of a firewall")


def _program(entry: Any) -> ProgramSpec:
    """Return the program of an entry, which is `dataclasses.asdict` of it. Raise ValueError where it is none."""
    from labctl.plan.program_spec import ProgramSpec, Readiness

    match entry:
        case {
            "ref": ref,
            "words": [*words],
            "cwd": str(cwd),
            "env": [*env],
            "user": str() | None as user,
            "restart": "never" | "on-failure" | "always" as restart,
            "stop_signal": str(stop_signal),
            "ready": ready,
            "after": [*after],
        } if words and all(isinstance(word, str) for word in words):
            variables = tuple((str(name), str(value)) for name, value in env)
            earlier = tuple(map(_program_ref, after))
            readiness = Readiness(**ready) if isinstance(ready, dict) else None
            found = _program_ref(ref)
            return ProgramSpec(found, tuple(words), cwd, variables, user, restart, stop_signal, readiness, earlier)
    raise ValueError("no program")


def _program_ref(entry: Any) -> ProgramRef:
    return ProgramRef(*_ref(entry))


def _ref(entry: Any) -> InterfaceRef:
    """Return the interface of an entry. Raise ValueError where it is none."""
    match entry:
        case [str(namespace), str(interface)] if _NAME.fullmatch(namespace) and _NAME.fullmatch(interface):
            return InterfaceRef(namespace, interface)
    raise ValueError("no interface")


def _signatures(files: Any) -> Iterator[tuple[str, Signature]]:
    for path, signature in files.items() if isinstance(files, dict) else ():
        match signature:
            case [int(modified), int(size), str(digest)]:
                yield path, Signature(modified, size, digest)


def boot_id() -> str:
    return _BOOT_ID.read_text().strip()
