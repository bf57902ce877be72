"""Which labs of this user are over hosts, as this machine knows: $XDG_STATE_HOME/labctl/LAB.json (XDG Base Directory).

What is there of a lab is recorded on its hosts. This is how they are found again: it is written before anything is made
there, and removed once every host has said that nothing is left.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from labctl.errors import MachineError, UsageError, kernel_words
from labctl.frozen import frozen
from labctl.process.disk import contents, replace_text, unreadable

if TYPE_CHECKING:
    from labctl.topology.model import Topology

PART = "LABCTL_PART"
"""The environment variable that says that a lab is meant as it is on this host, also where it is over several.

Its value is the mark of the lab that is meant; it is empty where that is any of the name."""


@frozen
class Host:
    """A host of a lab: what ssh logs in to, and the namespaces that are on it.

    The mark is what tells the lab there from another one of the same name; empty where `up` did not come to its end.
    """

    ssh: str
    namespaces: tuple[str, ...]
    mark: str = ""


@frozen
class Record:
    """A lab over hosts."""

    lab: str
    file: str  # the topology file that it was made from; empty where it is of none
    hosts: Mapping[str, Host]
    topology: str = ""  # as applied, as JSON; empty where `up` did not come to its end
    inventory: str = ""  # the file that says on which hosts it is; empty where the topology file does

    @classmethod
    def of(cls, topology: Topology, shares: Mapping[str, Topology], file: str, inventory: str = "") -> Self:
        """Return the record of a lab that is about to be made on hosts, of its share on each."""
        hosts = {
            name: Host(str(topology.hosts[name].ssh or name), tuple(share.namespaces)) for name, share in shares.items()
        }
        return cls(topology.name, file, hosts, inventory=inventory)

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the host of each namespace."""
        return {name: host for host, known in self.hosts.items() for name in known.namespaces}

    def host_of(self, namespace: str) -> str:
        """Return the host of a namespace, by its name with or without the prefix of the lab. Raise UsageError."""
        from labctl.topology.unknown_names import no_such

        spaces = self.namespaces
        for name in (namespace, f"{self.lab}-{namespace}"):
            if name in spaces:
                return spaces[name]
        raise no_such(f"lab {self.lab} has no namespace named {namespace!r}", namespace, spaces)

    def by_host(self, named: Iterable[str]) -> dict[str, list[str]]:
        """Return engines and programs, NAMESPACE:NAME or a namespace, by the host of each. Raise UsageError."""
        from labctl.topology.interface_ref import InterfaceRef

        found: dict[str, list[str]] = {}
        for name in named:
            found.setdefault(self.host_of(InterfaceRef.typed(name).namespace), []).append(name)
        return found

    def applied(self) -> Topology | None:
        """Return the topology as applied, None where `up` did not come to its end. Raise MachineError."""
        from labctl.topology.model import Topology  # which most commands do without

        try:
            return Topology.of_record(self.topology) if self.topology else None
        except ValueError:
            why = f"that in {_path(self.lab)} is damaged, or of another labctl"
            hint = f"labctl down {self.lab} ends the lab all the same"
            raise MachineError(f"the topology of lab {self.lab} cannot be read", why, hint) from None

    def completed(self, topology: Topology, marks: Mapping[str, str]) -> Self:
        """Return the record of the lab once it is what a topology says, with its mark on each host."""
        hosts = {host: replace(known, mark=marks[host]) for host, known in self.hosts.items()}
        return replace(self, hosts=hosts, topology=topology.as_record())

    def is_another(self, host: str, mark: str) -> bool:
        """Return whether what has a mark on a host is another lab of the same name."""
        return host not in self.hosts or is_another(self.hosts[host].mark, mark)

    def without(self, hosts: frozenset[str]) -> Self:
        """Return the record of the lab once it is not on some hosts any more."""
        return replace(self, hosts={host: known for host, known in self.hosts.items() if host not in hosts})

    def write(self) -> None:
        """Keep it. Raise MachineError."""
        path = _path(self.lab)
        with _writable(path):
            replace_text(path, json.dumps(asdict(self), indent=1))

    def forget(self) -> None:
        """Keep it no longer: nothing is left of the lab on any host."""
        _path(self.lab).unlink(missing_ok=True)


