"""Work that tries a lab out: verify, why, impair; and the machine: doctor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.api.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.checks.results import Tools
    from labctl.lab.engines.control import Changes
    from labctl.lab.impair import InForce
    from labctl.lab.verify import Verified
    from labctl.lab.why import Reached
    from labctl.process.patience import PatienceFor
    from labctl.rootless.userns_diagnosis import Diagnosis
    from labctl.topology.checks_file import ChecksFile


def verify(lab: str, checks: Sequence[str], system_tools: bool, file: str | None, caller: Caller) -> Verified:
    """Run checks of a lab, or of a file, and tell each result as soon as it is there."""
    from labctl.lab.own_labs import context_of
    from labctl.lab.verify import verify as verified

    context = context_of(lab)
    tools, others = tools_of(system_tools), _read(file) if file is not None else None
    return context.follow(lambda tell: verified(lab, checks, tools, tell, others), caller.tell)


def _read(file: str) -> ChecksFile:
    from labctl.topology.checks_file import read

    return read(Path(file))


def tools_of(system: bool) -> Callable[[PatienceFor], Tools]:
    """Return what probes: our own, or the programs of this machine."""
    if system:
        from labctl.checks.system_tools import SystemTools

        return SystemTools
    from labctl.checks.probes import Probes

    return Probes


def why(lab: str, namespace: str, address: str, caller: Caller) -> Reached:
    """Ask whether a namespace reaches an address or a name of the lab, and why not."""
    from labctl.lab.own_labs import context_of
    from labctl.lab.why import why as asked

    return context_of(lab).call(lambda: asked(lab, namespace, address))


def doctor(caller: Caller) -> list[Diagnosis]:
    """Find out what this machine can do, by trying it."""
    from labctl.kernel.drivers import examine

    return examine()


def impair(lab: str, device: str, changes: Changes, caller: Caller) -> InForce:
    """Change what packets suffer. Return what is in force."""
    from labctl.lab.impair import impair as change
    from labctl.lab.own_labs import context_of

    return context_of(lab).call(lambda: change(lab, device, changes))
