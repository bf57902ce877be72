"""What mends a cause: one command to type, or the line of the file that is wrong and what to write there.

Where the lab differs from its file at the place of the cause, the file is right, and `labctl up` mends the difference.
Where it does not, it is as its file says, and the file is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from labctl.diagnosis.facts import Case
from labctl.diagnosis.verdict import Verdict
from labctl.plan.change import Change
from labctl.plan.commands import in_running_lab
from labctl.plan.steps import AddRoute, AutomaticAddresses, InterfaceStep, NoAutomaticAddresses, Removal
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.paths import Path
from labctl.topology.values import Host

_DIFFERENCES = "labctl status"
_MOST = 3
"""Commands that are told at most: where it takes more, who reads them sees what differs first."""


def inside(namespace: str, command: str) -> str:
    """Return what runs a command in a namespace of a lab."""
    return f"labctl exec {namespace} -- {command}"


def up(case: Case) -> str:
    """Return what makes the lab as its file says; what shows how it differs, where it has no file."""
    return f"labctl up {case.file.name}" if case.file.name else _DIFFERENCES


def drifted(case: Case, *namespaces: str) -> bool:
    """Return whether one of these namespaces differs from the file."""
    return any(change.step.namespace in namespaces for change in case.changes)


def write(case: Case, *path: str | int, text: str) -> str:
    """Return the line of a part of the file, and what to write there."""
    return f"{case.file.at(*path)}: {text}"


def mend(case: Case, namespace: str, *path: str | int, text: str) -> str:
    """Return `up` where the namespace differs from the file; else what is to be written in the file."""
    if drifted(case, namespace):
        return up(case)
    return write(case, *path, text=text)


def of_address(case: Case, ref: InterfaceRef, address: Host) -> Path:
    """Return where in the file an address of an interface is; () where the interface has it not by the file."""
    interface = case.topology.namespaces[ref.namespace].interfaces.get(ref.interface)
    for number, written in enumerate(interface.addresses if interface else ()):
        if written.ip == address:
            return ("namespaces", ref.namespace, "interfaces", ref.interface, "addresses", number)
    return ()


def by_hand(case: Case, verdict: Verdict) -> Verdict:
    """Return a verdict that tells, of a lab without a file, the commands that take the difference at its hop away.

    What was added by hand is taken away only where nothing is missing there: it may be what a person has mended.
    """
    if case.file.name or not verdict.fix.endswith(_DIFFERENCES):
        return verdict
    here = list(_at(case, verdict.hop))
    missing = [change for change in here if not isinstance(change.step, Removal)]
    commands = [in_running_lab(change.step) for change in missing or here]
    if not commands or len(commands) > _MOST or None in commands:
        return verdict
    return replace(verdict, fix=verdict.fix.removesuffix(_DIFFERENCES) + " && ".join(filter(None, commands)))


def _at(case: Case, hop: str) -> Iterator[Change]:
    """Yield the differences at an interface, with the routes through it, or those of a namespace."""
    namespace, _, interface = hop.partition(":")
    for change in case.changes:
        step = change.step
        if step.namespace != namespace or isinstance(step, AutomaticAddresses | NoAutomaticAddresses):
            continue  # how addresses come by themselves loses no packet
        of_it = isinstance(step, InterfaceStep) and step.interface == interface
        through_it = isinstance(step, AddRoute) and step.route.dev in (None, interface)
        if not interface or of_it or through_it:
            yield change
