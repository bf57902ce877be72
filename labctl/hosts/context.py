"""Where a lab over hosts lives: not on this machine, so nothing that looks at this machine's kernel is done for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, TypeVar

from labctl.errors import LabError
from labctl.hosts.record import Record, existing, recorded
from labctl.process.child import Child, Tell
from labctl.process.processes import Process

if TYPE_CHECKING:
    from labctl.hosts.command import Streams

Result = TypeVar("Result")


class OverHosts:
    """The hosts of a lab, as what is asked of the context of any lab: it refuses what has no way over hosts yet."""

    mode = "over hosts"

    def __init__(self, lab: str) -> None:
        self.lab: str | None = lab

    @cached_property
    def record(self) -> Record:
        """Return where the lab is. Raise MachineError where that is damaged: it is in the way of no other lab."""
        assert self.lab is not None
        return existing(self.lab)

    @property
    def address(self) -> tuple[str | None, list[int]]:
        self.refuse()

    def call(self, work: Callable[[], Result]) -> Result:
        self.refuse()

    def follow(self, work: Callable[[Tell], Result], listener: Tell) -> Result:
        self.refuse()

    def start(self, work: Callable[[], object]) -> Child:
        self.refuse()

    def keep(self, owner: Process | None) -> None:
        self.refuse()

    def abandon(self) -> None:
        self.refuse()

    def end(self, lab: str, work: Callable[[], AbstractContextManager[Result]]) -> Result:
        self.refuse()

    def host_of(self, namespace: str) -> str:
        """Return the host of a namespace, by its name with or without the prefix of the lab. Raise UsageError."""
        from labctl.topology.unknown_names import no_such

        spaces = self.record.namespaces
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

    def run(self, namespace: str, words: Sequence[str], streams: Streams | None = None) -> int:
        """Run a command of labctl that is about one namespace, on the host where that is. Return its exit code.

        It has the streams of this process, where none are given. Raise UsageError where there is no such namespace.
        """
        from labctl.hosts.command import run_there

        command, *others = words
        return run_there(
            self.record.logins[self.host_of(namespace)], [command, "-l", self.record.lab, *others], streams
        )

    def host_of_all(self, namespaces: Iterable[str]) -> str | None:
        """Return the host on which all of these namespaces are, None where that is not one. Raise UsageError."""
        hosts = {self.host_of(name) for name in namespaces}
        return hosts.pop() if len(hosts) == 1 else None

    def refuse(self) -> NoReturn:
        """Raise LabError: what is asked for has no way over hosts yet."""
        where = ", ".join(self.record.hosts)
        login = next(iter(self.record.logins.values()))
        raise LabError(
            f"this does not work yet for a lab over several hosts, as {self.lab} is",
            f"it is on {where}",
            f"on each host it works for what is there, for example: ssh -t {login} labctl list",
        )


def refuse_over_hosts(lab: str) -> None:
    """Raise LabError for a lab over hosts."""
    if (record := recorded(lab)) is not None:
        OverHosts(record.lab).refuse()
