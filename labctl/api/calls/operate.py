"""Calls that try a lab out: verify, why, impair; and a machine: doctor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.api.caller import Caller, answered
from labctl.api.work import operate as work
from labctl.hosts.record import recorded

if TYPE_CHECKING:
    from labctl.lab.engines.control import Changes
    from labctl.lab.impair import InForce
    from labctl.lab.verify import Verified
    from labctl.lab.why import Reached
    from labctl.rootless.userns_diagnosis import Diagnosis


def verify(lab: str, checks: Sequence[str], system_tools: bool, file: str | None, caller: Caller) -> Verified:
    """Run checks of a lab, or of a file, and tell each result as soon as it is there."""
    if record := recorded(lab):
        from labctl.api.over_hosts.verify import verify

        return verify(record, checks, system_tools, file, caller)
    return work.verify(lab, checks, system_tools, file, caller)


def verify_in_turn(lab: str, caller: Caller) -> None:
    """Run the check that is asked for, and tell what came of it, and then the next."""
    if recorded(lab):
        from labctl.api.over_hosts.verify import verify_in_turn

        verify_in_turn(lab, caller)
        return
    for check in iter(caller.hear, None):
        caller.tell(answered(work.verify, lab, [check], False, None, Caller()))


def why(lab: str, namespace: str, address: str, caller: Caller) -> Reached:
    """Ask whether a namespace reaches an address or a name of the lab, and why not."""
    if record := recorded(lab):
        from labctl.api.over_hosts.why import why

        return why(record, namespace, address)
    return work.why(lab, namespace, address, caller)


def impair(lab: str, device: str, changes: Changes, caller: Caller) -> InForce:
    """Change what packets suffer. Return what is in force."""
    if record := recorded(lab):
        from labctl.api.over_hosts.there import impair

        return impair(record, device, changes)
    return work.impair(lab, device, changes, caller)


def doctor(host: str | None, caller: Caller) -> list[Diagnosis]:
    """Find out what this machine can do, by trying it; or a host, which ssh logs in to, for labs over several."""
    if host is not None:
        from labctl.api.over_hosts.doctor import examine

        return examine(host)
    return work.doctor(caller)