def is_another(meant: str, mark: str) -> bool:
    """Return whether a lab with a mark is another one than the one that is meant. An empty mark is not known."""
    return bool(meant and mark) and meant != mark


def lock_of(lab: str) -> Path:
    """Return the file that is locked, and there, while a lab over hosts is changed."""
    return _path(lab).with_suffix(".lock")


def open_lock(lab: str) -> int:
    """Return a descriptor of that file, made where there is none. Raise MachineError."""
    path = lock_of(lab)
    with _writable(path):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn an OSError of the body, which writes a file in a directory that is made here, into MachineError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as error:
        hint = "set XDG_STATE_HOME to a directory of your own"
        raise MachineError(f"{path} cannot be written", kernel_words(error), hint) from None


def recorded(lab: str) -> Record | None:
    """Return a lab over hosts, None where it is none. Raise MachineError where what is kept of it is damaged."""
    path = _path(lab)
    written = contents(path) if _is_ours() else None
    if written is None:
        return None
    try:
        match json.loads(written):
            case {
                "lab": str(name),
                "file": str(file),
                "hosts": {**hosts},
                "topology": str(topology),
                "inventory": str(inventory),
            } if name == lab:
                there = {str(host): _host(known) for host, known in hosts.items()}
                return Record(name, file, there, topology, inventory)
    except ValueError:
        pass
    raise unreadable(path, "it is damaged")


def _host(known: object) -> Host:
    match known:
        case {"ssh": str(ssh), "namespaces": [*names], "mark": str(mark)} if all(isinstance(it, str) for it in names):
            return Host(ssh, tuple(names), mark)
    raise ValueError(known)


def existing(lab: str) -> Record:
    """Return a lab over hosts. Raise UsageError where it is none any more, MachineError as `recorded` does."""
    record = recorded(lab)
    if record is None:
        raise UsageError(f"lab {lab} has ended meanwhile", "", "labctl list shows yours")
    return record


def refuse_recorded(lab: str) -> None:
    """Raise UsageError where a lab that is to be on this machine alone is over hosts."""
    if (record := recorded(lab)) is not None:
        from labctl.topology.rename import given_name
        from labctl.topology.shipped import as_typed

        typed = as_typed(record.file, record.inventory, given_name(lab, record.namespaces))
        changes = f"labctl up {typed} changes that one; " if record.file else ""
        hint = f"{changes}labctl down {lab} first, or another name: labctl up --name NAME"
        raise UsageError(f"lab {lab} is over {', '.join(record.hosts)}", "what is asked for is on this machine", hint)


def refuse_over_hosts(lab: str) -> None:
    """Raise UsageError for a lab over hosts, where there is no way for what is asked for."""
    if record := recorded(lab):
        raise UsageError(
            f"this is for a lab on one machine, and lab {lab} is over {', '.join(record.hosts)}",
            "",
            "without `hosts`, or the inventory, the same file is a lab on one machine",
        )


def recorded_labs() -> list[str]:
    """Return the labs over hosts of this user."""
    return sorted(path.stem for path in directory().glob("*.json")) if _is_ours() else []


def _is_ours() -> bool:
    """Return whether the directory is one to look into: after su(1) $HOME may be that of another user."""
    return PART not in os.environ and os.access(directory(), os.R_OK | os.X_OK)


def _path(lab: str) -> Path:
    return directory() / f"{lab}.json"


def directory() -> Path:
    """Return where labctl keeps what it knows of labs over hosts (XDG Base Directory)."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state, "labctl")
